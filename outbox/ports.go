package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Entity is the stored entity with what the protocol keeps beside its data. One of Version 0
// with a Revision is an empty tombstone: it stands where an answer had to be committed and
// nothing was ever written, and stores let it expire.
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
	// Batch names the commit that stored the entity, also one that changed nothing: a writer
	// whose commit's answer was lost knows its own by that.
	Batch string
	// Replay names the last replay that has told of the entity, see Decision.
	Replay string
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
	// Batch is the Entity's of the commit that created the receipt.
	Batch  string
	Answer Answer
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
	// Entity is written under its Revision: "" creates, anything else replaces exactly that
	// revision. It is part of every batch, with its old content when nothing changes:
	// replaced, it keeps every other batch that was made against it from being stored, and a
	// batch of receipts only could not be kept out in that way.
	Entity Entity
	// Events are created as pending.
	Events []Event
	// Receipts are created, never replaced.
	Receipts []Receipt
}

// Revisions are the concurrency tokens of what a Commit has stored.
type Revisions struct {
	Entity string
	// Events has one for each of the events, in their order.
	Events []string
}

// of returns the events with their revisions, none where they are not known.
func (r Revisions) of(events []Event) []Event {
	if len(r.Events) != len(events) {
		return nil
	}
	all := slices.Clone(events)
	for i := range all {
		all[i].Revision = r.Events[i]
		all[i].Content = nil // they may wait in memory, and the envelope has it
	}
	return all
}

// Store is the write side's port. Its implementations translate their store's
// faults into the classes of Error; they retry what is safe to retry and nothing else.
type Store interface {
	// Load reads the entity. A missing one is the zero Entity with its Key. What it shows may
	// be old: a replica lags, or another process has just written.
	Load(ctx context.Context, key string) (Entity, error)
	// Receipt reads a receipt, nil when there is none, or none yet at a lagging replica.
	Receipt(ctx context.Context, key, id string) (*Receipt, error)
	// Barrier returns when every read of key that this process begins afterwards shows at
	// least what had been stored when Barrier was called, by anybody.
	Barrier(ctx context.Context, key string) error
	// Commit stores the batch atomically and returns the new revisions. ErrConflict:
	// the entity or an event moved on. *ReceiptExistsError: a receipt is there already; it
	// is told before a conflict. Class Ambiguous: the batch may have been stored, or may yet
	// be, and that includes a refusal after a try that may have been. Any other error means
	// that it was not and will not be.
	Commit(ctx context.Context, c Commit) (Revisions, error)
	// Place tells in which container the key is stored, by what the store says about the
	// container. It may be asked for each new entity, so it should be remembered, and
	// asked again when an answer hints at another container under the same name.
	Place(ctx context.Context, key string) (Place, error)
}

// Queue is the dispatcher's port on the same store.
type Queue interface {
	// Find visits, page by page and in no order, the keys that have pending events, each with
	// its oldest one as far as it was read. A key may be named more than once, and a page that
	// shows nothing new is empty. It stops with the error that visit returns.
	Find(ctx context.Context, visit func([]Head) error) error
	// Parked visits all parked events in the same way, each with the time when it is due.
	Parked(ctx context.Context, visit func([]Head) error) error
	// Pending returns the key's first events with a Seq above after, pending and
	// parked, in order of Seq, at most limit: a prefix of one consistent view (one page), gap-free but for what
	// was settled behind a skipped event.
	Pending(ctx context.Context, key string, after int64, limit int) ([]Event, error)
	// Settle removes acknowledged events, pending or parked since. One that is already gone
	// is a success; what stands under its number in a container that was made anew is
	// another event, with another ID and Revision, and stays. A marker that has taken an event's
	// place meanwhile may stay or go: the event was sent.
	Settle(ctx context.Context, key string, events []Event) error
	// Park takes the event out of the flow with its fault, or renews the fault of one that
	// is parked. ErrConflict: it changed nothing, because the event is not stored at that
	// Revision any more. After a lost answer that may be its own doing.
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

// publish takes what p has no result for as a failure that nobody knows the outcome of.
func publish(ctx context.Context, p Publisher, events []Event) []error {
	results := p.Publish(ctx, events)
	for i := len(results); i < len(events); i++ {
		results = append(results, &Error{Class: Ambiguous, Op: fmt.Sprintf("publish event %d of %q", events[i].Seq, events[i].Key), Err: errNoResult})
	}
	return results[:len(events)]
}

var errNoResult = errors.New("the publisher has no result for it")
