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
	// LastSeq is the Seq of the newest event applied; 0 means that none ever was.
	LastSeq int64
	// Incarnation is the life that LastSeq belongs to.
	Incarnation Incarnation
	// Gaps counts the events that the snapshot policy had to jump over.
	Gaps int64
	Data json.RawMessage
	// Revision is the store's concurrency token; "" means that nothing is stored.
	Revision string
}

// Store is the consumer's port.
type Store interface {
	// Load reads the key's model and tells whether the event's receipt exists.
	// A missing model is the zero Model with its Key.
	Load(ctx context.Context, key, eventID string) (m Model, seen bool, err error)
	// Apply stores the model under its Revision and the event's receipt in one atomic
	// batch. ErrDuplicate: the receipt exists. ErrConflict: the model moved on.
	Apply(ctx context.Context, m Model, eventID string) error
}

// Sentinels of Apply.
var (
	// ErrDuplicate: the event was applied before; there is nothing left to do.
	ErrDuplicate = errors.New("the event was applied before")
	// ErrConflict: another consumer changed the model. Load again and decide again.
	ErrConflict = errors.New("the read model was changed by another consumer")
)

// Transient is a store fault that goes away by itself: throttling, outage, timeout,
// lost authorisation. The consumer holds the event and tries again. Repeating Apply
// after one is always safe, because the receipt tells whether it was applied.
type Transient struct {
	// RetryAfter is the store's own wish; 0 when it named none.
	RetryAfter time.Duration
	// Op names the operation and its key: `apply event "…" to "p-1"`.
	Op  string
	Err error
}

// Error names the operation and its fault.
func (t *Transient) Error() string { return fmt.Sprintf("%s: %v", t.Op, t.Err) }

// Unwrap returns Err.
func (t *Transient) Unwrap() error { return t.Err }
