package broker

import (
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/clock"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
)

// State says whether a message can be received: the values of x-opt-message-state.
type State int32

// The states.
const (
	Active    State = 0 // can be received, or is locked by a receiver
	Deferred  State = 1 // only by its sequence number
	Scheduled State = 2 // not before its time
)

// message is one message in one entity. Broker.mu guards it.
type message struct {
	kept     *content.Content // nil: only the store has it; content reads it
	in       *Entity
	session  *session // nil in an entity without sessions
	seq      int64
	origin   int64 // enqueue-sequence-number: its number where it came from, or 0
	enqueued int64 // Unix milliseconds, like all times here
	life     int64 // from each enqueueing on, in milliseconds: the shortest that entities gave it on its way; 0: no end
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
	alarm    clock.Alarm   // the lock's end, else the schedule's, else the life's
	restated bool          // a status record has been written
	stored   uint64        // position of the message's record in the journal
}

// sessionID is "" for a message without a session.
func (m *message) sessionID() string {
	if m.session != nil {
		return m.session.id
	}
	return m.content().SessionID
}

func (m *message) locked() bool { return m.token != amqpwire.UUID{} }

// lockedUntil is when the lock ends.
func (m *message) lockedUntil() int64 {
	if m.session != nil {
		return m.session.until
	}
	return m.until
}

// Ring implements clock.Ringer: what was waited for depends on the state that the message is in.
func (m *message) Ring(now int64) {
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
	h := c.Header
	h.DeliveryCount = &m.count // explicit even when 0: clients of other languages fail without it
	b = h.Append(b)
	if n := c.DeliveryAnn.Count; n > 0 || f.lock {
		b = amqpwire.AppendSectionMap(b, amqpwire.DeliveryAnnotations, n+count(f.lock), func(b []byte) []byte {
			b = append(b, c.DeliveryAnn.Pairs...)
			if f.lock {
				b = amqpwire.AppendUUID(amqpwire.AppendSymbol(b, content.AnnLockToken), m.token)
			}
			return b
		})
	}
	b = m.appendAnnotations(b, c.MessageAnn, f)
	b = append(append(b, c.Properties...), c.AppProps...)
	if !f.short {
		b = append(b, c.Body...)
	}
	return append(b, c.Footer...)
}

// appendAnnotations writes the message annotations. Clients assert their exact types.
func (m *message) appendAnnotations(b []byte, user content.Annotations, f form) []byte {
	if m.source != "" {
		user = user.Without(content.AnnDeadSource)
	}
	n := user.Count + 2 + count(f.lock) + count(f.state) + count(m.origin != 0) + count(m.source != "")
	return amqpwire.AppendSectionMap(b, amqpwire.MessageAnnotations, n, func(b []byte) []byte {
		b = append(b, user.Pairs...)
		b = amqpwire.AppendLong(amqpwire.AppendSymbol(b, content.AnnSequence), m.seq)
		b = amqpwire.AppendTimestamp(amqpwire.AppendSymbol(b, content.AnnEnqueued), amqpwire.Timestamp(m.enqueued))
		if f.lock {
			b = amqpwire.AppendTimestamp(amqpwire.AppendSymbol(b, content.AnnLockedUntil), amqpwire.Timestamp(m.lockedUntil()))
		}
		if m.origin != 0 {
			b = amqpwire.AppendLong(amqpwire.AppendSymbol(b, content.AnnEnqueueSequence), m.origin)
		}
		if m.source != "" {
			b = amqpwire.AppendString(amqpwire.AppendSymbol(b, content.AnnDeadSource), m.source)
		}
		if f.state {
			b = amqpwire.Append(amqpwire.AppendSymbol(b, content.AnnState), int32(m.state))
		}
		return b
	})
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
