package timer

import (
	"context"
	"log/slog"
	"time"

	"github.com/relaybox/relaybox/azfunc"
)

// Config is what function.json says of a timer.
type Config struct {
	Schedule     Schedule
	Text         string // the schedule with its settings filled in
	Monitor      bool   // keep the status and catch up
	RunOnStartup bool
}

// Listener fires one timer function. Runs never overlap; the next one is
// computed from the start of the last; occurrences missed during a run become
// one run right after it (reference §4.3).
type Listener struct {
	Name   string
	Config Config
	Status *Store
	Log    *slog.Logger
	Fire   func(azfunc.Timer) // returns when the run is over
}

// Loop runs until ctx ends; a run in progress is finished first.
func (t *Listener) Loop(ctx context.Context) {
	status, pastDue := t.begin(time.Now().UTC())
	if pastDue || t.Config.RunOnStartup {
		status = t.run(time.Now().UTC(), status, pastDue, true)
	}
	for t.sleep(ctx, status.Next) {
		status = t.run(time.Now().UTC(), status, false, false)
	}
}

// begin loads the status and tells whether an occurrence has been missed. A
// schedule that has changed since starts afresh.
func (t *Listener) begin(now time.Time) (Status, bool) {
	fresh := Status{Next: t.Config.Schedule.Next(now), LastUpdated: now}
	if !t.Config.Monitor {
		return fresh, false
	}
	stored, ok := t.Status.Get(t.Name)
	if !ok {
		t.save(fresh)
		return fresh, false
	}
	basis := stored.Last
	if basis.IsZero() {
		basis = stored.LastUpdated
	}
	if expected := t.Config.Schedule.Next(basis); !expected.Equal(stored.Next) {
		if now.After(expected) {
			expected, basis = t.Config.Schedule.Next(now), now
		}
		stored = Status{Next: expected, LastUpdated: basis}
		t.save(stored)
	}
	return stored, !stored.Next.IsZero() && now.After(stored.Next)
}

// run fires once and computes what comes next.
func (t *Listener) run(now time.Time, status Status, pastDue, unscheduled bool) Status {
	t.Fire(Data(t.Config, status, pastDue))
	if !unscheduled && status.Next.After(now) {
		now = status.Next // fired a moment early
	}
	status = Status{Last: now, Next: t.Config.Schedule.Next(now), LastUpdated: now}
	if t.Config.Monitor {
		t.save(status)
	}
	return status
}

// Data is what the function gets to see.
func Data(c Config, status Status, pastDue bool) azfunc.Timer {
	_, constant := c.Schedule.(Every)
	data := azfunc.Timer{PastDue: pastDue, AdjustForDST: !constant}
	if c.Monitor {
		data.Status = (*azfunc.ScheduleStatus)(&status)
	}
	return data
}

func (t *Listener) save(status Status) {
	if err := t.Status.put(t.Name, status); err != nil {
		t.Log.Warn("timer status", "function", t.Name, "error", err)
	}
}

// sleep waits for a moment; false when ctx ended first. The zero time never
// comes.
func (t *Listener) sleep(ctx context.Context, until time.Time) bool {
	if until.IsZero() {
		<-ctx.Done()
		return false
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
		}
		rest := time.Until(until)
		if rest <= 0 {
			return ctx.Err() == nil
		}
		timer.Reset(rest)
	}
}
