package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Model is the read model of one key, with what the protocol keeps beside its data.
type Model struct {
	Key string
	// LastSeq is the number up to which events were applied or given up. It is the memory of
	// what was applied, and never expires.
	LastSeq int64
	// Incarnation is the life that LastSeq belongs to.
	Incarnation Incarnation
	// Gaps counts the events that were given up, and Missed are the last ones of this
	// incarnation.
	Gaps   int64
	Missed Numbers
	// Early are the events that are stored beside the model, because one before them is
	// missing.
	Early Numbers
	// Gone are events that were refused on their last delivery: those behind them do not wait for
	// them. Until one of those is applied, they can still come. Losing the list costs a wait.
	Gone Numbers
	Data json.RawMessage
	// Revision is the store's concurrency token; "" means that nothing is stored.
	Revision string
}

// Early is an event that is stored beside its model until its predecessor has come.
type Early struct {
	Event Event
	// Since is when it came, by the clock of whoever stored it.
	Since time.Time
}

// Refused is an early event that cannot be applied. It stays where it is, for people.
type Refused struct {
	Early
	Reason string
}

// Change is what happens to a key in one atomic batch.
type Change struct {
	// Model is what it becomes; its Revision is the one that the change is made against.
	Model Model
	// Add is stored beside it. Remove and Refuse are there.
	Add, Remove []Early
	Refuse      []Refused
}

// Operations is how many documents the batch touches.
func (c *Change) Operations() int { return 1 + len(c.Add) + len(c.Remove) + len(c.Refuse) }

// Store is the consumer's port. Reads of a Store must be at least as new as what it has
// shown or written before, of the same key.
type Store interface {
	// Load reads the key's model. A missing one is the zero Model with its Key.
	Load(ctx context.Context, key string) (Model, error)
	// Commit stores the change under the model's Revision, all of it or nothing, and returns
	// the model's new Revision. ErrConflict: the model moved on.
	Commit(ctx context.Context, c Change) (revision string, err error)
	// Early reads early events of the key, the lowest numbers first, whatever the model
	// says; at most limit.
	Early(ctx context.Context, key string, limit int) ([]Early, error)
	// Waiting visits keys that have early events from before a moment. It may visit one
	// more than once.
	Waiting(ctx context.Context, before time.Time, visit func(keys []string) error) error
}

// ErrConflict: another consumer changed the model. Load again and decide again.
var ErrConflict = errors.New("the read model was changed by another consumer")

// Transient is a store fault that goes away by itself: throttling, outage, timeout,
// lost authorisation. The consumer holds the event and tries again. Repeating Commit
// after one is always safe, because the revision tells whether it was carried out.
type Transient struct {
	// RetryAfter is the store's own wish; 0 when it named none.
	RetryAfter time.Duration
	// Op names the operation and its key: `apply events to "p-1"`.
	Op  string
	Err error
}

// Error names the operation and its fault.
func (t *Transient) Error() string { return fmt.Sprintf("%s: %v", t.Op, t.Err) }

// Unwrap returns Err.
func (t *Transient) Unwrap() error { return t.Err }
