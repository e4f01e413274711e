package bus

import (
	"context"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// messages is the listener without sessions: up to maxConcurrentCalls at once,
// in no order.
func (l *Listener) messages(ctx context.Context) {
	rx, err := l.receiver()
	if err != nil {
		l.Log.ErrorContext(ctx, "the Service Bus listener cannot start", "function", l.Name, "error", err)
		return
	}
	slots := make(chan struct{}, l.Config.MaxCalls)
	var running sync.WaitGroup
	for faults := 0; ctx.Err() == nil; faults++ {
		// The receiver survives its faults: it attaches again when asked
		// again, and running calls settle over it.
		if err := l.receive(ctx, rx, slots, &running, func() { faults = 0; l.well() }); ctx.Err() == nil {
			l.pause(ctx, faults, err)
		}
	}
	running.Wait()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	_ = rx.Close(closing)
}

func (l *Listener) receiver() (*azservicebus.Receiver, error) {
	if b := l.Trigger; b.Queue == "" {
		return l.client.NewReceiverForSubscription(b.Topic, b.Subscription, nil)
	}
	return l.client.NewReceiverForQueue(l.Trigger.Queue, nil)
}

// receive takes messages while there is a free slot; it returns the fault that
// ended it.
func (l *Listener) receive(ctx context.Context, rx *azservicebus.Receiver, slots chan struct{}, running *sync.WaitGroup, well func()) error {
	for want := 1; ; {
		if err := l.Ready(ctx); err != nil {
			return err
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		n := 1 + further(slots, want-1)
		list, err := rx.ReceiveMessages(ctx, n, nil)
		for range n - len(list) {
			<-slots
		}
		if err != nil {
			return err
		}
		// Whoever asks for several waits for a moment until they have come. So more than one are
		// asked for only while the queue gives all that is asked for.
		if len(list) < n {
			want = 1
		} else {
			want = min(2*want, receiveAtOnce)
		}
		well()
		for _, m := range list {
			running.Go(func() {
				defer func() { <-slots }()
				l.message(rx, m)
			})
		}
	}
}

// receiveAtOnce bounds how many messages are asked for at a time.
const receiveAtOnce = 32

// further takes up to n slots that are free now.
func further(slots chan struct{}, n int) (taken int) {
	for ; taken < n; taken++ {
		select {
		case slots <- struct{}{}:
		default:
			return taken
		}
	}
	return taken
}

// message runs one call while its lock is being renewed.
func (l *Listener) message(rx *azservicebus.Receiver, m *azservicebus.ReceivedMessage) {
	renew := func(ctx context.Context) error { return rx.RenewMessageLock(ctx, m, nil) }
	stop := l.renew(func() time.Time { return value(m.LockedUntil) }, renew, func() {})
	defer stop()
	l.handle(l.calls, rx, m)
}
