package pace

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	gate := Backoff{First: 100 * time.Millisecond, Max: 15 * time.Second}
	for name, row := range map[string]struct {
		backoff Backoff
		n       int
		ceiling time.Duration
	}{
		"first":          {gate, 1, 100 * time.Millisecond},
		"second":         {gate, 2, 200 * time.Millisecond},
		"last below max": {gate, 8, 12800 * time.Millisecond},
		"max":            {gate, 9, 15 * time.Second},
		"long after":     {gate, math.MaxInt, 15 * time.Second},
		"no failure yet": {gate, 0, 100 * time.Millisecond},
		"constant":       {Backoff{First: time.Second, Max: time.Second}, 5, time.Second},
		"first over max": {Backoff{First: time.Second, Max: time.Millisecond}, 1, time.Millisecond},
		"odd":            {Backoff{First: 1, Max: 3}, 3, 3},
		"one nanosecond": {Backoff{First: 1, Max: 1}, 1, 1},
		"zero":           {Backoff{}, 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, row.ceiling, row.backoff.Ceiling(row.n))
			for range 200 {
				wait := row.backoff.Wait(row.n, 0)
				require.GreaterOrEqual(t, wait, row.ceiling/2)
				require.LessOrEqual(t, wait, row.ceiling)
				spread := row.backoff.Spread(row.n)
				require.GreaterOrEqual(t, spread, time.Duration(0))
				require.LessOrEqual(t, spread, row.ceiling)
			}
		})
	}
}

func TestJitterDiffers(t *testing.T) {
	t.Parallel()
	b := Backoff{First: time.Hour, Max: time.Hour}
	waits, spreads := map[time.Duration]bool{}, map[time.Duration]bool{}
	early := false
	for range 200 {
		spread := b.Spread(1)
		waits[b.Wait(1, 0)], spreads[spread] = true, true
		early = early || spread < time.Hour/2
	}
	require.Greater(t, len(waits), 100)
	require.Greater(t, len(spreads), 100)
	require.True(t, early, "a spread uses the lower half, too")
}

func TestWaitIsNeverShorterThanTheWish(t *testing.T) {
	t.Parallel()
	b := Backoff{First: 20 * time.Millisecond, Max: 5 * time.Second}
	require.Equal(t, time.Minute, b.Wait(1, time.Minute))
	require.GreaterOrEqual(t, b.Wait(20, time.Millisecond), 2500*time.Millisecond, "a short wish takes nothing off")
}

var errOver = errors.New("the budget is used up")

func TestSleep(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		d     time.Duration
		ended bool          // before the sleep
		limit time.Duration // of the context; 0: none
		took  time.Duration
		err   error
	}{
		"to the end":      {d: time.Minute, took: time.Minute},
		"in time":         {d: time.Minute, limit: time.Hour, took: time.Minute},
		"cut":             {d: time.Hour, limit: time.Minute, took: time.Minute, err: errOver},
		"over beforehand": {d: time.Hour, ended: true, err: errOver},
		"nothing":         {},
		"in the past":     {d: -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancelCause(t.Context())
				defer end(nil)
				if row.ended {
					end(errOver)
				}
				if row.limit > 0 {
					time.AfterFunc(row.limit, func() { end(errOver) })
				}
				began := time.Now()
				require.ErrorIs(t, Sleep(ctx, row.d), row.err)
				require.Equal(t, row.took, time.Since(began))
			})
		})
	}
}

func TestSleepIsWithsIfThereIsOne(t *testing.T) {
	t.Parallel()
	var asked []time.Duration
	ctx := With(t.Context(), func(_ context.Context, d time.Duration) error {
		asked = append(asked, d)
		return errOver
	})
	within, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	require.ErrorIs(t, Sleep(within, time.Hour), errOver)
	require.Equal(t, []time.Duration{time.Hour}, asked)
}
