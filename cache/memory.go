package cache

import (
	"context"
	"math"
	"time"

	"github.com/maypok86/otter/v2"
)

// overhead is what an entry weighs beside its data and its key.
const overhead = 512

// Memory keeps entries in this process, those that are read most.
type Memory struct{ entries *otter.Cache[string, Entry] }

// NewMemory returns a Memory of at most about that many bytes, which drops an entry when it was there
// for life.
func NewMemory(bytes int, life time.Duration) *Memory {
	return &Memory{otter.Must(&otter.Options[string, Entry]{
		MaximumWeight: uint64(max(bytes, 1)),
		Weigher: func(key string, e Entry) uint32 {
			return uint32(min(overhead+2*len(key)+len(e.Entity.Data), math.MaxUint32))
		},
		ExpiryCalculator: otter.ExpiryWriting[string, Entry](life),
	})}
}

// Get implements Store.
func (m *Memory) Get(_ context.Context, key string) (Entry, bool, error) {
	e, ok := m.entries.GetIfPresent(key)
	return e, ok, nil
}

// Put implements Store.
func (m *Memory) Put(_ context.Context, e Entry) error {
	m.entries.Compute(e.Entity.Key, func(old Entry, found bool) (Entry, otter.ComputeOp) {
		if found && Compare(old, e) >= 0 {
			return old, otter.CancelOp
		}
		return e, otter.WriteOp
	})
	return nil
}

// Close ends what works behind its users' backs.
func (m *Memory) Close() { m.entries.StopAllGoroutines() }
