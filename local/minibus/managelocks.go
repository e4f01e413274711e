package minibus

import (
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
)

// renewLock extends message locks: all or none.
func (g *manager) renewLock(r *request) (response, error) {
	tokens := r.tokens()
	held, err := g.held(tokens)
	if err != nil {
		return response{}, err
	}
	ends := make([]amqpwire.Timestamp, len(held))
	for i, m := range held {
		ends[i] = amqpwire.Timestamp(g.in.renew(m))
	}
	return succeed("expirations", ends), nil
}

// held finds the messages of all tokens.
func (g *manager) held(tokens []amqpwire.UUID) ([]*message, error) {
	held := make([]*message, len(tokens))
	for i, token := range tokens {
		m, err := g.in.held(token)
		if err != nil {
			return nil, err
		}
		held[i] = m
	}
	if len(held) == 0 {
		return nil, errLockLost
	}
	return held, nil
}

// updateDisposition settles messages whose link is gone, or that never came over a link.
func (g *manager) updateDisposition(r *request) (response, error) {
	held, err := g.held(r.tokens())
	if err != nil {
		return response{}, err
	}
	changes, err := changesOfMap(r.field("properties-to-modify"))
	if err != nil {
		return response{}, err
	}
	status, _ := r.text("disposition-status")
	var settle func(*message)
	switch status {
	case "completed":
		settle = g.in.complete
	case "abandoned":
		settle = func(m *message) { g.in.fail(m, changes) }
	case "defered": // the wire's spelling
		settle = func(m *message) { g.in.postpone(m, changes) }
	case "suspended":
		for field, name := range map[string]string{"deadletter-reason": propReason, "deadletter-description": propDescription} {
			if text, ok := r.text(field); ok {
				changes = append(changes, content.Property(name, text))
			}
		}
		settle = func(m *message) { g.in.reject(m, changes) }
	default:
		return failure(500, condArgument, "The disposition status '"+status+"' is not known."), nil
	}
	for _, m := range held {
		if m.locked() { // a token that is named twice settles once
			settle(m)
		}
	}
	return succeed(), nil
}

// changesOfMap encodes a decoded map again.
func changesOfMap(v any) ([]amqpwire.Pair, error) {
	m, _ := v.(amqpwire.Map)
	var pairs []amqpwire.Pair
	for _, e := range m {
		name, ok := amqpwire.Text(e.Key)
		if !ok || name == "" {
			return nil, amqpwire.Errorf(condArgument, "properties to modify must have names")
		}
		pairs = append(pairs, amqpwire.Pair{Key: name, Value: amqpwire.Append(nil, e.Value)})
	}
	return pairs, nil
}
