package node

import (
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/broker"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
)

// renewLock extends message locks: all or none.
func (g *manager) renewLock(r *request) (response, error) {
	held, err := g.in.HeldAll(r.tokens())
	if err != nil {
		return response{}, err
	}
	return succeed("expirations", held.Renew()), nil
}

// updateDisposition settles messages whose link is gone, or that never came over a link.
func (g *manager) updateDisposition(r *request) (response, error) {
	changes, err := changesOfMap(r.field("properties-to-modify"))
	if err != nil {
		return response{}, err
	}
	var settle func(broker.Held)
	status, _ := r.text("disposition-status")
	switch status {
	case "completed":
		settle = broker.Held.Complete
	case "abandoned":
		settle = func(h broker.Held) { h.Abandon(changes) }
	case "defered": // the wire's spelling
		settle = func(h broker.Held) { h.Postpone(changes) }
	case "suspended":
		for field, name := range map[string]string{"deadletter-reason": broker.PropReason, "deadletter-description": broker.PropDescription} {
			if text, ok := r.text(field); ok {
				changes = append(changes, content.Property(name, text))
			}
		}
		settle = func(h broker.Held) { h.Reject(changes) }
	default:
		return failure(500, condArgument, "The disposition status '"+status+"' is not known."), nil
	}
	held, err := g.in.HeldAll(r.tokens())
	if err != nil {
		return response{}, err
	}
	if err := held.Bear(changes, status == "suspended"); err != nil {
		return response{}, err
	}
	if r.txn == nil {
		settle(held)
		return succeed(), nil
	}
	size := 0
	for _, p := range changes {
		size += len(p.Key) + len(p.Value)
	}
	if err := held.Enlist(g.peer.receivers, r.txn, settle, size); err != nil {
		return response{}, err
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
