package replay

import (
	"context"
	"time"
)

// Store is the replay's port on the outbox's store.
type Store interface {
	// Entities returns a page of a kind's entities, from where the page before has ended, "" for
	// the first one. A page may be empty; the last one has no next. An entity that was there
	// before the first page was read, and is there when the last one was, is in one of them. So
	// is a tombstone, but for an empty one.
	Entities(ctx context.Context, kind, from string) (page []Found, next string, err error)
	// Backlog counts the pending events, of all kinds, and no more than most.
	Backlog(ctx context.Context, most int) (int, error)
	// Replay returns how far the replay of a kind for a subscription has come; one that was
	// never begun has no ID.
	Replay(ctx context.Context, kind, subscription string) (Run, error)
	// KeepReplay replaces it under its Revision, "" for the first, and returns the new one.
	// outbox.ErrConflict: somebody else has replaced it. Class Ambiguous: it may have been stored.
	KeepReplay(ctx context.Context, r Run) (revision string, err error)
}

// Found is an entity as a page has it.
type Found struct {
	Key string
	// Gone: it is a tombstone.
	Gone bool
	// Replay is the entity's: the last run that has told of it.
	Replay string
}

// Run is how far a replay has come.
type Run struct {
	// ID is drawn at the beginning; entities remember it.
	ID           string    `json:"id"`
	Kind         string    `json:"kind"`
	Subscription string    `json:"subscription"`
	Author       string    `json:"author"`
	Reason       string    `json:"reason,omitempty"`
	Began        time.Time `json:"began"`
	// At is when it was kept last, and Holder the process that did.
	At     time.Time `json:"at"`
	Holder string    `json:"holder"`
	// Next is where the entities go on.
	Next string `json:"next,omitempty"`
	Done bool   `json:"done"`
	Counts
	// Charge is what it took, in request units, of the process that runs it.
	Charge float64 `json:"requestUnits"`
	// Revision is the store's concurrency token; "" means that nothing is stored.
	Revision string `json:"-"`
}

// Counts are what became of the entities that were looked at.
type Counts struct {
	Entities  int `json:"entities"`
	Snapshots int `json:"snapshots"`
	// Gone are the snapshots that say that an entity is deleted.
	Gone int `json:"deleted"`
	// Known had theirs when the run went on after an interruption.
	Known int `json:"known"`
	// Failed are those whose snapshot can never be sent.
	Failed int `json:"failed"`
}

// plus adds.
func (c Counts) plus(o Counts) Counts {
	return Counts{
		Entities: c.Entities + o.Entities, Snapshots: c.Snapshots + o.Snapshots, Gone: c.Gone + o.Gone,
		Known: c.Known + o.Known, Failed: c.Failed + o.Failed,
	}
}
