package bench

import (
	"slices"
	"sync"
	"time"
)

// durations are gathered by several.
type durations struct {
	mu   sync.Mutex // guards list
	list []time.Duration
}

func (d *durations) add(one time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, one)
}

// firstFault does something that may fail at several places at the same time, and returns
// the first fault.
func firstFault(do func(fail func(error))) error {
	var once sync.Once
	var first error
	do(func(err error) {
		if err != nil {
			once.Do(func() { first = err })
		}
	})
	return first
}

// distinct keys, in order.
func distinct(keys []string) []string { return slices.Compact(slices.Sorted(slices.Values(keys))) }
