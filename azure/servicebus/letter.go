package servicebus

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/relaybox/relaybox/inbox"
)

// Letter is a dead letter.
type Letter struct {
	// Number is its sequence number in the dead-letter queue, which names it there.
	Number              int64
	MessageID           string
	Session             string
	Subject             string // of the message: the event's type
	ContentType         string
	Reason, Description string // why the broker, or who dead-lettered it, says it lies here
	Deliveries          int    // that have failed
	Enqueued            time.Time
	Body                []byte
	Properties          map[string]any

	// Event is what the body says, if Unreadable is nil; else that says why it is no event.
	Event      inbox.Event
	Unreadable error
}

// Properties of a message that was sent back. A subscription that wants no such copies filters
// by them.
const (
	// RedrivenFor is the subscription whose dead letter it was.
	RedrivenFor = "redrivenfor"
	// RedrivenID is the message id that the letter was first sent under.
	RedrivenID = "redrivenid"
)

func letterOf(m *azservicebus.ReceivedMessage) Letter {
	l := Letter{
		MessageID: m.MessageID, Session: value(m.SessionID), Subject: value(m.Subject), ContentType: value(m.ContentType),
		Reason: value(m.DeadLetterReason), Description: value(m.DeadLetterErrorDescription),
		Number: value(m.SequenceNumber), Enqueued: value(m.EnqueuedTime).UTC(),
		Deliveries: max(0, int(m.DeliveryCount)-1), // the SDK counts the one that is under way
		Body:       m.Body, Properties: m.ApplicationProperties,
	}
	l.Event, l.Unreadable = inbox.Decode(m.Body)
	return l
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// Key is what the letter's event is about. A body that is no event has the message's session for
// it, or nothing.
func (l Letter) Key() string {
	if l.Unreadable == nil {
		return l.Event.Key
	}
	return l.Session
}

// Kind is the kind of its key, "" if that has none.
func (l Letter) Kind() string {
	kind, _, ok := strings.Cut(l.Key(), ":")
	if !ok {
		return ""
	}
	return kind
}

// Trace is the W3C traceparent that the message travelled with.
func (l Letter) Trace() string {
	if trace, ok := l.Properties["traceparent"].(string); ok {
		return trace
	}
	return l.Event.TraceParent
}

// place is where an event stands among those of its key.
type place struct {
	incarnation inbox.Incarnation
	seq         int64
}

func (l Letter) place() place { return place{l.Event.Incarnation, l.Event.Seq} }

// compare orders places of one key as their consumer does.
func (p place) compare(q place) int {
	return cmp.Or(p.incarnation.Since.Compare(q.incarnation.Since), p.incarnation.Drawn.Compare(q.incarnation.Drawn),
		strings.Compare(p.incarnation.ID, q.incarnation.ID), cmp.Compare(p.seq, q.seq))
}

var errBody = errors.New("its body is not the one run of bytes that an event is: it can be dropped, not sent again")

// copyOf is the message that goes back to the topic. Its content is the letter's; its id is new,
// because the topic drops in silence what it has seen under an id. The id follows from the letter,
// so that a run after one that died sends no second copy inside the topic's window.
func (d *DeadLetters) copyOf(m *azservicebus.ReceivedMessage) (*azservicebus.Message, error) {
	if raw := m.RawAMQPMessage; raw != nil && (len(raw.Body.Data) > 1 || raw.Body.Value != nil || len(raw.Body.Sequence) > 0) {
		return nil, errBody
	}
	id := d.copyID(m)
	again := m.Message()
	again.MessageID = &id
	again.ScheduledEnqueueTime = nil
	if again.SessionID != nil {
		again.PartitionKey = nil // the session stands for it
	}
	again.ApplicationProperties = maps.Clone(m.ApplicationProperties)
	if again.ApplicationProperties == nil {
		again.ApplicationProperties = map[string]any{}
	}
	delete(again.ApplicationProperties, "DeadLetterReason")
	delete(again.ApplicationProperties, "DeadLetterErrorDescription")
	again.ApplicationProperties[RedrivenFor] = d.subscription
	if _, before := again.ApplicationProperties[RedrivenID]; !before {
		again.ApplicationProperties[RedrivenID] = m.MessageID
	}
	return again, nil
}

// copyID names the copy of a letter. A letter that comes back has another number, and so another
// copy; the time tells letters of a subscription that was made anew apart.
func (d *DeadLetters) copyID(m *azservicebus.ReceivedMessage) string {
	name := fmt.Sprintf("%s\n%s\n%d\n%d", d.subscription, m.MessageID, value(m.SequenceNumber), value(m.EnqueuedTime).UnixMilli())
	sum := sha256.Sum256([]byte(name))
	return "redriven-" + hex.EncodeToString(sum[:16])
}
