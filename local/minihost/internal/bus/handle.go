package bus

import (
	"context"
	"errors"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/uuid"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/local/minihost/internal/worker"
)

// settler is what session receivers and receivers share.
type settler interface {
	CompleteMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.CompleteMessageOptions) error
	AbandonMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.AbandonMessageOptions) error
}

// handle runs the function for one message and settles it. It reports whether
// the settlement reached the broker.
func (l *Listener) handle(ctx context.Context, rx settler, m *azservicebus.ReceivedMessage) bool {
	err := l.Deliver(ctx, l.delivery(m))
	if errors.Is(err, worker.ErrTransport) {
		select {
		case <-time.After(noticeTime):
		case <-ctx.Done():
		}
	}
	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	verb := "complete"
	if err == nil {
		err = rx.CompleteMessage(settling, m, nil)
	} else {
		verb, err = "abandon", rx.AbandonMessage(settling, m, nil)
	}
	if err != nil {
		l.Log.WarnContext(ctx, "a message was not settled and will come again", "function", l.Name,
			"verb", verb, "message", m.MessageID, "error", err)
	}
	return err == nil
}

// delivery translates the SDK's message.
func (l *Listener) delivery(m *azservicebus.ReceivedMessage) azfunc.Delivery {
	return azfunc.Delivery{
		Message: azfunc.Message{
			Body: m.Body, MessageID: m.MessageID, SessionID: value(m.SessionID), Subject: value(m.Subject),
			ContentType: value(m.ContentType), CorrelationID: value(m.CorrelationID), DeliveryCount: int(m.DeliveryCount),
			SequenceNumber: value(m.SequenceNumber), EnqueuedTime: value(m.EnqueuedTime), Properties: m.ApplicationProperties,
		},
		Namespace: l.Trigger.Connection.Namespace, LockToken: uuid.UUID(m.LockToken).String(),
		PartitionKey: value(m.PartitionKey), To: value(m.To), ReplyTo: value(m.ReplyTo), ReplyToSessionID: value(m.ReplyToSessionID),
		DeadLetterSource: value(m.DeadLetterSource), ExpiresAt: value(m.ExpiresAt),
	}
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// renew keeps a lock alive for maxAutoLockRenewalDuration from now, whatever runs then, or
// until stop is called; lost is called when the broker says that the lock is gone. Nobody
// is told when the renewal has ended: the lock runs out, and its message comes again.
func (l *Listener) renew(until func() time.Time, renewLock func(context.Context) error, lost func()) (stop func()) {
	ctx, cancel := l.Config.renewal(l.calls)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			timer := time.NewTimer(renewIn(time.Until(until())))
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
			var sb *azservicebus.Error
			if err := renewLock(ctx); errors.As(err, &sb) && sb.Code == azservicebus.CodeLockLost {
				lost()
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}

// renewIn is when to renew a lock that has so much time left: ten seconds before its end,
// and in the middle of a short one. After a fault it is asked again in a moment.
func renewIn(left time.Duration) time.Duration {
	return max(left-min(left/2, 10*time.Second), 50*time.Millisecond)
}
