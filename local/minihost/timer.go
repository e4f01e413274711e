package minihost

import (
	"context"
	"log/slog"
	"time"

	"github.com/relaybox/relaybox/azfunc"
)

// timerListener fires one timer function. Runs never overlap; the next one is
// computed from the start of the last; occurrences missed during a run become
// one run right after it (reference §4.3).
type timerListener struct {
	name   string
	config timerConfig
	status *statusStore
	log    *slog.Logger
	fire   func(azfunc.Timer) // returns when the run is over
}

// loop runs until ctx ends; a run in progress is finished first.
func (t *timerListener) loop(ctx context.Context) {
	status, pastDue := t.begin(time.Now().UTC())
	if pastDue || t.config.runOnStartup {
		status = t.run(time.Now().UTC(), status, pastDue, true)
	}
	for t.sleep(ctx, status.Next) {
		status = t.run(time.Now().UTC(), status, false, false)
	}
}

// begin loads the status and tells whether an occurrence has been missed. A
// schedule that has changed since starts afresh.
func (t *timerListener) begin(now time.Time) (scheduleStatus, bool) {
	fresh := scheduleStatus{Next: t.config.schedule.Next(now), LastUpdated: now}
	if !t.config.monitor {
		return fresh, false
	}
	stored, ok := t.status.get(t.name)
	if !ok {
		t.save(fresh)
		return fresh, false
	}
	basis := stored.Last
	if basis.IsZero() {
		basis = stored.LastUpdated
	}
	if expected := t.config.schedule.Next(basis); !expected.Equal(stored.Next) {
		if now.After(expected) {
			expected, basis = t.config.schedule.Next(now), now
		}
		stored = scheduleStatus{Next: expected, LastUpdated: basis}
		t.save(stored)
	}
	return stored, !stored.Next.IsZero() && now.After(stored.Next)
}

// run fires once and computes what comes next.
func (t *timerListener) run(now time.Time, status scheduleStatus, pastDue, unscheduled bool) scheduleStatus {
	t.fire(timerData(t.config, status, pastDue))
	if !unscheduled && status.Next.After(now) {
		now = status.Next // fired a moment early
	}
	status = scheduleStatus{Last: now, Next: t.config.schedule.Next(now), LastUpdated: now}
	if t.config.monitor {
		t.save(status)
	}
	return status
}

// timerData is what the function gets to see.
func timerData(c timerConfig, status scheduleStatus, pastDue bool) azfunc.Timer {
	_, constant := c.schedule.(every)
	data := azfunc.Timer{PastDue: pastDue, AdjustForDST: !constant}
	if c.monitor {
		data.Status = (*azfunc.ScheduleStatus)(&status)
	}
	return data
}

func (t *timerListener) save(status scheduleStatus) {
	if err := t.status.put(t.name, status); err != nil {
		t.log.Warn("timer status", "function", t.name, "error", err)
	}
}

// sleep waits for a moment; false when ctx ended first. The zero time never
// comes.
func (t *timerListener) sleep(ctx context.Context, until time.Time) bool {
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

// fireTimer runs a timer function, again after a failure if it has a retry
// policy.
func (h *run) fireTimer(ctx context.Context, f *function, data azfunc.Timer) {
	for attempt := 0; ; attempt++ {
		c := h.call(f)
		if attempt > 0 {
			c.Retry = &azfunc.RetryContext{RetryCount: attempt, MaxRetryCount: f.retry.max}
		}
		_, err := h.invoke(ctx, f, azfunc.EncodeTimer(c, data, nil))
		if err == nil || (f.retry.max >= 0 && attempt >= f.retry.max) {
			return
		}
		select {
		case <-time.After(f.retry.delay(attempt)):
		case <-ctx.Done():
			return
		}
	}
}
