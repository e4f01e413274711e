package parts

import (
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestUseOfCountsWork: busy time is counted, idle time is not.
func TestUseOfCountsWork(t *testing.T) {
	before, err := UseOf(os.Getpid())
	require.NoError(t, err)
	require.Positive(t, before.Peak)
	var worked time.Duration
	began := time.Now()
	for worked < 50*time.Millisecond && time.Since(began) < time.Minute {
		for until := time.Now().Add(20 * time.Millisecond); time.Now().Before(until); {
		}
		after, err := UseOf(os.Getpid())
		require.NoError(t, err)
		worked = after.Processor - before.Processor
	}
	require.GreaterOrEqual(t, worked, 50*time.Millisecond)
	require.Less(t, worked, time.Duration(runtime.NumCPU())*(time.Since(began)+time.Second))
}

func TestUseOfNobody(t *testing.T) {
	t.Parallel()
	_, err := UseOf(1 << 30)
	require.ErrorIs(t, err, os.ErrNotExist)
}
