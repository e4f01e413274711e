package bus

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// errSilent is an answer of the SDK with neither messages nor an error. Its link is dead, and it
// does not attach again: azservicebus does not know every condition for one that ends a link,
// com.microsoft:server-busy for one.
var errSilent = errors.New("the receiver's link has ended")

// messages is the listener without sessions: up to maxConcurrentCalls at once, in no order.
func (l *Listener) messages(ctx context.Context) {
	slots := make(chan struct{}, l.Config.MaxCalls)
	var receivers sync.WaitGroup
	defer receivers.Wait()
	for faults := 0; ctx.Err() == nil; {
		rx, err := l.receiver()
		if err != nil {
			l.Log.ErrorContext(ctx, "the Service Bus listener cannot start", "function", l.Name, "error", err)
			return
		}
		var running sync.WaitGroup
		for err = nil; ctx.Err() == nil && !errors.Is(err, errSilent); faults++ {
			// The receiver survives other faults: it attaches again when asked again.
			err = l.receive(ctx, rx, slots, &running, func() { faults = 0; l.well() })
			if ctx.Err() == nil {
				l.pause(ctx, faults, err)
			}
		}
		receivers.Go(func() { // running calls settle over it
			running.Wait()
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
			defer cancel()
			_ = rx.Close(closing)
		})
	}
}

// hush ends what the SDK does between two calls, by a call that asks for nothing: it gives back
// what comes in, of which there is none after one message for one credit; and on a link that has
// ended as in errSilent it asks for that again and again, without a pause.
func hush(ctx context.Context, rx *azservicebus.Receiver) { _, _ = rx.ReceiveMessages(ctx, 0, nil) }

func (l *Listener) receiver() (*azservicebus.Receiver, error) {
	if b := l.Trigger; b.Queue == "" {
		return l.client.NewReceiverForSubscription(b.Topic, b.Subscription, nil)
	}
	return l.client.NewReceiverForQueue(l.Trigger.Queue, nil)
}

// receive takes messages while there is a free slot, one at a time, so that none waits here for
// a call while its lock runs out; it returns the fault that ended it.
func (l *Listener) receive(ctx context.Context, rx *azservicebus.Receiver, slots chan struct{}, running *sync.WaitGroup, well func()) error {
	for {
		if err := l.Ready(ctx); err != nil {
			return err
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		list, err := rx.ReceiveMessages(ctx, 1, nil)
		if err == nil {
			hush(ctx, rx) // else a message may still come for the credit, and the SDK gives it back
			if len(list) == 0 {
				err = errSilent
			}
		}
		if err != nil {
			<-slots
			return err
		}
		well()
		running.Go(func() {
			defer func() { <-slots }()
			l.message(rx, list[0])
		})
	}
}

// message runs one call while its lock is being renewed.
func (l *Listener) message(rx *azservicebus.Receiver, m *azservicebus.ReceivedMessage) {
	renew := func(ctx context.Context) error { return rx.RenewMessageLock(ctx, m, nil) }
	stop := l.renew(func() time.Time { return value(m.LockedUntil) }, renew, func() {})
	defer stop()
	l.handle(l.calls, rx, m)
}
