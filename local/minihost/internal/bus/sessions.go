package bus

import (
	"context"
	"errors"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// sessions is one slot: it takes the next free session, serves it until it is
// idle, and takes another. A message is never in flight beside another of its
// session.
func (l *Listener) sessions(ctx context.Context) {
	for faults := 0; ctx.Err() == nil; {
		if l.Ready(ctx) != nil {
			continue // the run ends, or gives the handler more time
		}
		rx, err := l.accept(ctx)
		switch {
		case err == nil:
			l.well()
			faults = 0
			l.session(ctx, rx)
		case ctx.Err() != nil:
			return
		case timedOut(err):
			l.well() // no session had messages for a while
		default:
			l.pause(ctx, faults, err)
			faults++
		}
	}
}

func timedOut(err error) bool {
	var sb *azservicebus.Error
	return errors.As(err, &sb) && sb.Code == azservicebus.CodeTimeout
}

func (l *Listener) accept(ctx context.Context) (*azservicebus.SessionReceiver, error) {
	select {
	case l.accepting <- struct{}{}:
		defer func() { <-l.accepting }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if b := l.Trigger; b.Queue == "" {
		return l.client.AcceptNextSessionForSubscription(ctx, b.Topic, b.Subscription, nil)
	}
	return l.client.AcceptNextSessionForQueue(ctx, l.Trigger.Queue, nil)
}

// session serves one session until it has been idle for sessionIdleTimeout, its lock is
// lost, or ctx ends. The lock is renewed from here on, for running calls too, which outlive
// ctx; a session that is busy for longer than that loses it in the middle of a call.
func (l *Listener) session(ctx context.Context, rx *azservicebus.SessionReceiver) {
	held, lost := context.WithCancel(ctx)
	defer lost()
	renew := func(ctx context.Context) error { return rx.RenewSessionLock(ctx, nil) }
	stop := l.renew(rx.LockedUntil, renew, lost)
	for held.Err() == nil && l.Ready(held) == nil {
		idle, cancel := context.WithTimeout(held, l.Config.SessionIdle)
		list, err := rx.ReceiveMessages(idle, 1, nil)
		cancel()
		if err != nil || len(list) == 0 {
			if err != nil && !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
				l.Log.DebugContext(ctx, "session ended", "function", l.Name, "session", rx.SessionID(), "error", err)
			}
			break
		}
		if !l.handle(l.calls, rx, list[0]) {
			break
		}
	}
	stop()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	_ = rx.Close(closing)
}
