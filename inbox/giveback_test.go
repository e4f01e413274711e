package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
)

// TestGiveBackIsSlow: the deliveries of one message take a while, and not for ever.
func TestGiveBackIsSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g inbox.GiveBack
		begun := time.Now()
		took := map[int]time.Duration{}
		for n := range 100 {
			g.Pause(t.Context(), n+1)
			took[n+1] = time.Since(begun)
		}
		require.Equal(t, 20*time.Millisecond, took[1])
		require.Equal(t, 5260*time.Millisecond, took[10])
		require.Equal(t, 95260*time.Millisecond, took[100])
	})
}

// TestGiveBackKeepsFewCalls: a flood of bad messages does not keep the good ones waiting.
func TestGiveBackKeepsFewCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var g inbox.GiveBack
		for range 2 { // what has waited makes room
			var mu sync.Mutex
			waited, begun := 0, time.Now()
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					g.Pause(t.Context(), 50)
					if time.Since(begun) == time.Second {
						mu.Lock()
						waited++
						mu.Unlock()
					}
				})
			}
			all.Wait()
			require.Equal(t, 16, waited)
		}
	})
}

// TestGiveBackEndsWithItsCaller: the host is going down.
func TestGiveBackEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		begun := time.Now()
		var g inbox.GiveBack
		g.Pause(ctx, 50)
		require.Equal(t, time.Millisecond, time.Since(begun))
	})
}

// TestMayPass: what is refused never does, and what nobody knows does not either.
func TestMayPass(t *testing.T) {
	t.Parallel()
	away := &inbox.Transient{Op: "apply", Err: errors.New("away")}
	for _, err := range []error{away, inbox.ErrConflict, context.Canceled, context.DeadlineExceeded} {
		require.True(t, inbox.MayPass(fmt.Errorf("message: %w", err)), "%v", err)
	}
	for _, err := range []error{nil, errors.New("stored view: not JSON"), inbox.Refuse(inbox.BadKey, "none"), errors.Join(away, inbox.Refuse(inbox.BadKey, "none"))} {
		require.False(t, inbox.MayPass(err), "%v", err)
	}
}
