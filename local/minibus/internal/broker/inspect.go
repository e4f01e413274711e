package broker

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
)

// Message is what Peek shows of a message.
type Message struct {
	SequenceNumber int64
	MessageID      string
	SessionID      string
	CorrelationID  string
	Subject        string
	ContentType    string
	Body           []byte // the data sections; nil for other bodies
	Properties     map[string]any
	State          State
	Locked         bool
	DeliveryCount  int // failed deliveries
	EnqueuedTime   time.Time
	ScheduledTime  time.Time // zero unless State is Scheduled
}

// Counts are an entity's messages by state, as Service Bus counts them: locked messages are active.
type Counts struct {
	Active, DeadLetter, Scheduled, Deferred, Locked int
}

// Peek shows all messages of an entity ("queue", "topic/Subscriptions/name", each with "/$DeadLetterQueue"), in order. It is nil
// for an entity that does not exist.
func (b *Broker) Peek(path string) []Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, _ := b.lookup(path)
	if e == nil {
		return nil
	}
	list := make([]Message, 0, e.log.live)
	for m := range e.log.all(0) {
		list = append(list, m.show())
	}
	return list
}

// Counts counts the messages of an entity; all are zero for one that does not exist.
func (b *Broker) Counts(path string) Counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, _ := b.lookup(path)
	if e == nil {
		return Counts{}
	}
	return e.counts()
}

func (e *Entity) counts() Counts {
	c := Counts{Active: e.states[Active], Deferred: e.states[Deferred], Scheduled: e.states[Scheduled], Locked: len(e.locks)}
	if e.dead != nil {
		c.DeadLetter = e.dead.log.live
	}
	return c
}

func (m *message) show() Message {
	c := m.content()
	out := Message{
		SequenceNumber: m.seq, MessageID: c.MessageID, SessionID: c.SessionID, State: m.state, Locked: m.locked(),
		DeliveryCount: int(m.count), EnqueuedTime: time.UnixMilli(m.enqueued), Properties: map[string]any{},
	}
	if m.state == Scheduled {
		out.ScheduledTime = time.UnixMilli(m.due)
	}
	var p amqpwire.Properties
	if p.Decode(c.Properties) == nil {
		out.ContentType, out.CorrelationID = string(p.ContentType), content.IDText(p.CorrelationID)
		if p.Subject != nil {
			out.Subject = *p.Subject
		}
	}
	if parts, err := (amqpwire.Message{Body: c.Body}).DataSections(); err == nil {
		for _, part := range parts {
			out.Body = append(out.Body, part...)
		}
	}
	pairs, _ := amqpwire.DecodePairs(c.AppProps)
	for _, p := range pairs {
		if v, err := amqpwire.NewReader(p.Value).Value(); err == nil {
			out.Properties[p.Key] = v
		}
	}
	return out
}

// Snapshot is what an entity holds at one moment. Two of them can be compared.
type Snapshot struct {
	Counts   Counts
	Messages []Message // in order, whatever their state
	Sessions []Session // with messages, a state or an owner; in the order of their ids
}

// Session is what Snapshot shows of a session.
type Session struct {
	ID          string
	Messages    int
	State       []byte
	LockedUntil time.Time // zero: nobody has accepted it
}

// Snapshot shows all entities at one moment, by path; dead-letter queues stand beside what they belong to.
func (b *Broker) Snapshot() map[string]Snapshot {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make(map[string]Snapshot, len(b.entities))
	for _, e := range b.entities {
		shot := Snapshot{Counts: e.counts()}
		for m := range e.log.all(0) {
			shot.Messages = append(shot.Messages, m.show())
		}
		for _, id := range slices.Sorted(maps.Keys(e.sessions)) {
			shot.Sessions = append(shot.Sessions, e.sessions[id].show())
		}
		all[e.Path] = shot
	}
	return all
}

func (s *session) show() Session {
	shown := Session{ID: s.id, Messages: s.messages, State: slices.Clone(s.state)}
	if s.owner != nil {
		shown.LockedUntil = time.UnixMilli(s.until)
	}
	return shown
}

// Check compares what the broker keeps twice. It is for tests: an error is a bug of the broker.
func (b *Broker) Check() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entities {
		locked, receivable := 0, len(e.ready)
		bytes, states := 0, [3]int{}
		for _, s := range e.sessions {
			receivable += len(s.ready)
			bytes += len(s.state)
		}
		for m := range e.log.all(0) {
			bytes += m.size
			states[m.state]++
			if m.locked() {
				locked++
			} else if m.state == Active {
				receivable--
			}
		}
		if locked != len(e.locks) || receivable != 0 || bytes != e.bytes || states != e.states {
			return fmt.Errorf("entity %q: %d messages locked and %d locks, %d receivable too many, %d bytes and %d counted, by state %v and %v counted",
				e.Path, locked, len(e.locks), receivable, bytes, e.bytes, states, e.states)
		}
	}
	return nil
}
