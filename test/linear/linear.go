// Package linear finds work that grows faster than what it is given.
package linear

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// Times is how much more is tried.
	Times = 16
	// room is for caches, for the collector, for a logarithm, and for who shares the processor's core: work that grows
	// with the square takes Times as much again.
	room = 5
	// least is what cannot be measured.
	least = time.Millisecond
)

// Check has work done with a size and with sixteen times as much, and fails when that takes much more than sixteen times as
// long. The time is what this thread had of a processor, which a busy machine hardly changes; so work must not start
// goroutines. prepare's own time is not counted.
func Check(t testing.TB, name string, size int, prepare func(size int) (work func())) {
	t.Helper()
	small, large := Took(prepare(size)), Took(prepare(Times*size))
	t.Logf("%.100s: %v for %d, %v for %d", name, small, size, large, Times*size)
	require.LessOrEqual(t, large, room*Times*max(small, least), name)
}

// Took is how long this thread had a processor for some work: the shortest of three times.
func Took(work func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	took := time.Duration(1<<63 - 1)
	for range 3 {
		runtime.GC()
		before := processor()
		work()
		took = min(took, processor()-before)
	}
	return took
}
