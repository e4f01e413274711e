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
	probe    bool      // one key that was not refused may pass while it is shut
	notify   Observer
	jitter   func(time.Duration) time.Duration
}

// shut closes the gate after a failure, for wish if the other side named a time,
// else for a pause that doubles with jitter. Failures that arrive while it is shut
// come from sends of the same moment and don't lengthen it.
//
// While it is shut because everything is refused, one key that was not refused may pass:
// should it be the messages after all, whoever is in order doesn't wait for them.
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
	pause := gatePause.WaitBy(g.jitter, g.failures, 0)
	if wish > 0 {
		pause = wish
	}
	g.until = now.Add(pause)
	g.probe = ClassOf(err).Permanent()
	g.mu.Unlock()
	g.notify.tell(Paused{For: pause, Err: err})
}

// open notes a success: the next failure starts with a short pause again. It says whether
// there was a pause.
func (g *gate) open() bool {
	g.mu.Lock()
	since := g.since
	g.since, g.until, g.failures = time.Time{}, time.Time{}, 0
	g.mu.Unlock()
	if since.IsZero() {
		return false
	}
	g.notify.tell(Resumed{After: time.Since(since)})
	return true
}

// closed says how long the gate stays shut; 0 when it is open.
func (g *gate) closed() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(0, time.Until(g.until))
}

// doubted says whether the last that is known of the destination is a failure.
func (g *gate) doubted() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.since.IsZero()
}

// barred says whether nobody may pass: it is shut, and the one that may has passed.
func (g *gate) barred() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.probe && time.Now().Before(g.until)
}

// pass says how long it is to the next try; 0 for now. clean: the key was not refused.
func (g *gate) pass(clean bool) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if clean && g.probe {
		g.probe = false
		return 0
	}
	return max(0, time.Until(g.until))
}

// wait returns when the gate lets a key pass, or with errPaused when that would be later
// than deadline.
func (g *gate) wait(ctx context.Context, clean bool, deadline time.Time) error {
	for {
		d := g.pass(clean)
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
