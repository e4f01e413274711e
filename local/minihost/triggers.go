package minihost

import (
	"context"
	"sync"
	"time"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/local/minihost/internal/timer"
)

// startTriggers starts the listeners of all sound, enabled functions. accept
// ends when no new work may be taken, calls when running work is cut.
func (h *run) startTriggers(accept, calls context.Context, all *sync.WaitGroup) {
	for _, f := range h.functions {
		if len(f.Errors) > 0 || f.Disabled {
			continue
		}
		switch f.Trigger {
		case TimerTrigger:
			t := &timer.Listener{Name: f.Name, Config: f.timer, Status: h.status, Log: h.log,
				Fire: func(t azfunc.Timer) { h.fireTimer(calls, f, t) }}
			all.Go(func() { t.Loop(accept) })
		case ServiceBusTrigger:
			all.Go(func() { h.listenBus(accept, calls, f) })
		}
	}
}

// fireTimer runs a timer function, again after a failure if it has a retry
// policy.
func (h *run) fireTimer(ctx context.Context, f *function, data azfunc.Timer) {
	for attempt := 0; ; attempt++ {
		c := h.call(f)
		if attempt > 0 {
			c.Retry = &azfunc.RetryContext{RetryCount: attempt, MaxRetryCount: f.retry.Max}
		}
		_, err := h.invoke(ctx, f, azfunc.EncodeTimer(c, data, nil))
		if err == nil || (f.retry.Max >= 0 && attempt >= f.retry.Max) {
			return
		}
		select {
		case <-time.After(f.retry.Delay(attempt)):
		case <-ctx.Done():
			return
		}
	}
}
