package cache

import (
	"context"
	"math"
	"time"

	"github.com/maypok86/otter/v2"
)

// overhead is what an entry weighs beside its data and its key.
const overhead = 512

// Memory keeps entries in this process, those that are read most. Nothing works behind its users'
// backs while nobody uses it.
type Memory struct {
	entries *otter.Cache[string, kept]
	life    time.Duration
}

// kept is an entry until it has been here for too long.
type kept struct {
	Entry
	until time.Time
}

// NewMemory returns a Memory of at most about that many bytes, which keeps an entry for life at most.
func NewMemory(bytes int, life time.Duration) *Memory {
	return &Memory{life: life, entries: otter.Must(&otter.Options[string, kept]{
		MaximumWeight: uint64(max(bytes, 1)),
		Weigher: func(key string, e kept) uint32 {
			return uint32(min(overhead+2*len(key)+len(e.Entity.Data), math.MaxUint32))
		},
	})}
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, key string) (Entry, bool, error) {
	e, ok := m.entries.GetIfPresent(key)
	return e.Entry, ok && time.Now().Before(e.until), nil
}

// Put implements Store.
func (m *Memory) Put(_ context.Context, e Entry) error {
	now := time.Now()
	m.entries.Compute(e.Entity.Key, func(old kept, found bool) (kept, otter.ComputeOp) {
		if found && now.Before(old.until) && Compare(old.Entry, e) >= 0 {
			return old, otter.CancelOp
		}
		return kept{Entry: e, until: now.Add(m.life)}, otter.WriteOp
	})
	return nil
}
