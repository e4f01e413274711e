package minihost

import (
	"context"
	"sync"
	"time"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/local/minihost/internal/app"
	"github.com/relaybox/relaybox/local/minihost/internal/bus"
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
			t := &timer.Listener{Name: f.Name, Config: f.Timer, Status: h.status, Log: h.log,
				Fire: func(t azfunc.Timer) { h.fireTimer(calls, f, t) }}
			all.Go(func() { t.Loop(accept) })
		case ServiceBusTrigger:
			l := &bus.Listener{Name: f.Name, Trigger: f.Bus, Config: h.config.Bus, Log: h.log, Dial: h.opts.DialBus, Ready: h.worker.Wait,
				Deliver: func(ctx context.Context, d azfunc.Delivery) error { return h.deliver(ctx, f, d) }}
			all.Go(func() { l.Listen(accept, calls) })
		}
	}
}

// fireTimer runs a timer function, again after a failure if it has a retry
// policy.
func (h *run) fireTimer(ctx context.Context, f *app.Definition, data azfunc.Timer) {
	for attempt := 0; ; attempt++ {
		c := h.call(f)
		if attempt > 0 {
			c.Retry = &azfunc.RetryContext{RetryCount: attempt, MaxRetryCount: f.Retry.Max}
		}
		_, err := h.invoke(ctx, f, azfunc.EncodeTimer(c, data, nil))
		if err == nil || (f.Retry.Max >= 0 && attempt >= f.Retry.Max) {
			return
		}
		select {
		case <-time.After(f.Retry.Delay(attempt)):
		case <-ctx.Done():
			return
		}
	}
}

// deliver runs a Service Bus function for one message.
func (h *run) deliver(ctx context.Context, f *app.Definition, d azfunc.Delivery) error {
	payload := azfunc.TextTwice
	switch {
	case f.Bus.Binary:
		payload = azfunc.Binary
	case h.opts.TextOnce:
		payload = azfunc.TextOnce
	}
	_, err := h.invoke(ctx, f, azfunc.EncodeMessage(h.call(f), d, payload))
	return err
}

// runManually runs a function on behalf of admin, whatever comes of it.
func (h *run) runManually(ctx context.Context, f *app.Definition, input *string) {
	switch f.Trigger {
	case TimerTrigger:
		status, ok := h.status.Get(f.Name)
		if !ok {
			status.Next = f.Timer.Schedule.Next(h.started)
		}
		_, _ = h.invoke(ctx, f, azfunc.EncodeTimer(h.call(f), timer.Data(f.Timer, status, false), input))
	case ServiceBusTrigger:
		d := azfunc.Delivery{Namespace: f.Bus.Connection.Namespace}
		if input != nil {
			d.Body = []byte(*input)
		}
		payload := azfunc.TextTwice
		if f.Bus.Binary {
			payload = azfunc.Binary
		}
		_, _ = h.invoke(ctx, f, azfunc.EncodeMessage(h.call(f), d, payload))
	default:
		h.log.ErrorContext(ctx, "an HTTP function cannot be run from text; call its URL", "function", f.Name)
	}
}
