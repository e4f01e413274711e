package outbox

import (
	"context"
	"encoding/json"
	"time"
)

// Entity is the stored entity with what the protocol keeps beside its data.
type Entity struct {
	Key string
	// Version counts the committed changes from 1; 0 means that nothing was ever stored.
	Version int64
	// LastSeq is the Seq of the entity's newest event. It never goes back, not even
	// across a deletion.
	LastSeq int64
	// Incarnation is the life that LastSeq belongs to; zero before the first write.
	Incarnation Incarnation
	// Place is the container that the entity was last written in. Moved says that it was
	// read from another one: its container was restored, or copied.
	Place string
	Moved bool
	// LastInvocation is the host's invocation id of the newest write and LastStatus
	// the HTTP status it was answered with: a redelivered request finds its own answer.
	LastInvocation string
	LastStatus     int
	// Deleted marks a tombstone; Data is empty then.
	Deleted   bool
	Data      json.RawMessage
	UpdatedAt time.Time
	// Revision is the store's concurrency token; "" means that nothing is stored.
	Revision string
}

// Receipt remembers the answer of a request that carried an Idempotency-Key.
type Receipt struct {
	// ID is the document id, made by ReceiptDocID.
	ID string
	// RequestHash tells a repeated request from another one under the same key.
	RequestHash string
	Answer      Answer
}

// Answer is what the client was told: everything that a repeated request needs.
type Answer struct {
	Status   int             `json:"status"`
	ETag     string          `json:"etag,omitempty"`
	Location string          `json:"location,omitempty"`
	Body     json.RawMessage `json:"body,omitempty"`
}

// Commit is one atomic batch in one partition: all of it is stored or nothing.
type Commit struct {
	Key string
	// Entity is written under its Revision: "" creates, anything else replaces
	// exactly that revision. Nil leaves the entity alone.
	Entity *Entity
	// Events are created as pending.
	Events []Event
	// Receipt is created when set.
	Receipt *Receipt
}

// Store is the write side's port. Its implementations translate their store's
// faults into the classes of Error; they retry what is safe to retry and nothing else.
type Store interface {
	// Load reads the entity and, when receiptID is not empty, that receipt.
	// A missing entity is the zero Entity with its Key; a missing receipt is nil.
	Load(ctx context.Context, key, receiptID string) (Entity, *Receipt, error)
	// Commit stores the batch atomically and returns the entity's new revision
	// ("" when the batch has no entity). ErrConflict: the entity or an event moved
	// on. ErrReceiptExists: a twin was first. Class Ambiguous: it may or may not
	// have been stored.
	Commit(ctx context.Context, c Commit) (revision string, err error)
	// Place tells in which container the key is stored, by what the store says about the
	// container. It may be asked for each new entity, so it should be remembered, and
	// asked again when an answer hints at another container under the same name.
	Place(ctx context.Context, key string) (Place, error)
}

// Queue is the dispatcher's port on the same store.
type Queue interface {
	// Find visits, page by page and in no order, the keys that have pending events.
	// A key may be named more than once. It stops with the error that visit returns.
	Find(ctx context.Context, visit func([]Head) error) error
	// Pending returns the key's first events with a Seq above after, pending and
	// parked, in order of Seq, at most limit: a prefix of one consistent view (one page), gap-free but for what
	// DispatcherOptions.SkipParked settled behind a parked event.
	Pending(ctx context.Context, key string, after int64, limit int) ([]Event, error)
	// Settle removes acknowledged events, pending or parked since. One that is already gone
	// is a success; what stands under its number in a container that was made anew is
	// another event, with another ID and Revision, and stays.
	Settle(ctx context.Context, key string, events []Event) error
	// Park takes the event out of the flow with its fault. It changes nothing
	// (and returns nil) unless the event is still pending at that Revision.
	Park(ctx context.Context, e Event, f Fault) error
}

// Publisher is the broker's port.
type Publisher interface {
	// Publish sends the events and returns one result for each, in the same order;
	// nil means that the broker has taken responsibility. Events of one Key go out
	// in the order given, and none is sent after an earlier one of its Key failed:
	// it gets ErrNotAttempted. So does an event that travelled in the same failed
	// batch as its predecessor; should it have arrived, its second copy is dropped.
	Publish(ctx context.Context, events []Event) []error
}
