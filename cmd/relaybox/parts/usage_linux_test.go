package parts

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestUseOfCountsWork: busy time is counted, idle time is not.
func TestUseOfCountsWork(t *testing.T) {
	before, err := UseOf(os.Getpid())
	require.NoError(t, err)
	require.Positive(t, before.Peak)
	sum := 0
	for until := time.Now().Add(300 * time.Millisecond); time.Now().Before(until); {
		sum++
	}
	require.Positive(t, sum)
	after, err := UseOf(os.Getpid())
	require.NoError(t, err)
	worked := after.Processor - before.Processor
	require.Greater(t, worked, 20*time.Millisecond, "on the busiest machine it had some of it")
	require.Less(t, worked, 10*time.Second)
}

func TestUseOfNobody(t *testing.T) {
	t.Parallel()
	_, err := UseOf(1 << 30)
	require.ErrorIs(t, err, os.ErrNotExist)
}
