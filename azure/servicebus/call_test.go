package servicebus

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

// TestWhoHasLeftIsToldNothingMore: what the caller was told of its events stays, whatever
// becomes of the batch that was under way.
func TestWhoHasLeftIsToldNothingMore(t *testing.T) {
	t.Parallel()
	c := newCall(t.Context(), "events")
	for i, key := range []string{"a", "b", "b", "c", "a"} {
		c.add(&outbox.Event{Key: key, Seq: int64(i)}, i)
	}
	c.settle(0, nil)
	require.False(t, c.abandoned())
	cause := errors.New("too slow")
	c.leave(outbox.Timeout, cause)
	require.True(t, c.abandoned())
	for i := 1; i < 5; i++ {
		c.settle(i, nil)
	}
	<-c.done
	told := make([]error, 5)
	c.report(told)
	require.NoError(t, told[0])
	require.ErrorIs(t, told[1], cause)
	require.Equal(t, outbox.ErrNotAttempted, told[2], "its predecessor may not be there")
	require.ErrorIs(t, told[3], cause)
	require.ErrorIs(t, told[4], cause, "its predecessor is there")
}
