package minibus

import (
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// State says whether a message can be received: the values of x-opt-message-state.
type State int32

// The states.
const (
	Active    State = 0 // can be received, or is locked by a receiver
	Deferred  State = 1 // only by its sequence number
	Scheduled State = 2 // not before its time
)

// message is one message in one entity. broker.mu guards it.
type message struct {
	kept     *content // nil: only the store has it; content reads it
	in       *entity
	session  *session // nil in an entity without sessions
	seq      int64
	origin   int64 // enqueue-sequence-number: its number where it came from, or 0
	enqueued int64 // Unix milliseconds, like all times here
	expires  int64 // 0: never
	due      int64 // x-opt-scheduled-enqueue-time, or 0
	size     int
	state    State
	count    uint32 // failed deliveries
	hops     uint8  // how often it has been forwarded
	source   string // where it was dead-lettered

	token    amqpwire.UUID // of the lock; zero: unlocked
	until    int64         // the lock's end; a session's messages are locked as long as their session is
	place    int           // in a ready heap, or nowhere
	alarm    alarm         // the lock's end, else the schedule's, else the life's
	restated bool          // a status record has been written
	stored   uint64        // position of the message's record in the journal
}

// sessionID is "" for a message without a session.
func (m *message) sessionID() string {
	if m.session != nil {
		return m.session.id
	}
	return m.content().sessionID
}

func (m *message) locked() bool { return m.token != amqpwire.UUID{} }

// lockedUntil is when the lock ends.
func (m *message) lockedUntil() int64 {
	if m.session != nil {
		return m.session.until
	}
	return m.until
}

// ring implements alarm.owner: what was waited for depends on the state that the message is in.
func (m *message) ring(now int64) {
	switch {
	case m.locked():
		m.in.fail(m, nil)
	case m.state == Scheduled:
		m.in.activate(m, now)
	default:
		m.in.expire(m)
	}
}

// form says what a delivery shows beside the message itself.
type form struct {
	lock  bool // lock token and locked-until
	state bool // message state: in answers of $management, not in plain deliveries
	short bool // without its body
}

// appendTo encodes the message as receivers see it: header and annotations are the broker's, the rest is verbatim.
func (m *message) appendTo(b []byte, f form) []byte {
	c := m.content()
	h := c.header
	h.DeliveryCount = &m.count // explicit even when 0: clients of other languages fail without it
	b = h.Append(b)
	if n := c.deliveryAnn.count; n > 0 || f.lock {
		b = amqpwire.AppendSectionMap(b, amqpwire.DeliveryAnnotations, n+count(f.lock), func(b []byte) []byte {
			b = append(b, c.deliveryAnn.pairs...)
			if f.lock {
				b = amqpwire.AppendUUID(amqpwire.AppendSymbol(b, annLockToken), m.token)
			}
			return b
		})
	}
	b = m.appendAnnotations(b, c.messageAnn, f)
	b = append(append(b, c.properties...), c.appProps...)
	if !f.short {
		b = append(b, c.body...)
	}
	return append(b, c.footer...)
}

// appendAnnotations writes the message annotations. Clients assert their exact types.
func (m *message) appendAnnotations(b []byte, user annotations, f form) []byte {
	if m.source != "" {
		user = user.without(annDeadSource)
	}
	n := user.count + 2 + count(f.lock) + count(f.state) + count(m.origin != 0) + count(m.source != "")
	return amqpwire.AppendSectionMap(b, amqpwire.MessageAnnotations, n, func(b []byte) []byte {
		b = append(b, user.pairs...)
		b = amqpwire.AppendLong(amqpwire.AppendSymbol(b, annSequence), m.seq)
		b = amqpwire.AppendTimestamp(amqpwire.AppendSymbol(b, annEnqueued), amqpwire.Timestamp(m.enqueued))
		if f.lock {
			b = amqpwire.AppendTimestamp(amqpwire.AppendSymbol(b, annLockedUntil), amqpwire.Timestamp(m.lockedUntil()))
		}
		if m.origin != 0 {
			b = amqpwire.AppendLong(amqpwire.AppendSymbol(b, annEnqueueSequence), m.origin)
		}
		if m.source != "" {
			b = amqpwire.AppendString(amqpwire.AppendSymbol(b, annDeadSource), m.source)
		}
		if f.state {
			b = amqpwire.Append(amqpwire.AppendSymbol(b, annState), int32(m.state))
		}
		return b
	})
}

// without drops one annotation. The pairs have been decoded before, so that they decode again.
func (a annotations) without(key string) annotations {
	var out annotations
	for r := amqpwire.NewReader(a.pairs); r.Len() > 0; {
		k, err := r.Raw()
		if err != nil {
			return a
		}
		v, err := r.Raw()
		if err != nil {
			return a
		}
		if name, _ := amqpwire.NewReader(k).Value(); name != amqpwire.Symbol(key) {
			out.add(amqpwire.Pair{Raw: k, Value: v})
		}
	}
	return out
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
