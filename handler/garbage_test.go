package main

import (
	"runtime"
	"runtime/metrics"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFloor runs alone: the heap is the process's.
func TestFloor(t *testing.T) {
	goal := func(environment map[string]string) uint64 {
		floor = nil
		layFloor(environment)
		runtime.GC()
		sample := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	t.Cleanup(func() { floor = nil })
	require.Greater(t, goal(nil), uint64(2*floorSize))
	require.Less(t, goal(map[string]string{"GOGC": "100"}), uint64(2*floorSize))
	require.Less(t, goal(map[string]string{"GOMEMLIMIT": "100MiB"}), uint64(2*floorSize))
}
