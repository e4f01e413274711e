package heap

import (
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFloor runs alone: the heap is the process's.
func TestFloor(t *testing.T) {
	const size = 16 << 20
	rise := func(environment map[string]string) int64 {
		goal := func() int64 {
			runtime.GC()
			sample := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
			metrics.Read(sample)
			return int64(sample[0].Value.Uint64())
		}
		before := goal()
		floor := Floor(size, environment)
		after := goal()
		runtime.KeepAlive(floor)
		return after - before
	}
	require.Greater(t, rise(nil), int64(size))
	require.Less(t, rise(map[string]string{"GOGC": "100"}), int64(size))
	require.Less(t, rise(map[string]string{"GOMEMLIMIT": "100MiB"}), int64(size))
}
