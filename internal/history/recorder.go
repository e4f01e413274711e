package history

import (
	"maps"
	"slices"
	"sync"
)

// Recorder keeps the calls of many clients, by entity. The zero value works; all methods
// are safe for concurrent use.
type Recorder struct {
	mu    sync.Mutex // guards calls
	calls map[string][]Call
}

// Add notes a call that has ended.
func (r *Recorder) Add(key string, c Call) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.calls == nil {
		r.calls = map[string][]Call{}
	}
	r.calls[key] = append(r.calls[key], c)
}

// Keys are the entities that were called.
func (r *Recorder) Keys() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(maps.Keys(r.calls))
}

// Calls are the calls of an entity so far, by their start.
func (r *Recorder) Calls(key string) []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := slices.Clone(r.calls[key])
	slices.SortStableFunc(calls, func(a, b Call) int { return a.Start.Compare(b.Start) })
	return calls
}
