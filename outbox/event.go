package outbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// Event is one event of an entity, as it is stored beside the entity until the
// broker has acknowledged it.
type Event struct {
	// Key names the entity, see Key: it is the partition in the store, and the session at
	// the broker follows from it.
	Key string
	// Seq numbers the events of one Key from 1, without gaps. The write defines it.
	Seq int64
	// Incarnation is the id of the one that the number belongs to.
	Incarnation string
	// ID is the CloudEvents id and the broker's MessageId. It is derived from source, Key,
	// Incarnation and Seq, so that every copy of an event carries the same one.
	ID string
	// Type is the CloudEvents type.
	Type string
	// Envelope is the CloudEvents 1.0 JSON of the event (structured mode).
	Envelope json.RawMessage
	// Content is what the envelope says beside the other fields, in an event that is committed. A
	// store may keep it in place of ID and Envelope, which follow from it, see Fill; elsewhere it
	// is nil, because the envelope has it.
	Content *Content
	// Trace is the W3C trace context of the request that wrote the event.
	Trace Trace
	// ReplayFor is the subscription that the event was written for, by a replay; "" for a change.
	ReplayFor string
	// CreatedAt is the writer's clock at the commit.
	CreatedAt time.Time
	// Revision is the store's concurrency token of the event document.
	Revision string
	// Fault is set while the event is parked, nil while it is pending.
	Fault *Fault
}

// Parked says whether the event was taken out of the flow after it could not be sent.
func (e Event) Parked() bool { return e.Fault != nil }

// Content is what makes an event's envelope, with the event's own fields.
type Content struct {
	// Source is the CloudEvents source, with the kind behind it.
	Source      string
	Incarnation Incarnation
	// Version is the entity's after the change; 0 in an event of an earlier release.
	Version int64
	Data    json.RawMessage
}

// Trace is a W3C trace context: the traceparent and tracestate headers as they came.
type Trace struct {
	Parent string
	State  string
}

// Fault says why an event is parked.
type Fault struct {
	Reason string `json:"reason"`
	// At is when it was refused last, Attempts how often.
	At       time.Time `json:"at"`
	Attempts int       `json:"attempts"`
	// Next is when it is tried again by itself.
	Next time.Time `json:"next,omitzero"`
	// Skipped says that its key went on without it: it is never sent again, because its
	// followers may have been sent.
	Skipped bool `json:"skipped,omitempty"`
}

// parkedPause is how long a parked event waits until it is tried again: a refusal that
// outlasts its attempts may still end, when somebody mends the destination.
var parkedPause = pace.Backoff{First: time.Minute, Max: time.Hour}

// Due is when the event is tried again by itself, zero for never.
func (f Fault) Due() time.Time {
	switch {
	case f.Skipped:
		return time.Time{}
	case f.Next.IsZero():
		return f.At.Add(parkedPause.First)
	}
	return f.Next
}

// again is the fault after one more refusal: the wait has doubled.
func (f Fault) again(reason string, now time.Time) Fault {
	wait := min(max(2*f.Due().Sub(f.At), parkedPause.First), parkedPause.Max)
	return Fault{Reason: reason, At: now, Attempts: f.Attempts + 1, Next: now.Add(wait)}
}

// Head tells that a key has at least one pending event, or one parked event: what Find
// and Parked return.
type Head struct {
	Key string
	// CreatedAt is the writer's clock of the event.
	CreatedAt time.Time
	// Due is when a parked event is tried again; zero for never, and for a pending one.
	Due time.Time
}

// EventDocID is the id of the document that holds event seq: it sorts as the
// numbers do.
func EventDocID(seq int64) string { return fmt.Sprintf("ob-%020d", seq) }

// ReceiptDocID is the id of the receipt of an Idempotency-Key: a hash, because the
// client's key may hold characters that a document id must not.
func ReceiptDocID(idempotencyKey string) string {
	sum := sha256.Sum256([]byte(idempotencyKey))
	return "rq-" + hex.EncodeToString(sum[:16])
}
