package inbox_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
)

// TestHowLongItIsHeld by default, and that no event waits in memory for more than half of it.
func TestHowLongItIsHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		_, err := inbox.New(&inboxtest.MemStore{Before: failing("load")}, list, inbox.Options{}).Once(t.Context(), event(7))
		require.ErrorIs(t, err, away)
		require.InDelta(t, 4*time.Minute, time.Since(begun), float64(6*time.Second))

		begun = time.Now()
		expect(t, inbox.New(&inboxtest.MemStore{}, list, inbox.Options{Hold: time.Second, Wait: time.Minute}), one(2), inbox.Stored)
		require.Equal(t, 500*time.Millisecond, time.Since(begun))
	})
}

// TestALaterLifeLeavesTimeToTheEarlierOne, whose last events may be on their way.
func TestALaterLifeLeavesTimeToTheEarlierOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := inbox.New(&inboxtest.MemStore{}, list, inbox.Options{})
		expect(t, in, one(1), inbox.Applied)
		begun := time.Now()
		expect(t, in, of("b", 4, 2, 4), inbox.Applied)
		require.Equal(t, time.Second, time.Since(begun))
	})
}

// TestAStoreThatHangsAfterAFault: the caller is told of the fault, not that its time is over.
func TestAStoreThatHangsAfterAFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		first := true
		s := &inboxtest.MemStore{Before: func(ctx context.Context, _ string) error {
			if first {
				first = false
				return away
			}
			<-ctx.Done()
			return ctx.Err()
		}}
		begun := time.Now()
		_, err := inbox.New(s, list, inbox.Options{Hold: time.Minute}).Once(t.Context(), one(1))
		require.Equal(t, away, err)
		require.Equal(t, time.Minute, time.Since(begun))
	})
}

// TestWhoHasNoTimeLeft may be gone before its key's work has begun.
func TestWhoHasNoTimeLeft(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in := inbox.New(&inboxtest.MemStore{}, list, inbox.Options{})
	for range 100 {
		if _, err := in.Once(ctx, one(1)); err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
	}
}

// TestNothingIsKept of models if the options say so: each is read before it is written.
func TestNothingIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, asked := counted()
		in := inbox.New(s, list, inbox.Options{CacheBytes: -1})
		expect(t, in, one(1), inbox.Applied)
		synctest.Wait()
		asked()
		expect(t, in, one(2), inbox.Applied)
		require.Equal(t, "load commit", asked())
	})
}
