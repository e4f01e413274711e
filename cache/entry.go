package cache

import (
	"cmp"
	"context"
	"time"

	"github.com/relaybox/relaybox/outbox"
)

// Entry is an entity as a read has shown it. One that was deleted is kept as well, so that an older
// version does not come back.
type Entry struct {
	Entity outbox.Entity
	// At is when the read began.
	At time.Time
}

// Store keeps entries under the keys of their entities, in this process or elsewhere. It may forget
// any of them at any time. Safe for use by many goroutines.
type Store interface {
	// Get returns the entry of key; false: there is none.
	Get(ctx context.Context, key string) (Entry, bool, error)
	// Put keeps e, unless the entry that is there is newer, in one step.
	Put(ctx context.Context, e Entry) error
}

// Compare orders the entries of one key: by the life of the entity, by its version, by the time of
// the read.
func Compare(a, b Entry) int {
	x, y := a.Entity.Incarnation, b.Entity.Incarnation
	return cmp.Or(x.Since.Compare(y.Since), x.Drawn.Compare(y.Drawn), cmp.Compare(a.Entity.Version, b.Entity.Version), a.At.Compare(b.At))
}

// readable is what readers need of an entity: nothing that a write could be made against.
func readable(e outbox.Entity) outbox.Entity {
	e.Revision, e.Batch, e.Place, e.Moved = "", "", "", false
	return e
}
