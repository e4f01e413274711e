package broker

import "github.com/relaybox/relaybox/local/minibus/amqpwire"

// What is done with messages by their numbers. The caller holds Broker.mu.

// Peek shows messages in any state from a number on, those of one session if that is wanted, until show returns false.
// short is without bodies.
func (e *Entity) Peek(from int64, session string, one, short bool, show func(encoded []byte) bool) {
	for m := range e.log.all(from) {
		if one && m.sessionID() != session {
			continue
		}
		if !show(m.appendTo(nil, form{state: true, short: short})) {
			return
		}
	}
}

// Delivery is a message that is handed out by its number.
type Delivery struct {
	Token   amqpwire.UUID // zero: it is gone from the entity
	Encoded []byte
}

// maxReceived is what the messages may have together that are asked for by their numbers; one alone may have any size.
const maxReceived = 64 << 20

// ReceiveDeferred hands out the deferred messages of some numbers to a connection: locked, or removed if that is wanted.
// Of an entity with sessions, only those of the session, which the connection must own. If they are too large together,
// nothing is done.
func (e *Entity) ReceiveDeferred(r *Receivers, numbers []int64, session string, one, removes bool) ([]Delivery, error) {
	if e.Settings.RequiresSession {
		if _, err := e.ownedBy(r, session); err != nil {
			return nil, err
		}
	}
	wanted := func(seq int64) *message {
		m := e.log.get(seq)
		if m == nil || m.state != Deferred || m.locked() || m.expires != 0 && m.expires <= e.b.Now() || one && e.Settings.RequiresSession && m.sessionID() != session {
			return nil
		}
		return m
	}
	size := 0
	for _, seq := range numbers {
		if m := wanted(seq); m != nil {
			size += m.size
		}
		if size > maxReceived && len(numbers) > 1 {
			return nil, amqpwire.Errorf(amqpwire.CondResourceLimit, "The messages have more than %d MB together: ask for fewer at a time.", maxReceived>>20)
		}
	}
	var list []Delivery
	for _, seq := range numbers {
		m := wanted(seq)
		switch {
		case m == nil: // or it is named twice
		case removes:
			list = append(list, Delivery{Encoded: m.appendTo(nil, form{state: true})})
			e.remove(m)
		default:
			e.lock(m)
			list = append(list, Delivery{m.token, m.appendTo(nil, form{lock: true, state: true})})
		}
	}
	return list, nil
}

// CancelScheduled removes messages that are not due yet: all, or none and it reports false.
func (e *Entity) CancelScheduled(numbers []int64) bool {
	var found []*message
	for _, seq := range numbers {
		m := e.scheduled(seq)
		if m == nil {
			return false
		}
		found = append(found, m)
	}
	for _, m := range found {
		if e.scheduled(m.seq) != nil { // it may be named twice
			e.remove(m)
		}
	}
	return true
}

// scheduled is a message that is not due yet, or nil.
func (e *Entity) scheduled(seq int64) *message {
	if m := e.log.get(seq); m != nil && m.state == Scheduled {
		return m
	}
	return nil
}

// DeleteBefore removes messages that were enqueued before a time and that nobody has locked, at most so many, the oldest
// first; those of one session if that is wanted. It returns how many.
func (e *Entity) DeleteBefore(before int64, count int, session string, one bool) int {
	var found []*message
	for m := range e.log.all(0) {
		if len(found) == count {
			break
		}
		if m.state != Active || m.locked() || m.enqueued >= before || one && m.sessionID() != session {
			continue
		}
		found = append(found, m)
	}
	for _, m := range found {
		e.remove(m)
	}
	return len(found)
}
