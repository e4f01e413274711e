package outbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// errPaused ends a drain whose destination is paused.
var errPaused = errors.New("the destination is paused")

// gatePause is how long the gate stays shut when the other side named no time.
var gatePause = pace.Backoff{First: 100 * time.Millisecond, Max: 15 * time.Second}

// gate is the pause of one destination. All drains of a process share it, so that
// one failure spares the others theirs.
type gate struct {
	mu       sync.Mutex
	until    time.Time // closed before this
	since    time.Time // first failure of this pause; zero while all is well
	failures int       // times it was shut since then, for the backoff
	notify   Observer
}

// shut closes the gate after a failure, for wish if the other side named a time,
// else for a pause that doubles with jitter. Failures that arrive while it is shut
// come from sends of the same moment and don't lengthen it.
func (g *gate) shut(wish time.Duration, err error) {
	g.mu.Lock()
	now := time.Now()
	if now.Before(g.until) {
		g.mu.Unlock()
		return
	}
	if g.since.IsZero() {
		g.since = now
	}
	g.failures++
	pause := gatePause.Wait(g.failures, 0)
	if wish > 0 {
		pause = wish
	}
	g.until = now.Add(pause)
	g.mu.Unlock()
	g.notify.tell(Paused{For: pause, Err: err})
}

// open notes a success: the next failure starts with a short pause again.
func (g *gate) open() {
	g.mu.Lock()
	since := g.since
	g.since, g.until, g.failures = time.Time{}, time.Time{}, 0
	g.mu.Unlock()
	if !since.IsZero() {
		g.notify.tell(Resumed{After: time.Since(since)})
	}
}

// closed says how long the gate stays shut; 0 when it is open.
func (g *gate) closed() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(0, time.Until(g.until))
}

// wait returns when the gate is open, or with errPaused when that would be later
// than deadline.
func (g *gate) wait(ctx context.Context, deadline time.Time) error {
	for {
		d := g.closed()
		if d == 0 {
			return ctx.Err()
		}
		if time.Now().Add(d).After(deadline) {
			return errPaused
		}
		if err := pace.Sleep(ctx, d); err != nil {
			return err
		}
	}
}
