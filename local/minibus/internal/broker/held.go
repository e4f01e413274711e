package broker

import "github.com/relaybox/relaybox/local/minibus/amqpwire"

// Held are messages that somebody has locked, who names their tokens.
type Held struct {
	in   *Entity
	list []*message
}

// HeldAll finds the messages of all tokens, of which there must be one. The caller holds Broker.mu, also when it renews
// or settles them.
func (e *Entity) HeldAll(tokens []amqpwire.UUID) (Held, error) {
	h := Held{e, make([]*message, len(tokens))}
	for i, token := range tokens {
		m, err := e.held(token)
		if err != nil {
			return Held{}, err
		}
		h.list[i] = m
	}
	if len(h.list) == 0 {
		return Held{}, errLockLost
	}
	return h, nil
}

// Renew extends the locks and returns their ends.
func (h Held) Renew() []amqpwire.Timestamp {
	ends := make([]amqpwire.Timestamp, len(h.list))
	for i, m := range h.list {
		ends[i] = amqpwire.Timestamp(h.in.renew(m))
	}
	return ends
}

// Bear says whether the changes can be noted in all of them, which are to be rejected or stay.
func (h Held) Bear(changes []amqpwire.Pair, rejected bool) error {
	for _, m := range h.list {
		if err := h.in.bears(m, changes, rejected); err != nil {
			return err
		}
	}
	return nil
}

// Complete: they have been processed.
func (h Held) Complete() { h.each(h.in.complete) }

// Abandon: their delivery has failed. Changes become application properties, here and below.
func (h Held) Abandon(changes []amqpwire.Pair) { h.each(func(m *message) { h.in.fail(m, changes) }) }

// Postpone defers them.
func (h Held) Postpone(changes []amqpwire.Pair) {
	h.each(func(m *message) { h.in.postpone(m, changes) })
}

// Reject moves them to the dead-letter queue.
func (h Held) Reject(why []amqpwire.Pair) { h.each(func(m *message) { h.in.reject(m, why) }) }

// each settles each once, also one whose token is named twice.
func (h Held) each(settle func(*message)) {
	for _, m := range h.list {
		if m.locked() {
			settle(m)
		}
	}
}
