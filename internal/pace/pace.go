// Package pace is how long to wait between two tries, and the wait itself.
//
// It promises waits that double up to a bound, differ between those who wait together,
// and end with the context. It does not say what is worth another try: the loops do, by
// the class of the error, and each keeps its own end. It imports nothing of ours, so that
// every room may import it.
package pace

import (
	"context"
	"math/rand/v2"
	"time"
)

type sleeping struct{}

// With returns a context under which sleep does what Sleep would: an explorer of all
// orders decides who wakes up next. Nothing in production asks for it.
func With(ctx context.Context, sleep func(ctx context.Context, d time.Duration) error) context.Context {
	return context.WithValue(ctx, sleeping{}, sleep)
}

// Sleep returns nil after d, or the cause of ctx's end if that comes first.
func Sleep(ctx context.Context, d time.Duration) error {
	if sleep, ok := ctx.Value(sleeping{}).(func(context.Context, time.Duration) error); ok {
		return sleep(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Backoff doubles from First to Max. Its methods are pure but for the jitter; n is the
// number of the failure in a row, from 1. The zero value never waits.
type Backoff struct{ First, Max time.Duration }

// Ceiling is the wait after the nth failure without jitter, for who waits alone.
func (b Backoff) Ceiling(n int) time.Duration {
	d := b.First
	for ; n > 1 && d < b.Max; n-- {
		d *= 2
	}
	return min(d, b.Max)
}

// Wait is the wait for a service that is away: anything in the upper half below the
// ceiling, so that it grows for sure, and never shorter than the wish of the other side.
func (b Backoff) Wait(n int, wish time.Duration) time.Duration { return b.WaitBy(Jitter, n, wish) }

// WaitBy is Wait by another dice than Jitter, for runs that can be repeated.
func (b Backoff) WaitBy(jitter func(time.Duration) time.Duration, n int, wish time.Duration) time.Duration {
	half := b.Ceiling(n) / 2
	return max(wish, half+jitter(half))
}

// Spread is the pause of those who are in each other's way: anything below the ceiling,
// because they need to part, and the first one to come back finds nobody.
func (b Backoff) Spread(n int) time.Duration { return Jitter(b.Ceiling(n)) }

// Jitter draws from [0, d); 0 from nothing.
func Jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}
