// Package inboxsweeper is the timer function behind ConsumeEvent, and behind other consumers whose
// policy waits: each tick ends the wait of early events whose predecessor has not come.
package inboxsweeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/inbox"
)

// Sweeper is what the function needs of an inbox.Inbox.
type Sweeper interface {
	Sweep(ctx context.Context) (inbox.Swept, error)
}

// New returns the function. A failed sweep is a failed invocation: the next tick carries on.
func New(log *slog.Logger, inboxes ...Sweeper) http.Handler {
	return azfunc.Handle(func(ctx context.Context, inv *azfunc.Invocation) (azfunc.Result, error) {
		timer, err := inv.Timer("timer")
		if err != nil {
			return azfunc.Result{}, err
		}
		swept, err := sweep(ctx, inboxes)
		// Idle sweeps too, and those that one key failed: its absence means that nothing sweeps.
		log.InfoContext(ctx, "swept the inbox", "signal", "inbox-sweep", "keys", swept.Keys, "blocked", swept.Blocked, "patient", swept.Patient,
			"invocation", inv.ID, "pastDue", timer.PastDue, "failed", err != nil)
		if err != nil {
			return azfunc.Result{}, fmt.Errorf("sweep the inbox: %w", err)
		}
		return azfunc.Result{}, nil
	})
}

// sweep sweeps one after the other, and goes on behind one that fails.
func sweep(ctx context.Context, inboxes []Sweeper) (inbox.Swept, error) {
	var all inbox.Swept
	var faults []error
	for _, in := range inboxes {
		swept, err := in.Sweep(ctx)
		all.Keys += swept.Keys
		all.Blocked += swept.Blocked
		all.Patient = all.Patient || swept.Patient
		faults = append(faults, err)
	}
	return all, errors.Join(faults...)
}
