// Package outboxdispatcher is the timer function behind the fast path: each tick
// sweeps the outbox until nothing is left or the time budget ends.
package outboxdispatcher

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/outbox"
)

// Sweeper is what the function needs of an outbox.Dispatcher.
type Sweeper interface {
	Sweep(ctx context.Context) (outbox.Report, error)
}

// New returns the function. A failed sweep is a failed invocation: the next tick
// carries on where it stopped.
func New(s Sweeper, log *slog.Logger) http.Handler {
	return azfunc.Handle(func(ctx context.Context, inv *azfunc.Invocation) (azfunc.Result, error) {
		timer, err := inv.Timer("timer")
		if err != nil {
			return azfunc.Result{}, err
		}
		r, err := s.Sweep(ctx)
		if err != nil {
			return azfunc.Result{}, fmt.Errorf("sweep the outbox: %w", err)
		}
		// Idle sweeps too: the alerts on the oldest event and on parked ones read this line, and
		// its absence means that nothing sweeps.
		log.InfoContext(ctx, "swept", "signal", "sweep", "oldestPendingSeconds", r.Oldest.Seconds(), "keys", r.Keys,
			"published", r.Settled, "parked", r.Parked, "blocked", r.Blocked, "standing", r.Standing, "held", r.Held, "invocation", inv.ID, "pastDue", timer.PastDue)
		if r.Keys == 0 {
			return azfunc.Result{}, nil
		}
		line := fmt.Sprintf("swept %d keys: %d events sent, %d parked, %d keys blocked", r.Keys, r.Settled, r.Parked, r.Blocked)
		return azfunc.Result{Logs: []string{line}}, nil
	})
}
