package broker

import (
	"slices"

	"github.com/google/uuid"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// A lock belongs to a message, not to the link that received it: whoever has the token may settle or renew until it
// ends, through a link or through $management. Only a session's locks end with the session's owner.

// lock gives a message, which is in no ready heap, to a receiver.
func (e *Entity) lock(m *message) {
	m.token = amqpwire.UUID(uuid.New())
	e.locks[m.token] = m
	if m.session != nil {
		e.b.clock.Cancel(&m.alarm) // the session's alarm counts
		m.session.locked[m] = struct{}{}
		return
	}
	m.until = e.b.Now() + e.Settings.Lock.Milliseconds()
	e.b.clock.Set(&m.alarm, m.until)
}

func (e *Entity) unlock(m *message) {
	if !m.locked() {
		return
	}
	delete(e.locks, m.token)
	if m.session != nil {
		delete(m.session.locked, m)
	}
	m.token, m.until = amqpwire.UUID{}, 0
	e.b.clock.Cancel(&m.alarm)
}

// held finds the message that a token locks.
func (e *Entity) held(token amqpwire.UUID) (*message, error) {
	m := e.locks[token]
	if m == nil || m.lockedUntil() <= e.b.Now() {
		return nil, errLockLost
	}
	return m, nil
}

// complete: the message has been processed.
func (e *Entity) complete(m *message) {
	e.remove(m)
	e.tell(Completed, m)
}

// release gives a message back as if it had never been delivered.
func (e *Entity) release(m *message) {
	e.unlock(m)
	if m.state == Deferred {
		e.lives(m)
		return
	}
	e.offer(m)
}

// fail gives a message back after a failed delivery: abandoned, or its lock has expired. After the last allowed
// delivery it is dead-lettered. A dead-letter queue does not count, and a deferred message stays deferred.
func (e *Entity) fail(m *message, changes []amqpwire.Pair) {
	e.unlock(m)
	e.change(m, changes)
	if e.Kind != topology.DeadLetterKind {
		m.count++
		e.storeStatus(m)
	}
	switch {
	case m.state == Deferred:
		e.lives(m)
	case e.Kind != topology.DeadLetterKind && int(m.count) >= e.Settings.MaxDelivery:
		e.remove(m)
		e.bury(m, content.Property(PropReason, reasonMaxDelivery),
			content.Property(PropDescription, "Message could not be consumed after the maximum number of delivery attempts."))
	default:
		e.offer(m)
	}
}

// postpone sets a message aside until somebody asks for its number, or its life ends.
func (e *Entity) postpone(m *message, changes []amqpwire.Pair) {
	e.unlock(m)
	e.change(m, changes)
	e.restate(m, Deferred)
	e.storeStatus(m)
	e.lives(m)
}

// restate changes the state of a message in the backlog.
func (e *Entity) restate(m *message, to State) {
	e.states[m.state]--
	e.states[to]++
	m.state = to
}

// reject moves a message to the dead-letter queue because a receiver says so.
func (e *Entity) reject(m *message, why []amqpwire.Pair) {
	if e.Kind == topology.DeadLetterKind {
		e.unlock(m)
		e.change(m, why)
		e.offer(m)
		return
	}
	e.remove(m)
	e.bury(m, why...)
}

// change merges what a receiver wants noted into the application properties.
func (e *Entity) change(m *message, changes []amqpwire.Pair) {
	if len(changes) == 0 {
		return
	}
	changed, err := m.content().With(changes)
	if err != nil {
		e.b.log.Error("application properties cannot be extended", "entity", e.Path, "sequence", m.seq, "error", err)
		return
	}
	e.rewrite(m, changed)
}

// renew extends a lock and returns its new end.
func (e *Entity) renew(m *message) int64 {
	if m.session != nil {
		return m.session.until
	}
	m.until = e.b.Now() + e.Settings.Lock.Milliseconds()
	e.b.clock.Set(&m.alarm, m.until)
	return m.until
}

// settle acts on the outcome that a receiving link reports.
func (e *Entity) settle(token amqpwire.UUID, outcome amqpwire.State) error {
	m, err := e.held(token)
	if err != nil {
		return err
	}
	return e.finish(m, outcome)
}

// finish acts on the outcome of a message that is held.
func (e *Entity) finish(m *message, outcome amqpwire.State) error {
	changes, err := e.notes(m, outcome)
	if err != nil {
		return err
	}
	switch o := outcome.(type) { // those that notes knows
	case *amqpwire.Accepted:
		e.complete(m)
	case *amqpwire.Released:
		e.release(m)
	case *amqpwire.Modified:
		if o.UndeliverableHere {
			e.postpone(m, changes)
		} else {
			e.fail(m, changes) // counted although delivery-failed is false: that is what clients send to abandon
		}
	case *amqpwire.Rejected:
		e.reject(m, changes)
	}
	return nil
}

// notes are what an outcome, which finish must know, wants noted in a message.
func (e *Entity) notes(m *message, outcome amqpwire.State) ([]amqpwire.Pair, error) {
	var encoded amqpwire.Raw
	rejects := false
	switch o := outcome.(type) {
	case *amqpwire.Accepted, *amqpwire.Released:
	case *amqpwire.Modified:
		encoded = o.MessageAnnotations
	case *amqpwire.Rejected:
		if rejects = true; o.Error != nil {
			encoded = o.Error.Info
		}
	default:
		return nil, amqpwire.Errorf(amqpwire.CondNotImplemented, "the outcome %T", outcome)
	}
	changes, err := changesOf(encoded)
	if err != nil {
		return nil, err
	}
	return changes, e.bears(m, changes, rejects)
}

// bears refuses to note what would make a message's properties too large: it may be abandoned and deferred any number of
// times. What is rejected has as much again for the reason, once.
func (e *Entity) bears(m *message, changes []amqpwire.Pair, rejected bool) error {
	if len(changes) == 0 {
		return nil
	}
	before, limit := m.content(), maxHeader
	if rejected && e.Kind != topology.DeadLetterKind {
		limit *= 2
	}
	after, err := before.With(changes)
	if err != nil {
		return amqpwire.Errorf(amqpwire.CondDecodeError, "properties to modify: %v", err)
	}
	if size := after.HeaderSize(); size > limit && size > before.HeaderSize() {
		return amqpwire.Errorf(amqpwire.CondMessageSizeExceeded, "The properties of the message would have %d bytes; %d are allowed.", size, limit)
	}
	return nil
}

// changesOf reads a map whose pairs become application properties. Their bytes outlive the frame: they are copied.
func changesOf(raw amqpwire.Raw) ([]amqpwire.Pair, error) {
	pairs, err := amqpwire.DecodePairs(append(amqpwire.Raw(nil), raw...))
	if err != nil {
		return nil, amqpwire.Errorf(amqpwire.CondDecodeError, "properties to modify: %v", err)
	}
	for _, p := range pairs {
		if p.Key == "" {
			return nil, amqpwire.Errorf(amqpwire.CondNotAllowed, "properties to modify must have names")
		}
	}
	return slices.DeleteFunc(pairs, func(p amqpwire.Pair) bool { // a reason that is not given
		return p.IsNull() && (p.Key == PropReason || p.Key == PropDescription)
	}), nil
}
