package minihost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/google/uuid"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/local/minihost/internal/worker"
)

// busListener feeds one Service Bus function. A message is completed after a
// success and abandoned after anything else; while the broker is away the
// listener asks again at least twice a second.
type busListener struct {
	*run
	f      *function
	client *azservicebus.Client
	calls  context.Context // ends when running calls are cut; owner: listenBus

	mu       sync.Mutex
	lastFail string // the broker fault that was logged last, "" when it is well
}

// Pauses of the listener.
const (
	firstPause = 25 * time.Millisecond
	maxPause   = 400 * time.Millisecond
	// settleTime is for one attempt: after a fault the SDK pauses for 4 s,
	// whatever its options say, and the message comes again sooner than that.
	settleTime = 2 * time.Second
	// noticeTime is how long a failed transport waits before it abandons, so
	// that the host has noticed the handler's death before the message comes
	// back and burns a delivery.
	noticeTime = 25 * time.Millisecond
)

// listenBus runs until accept ends and its running calls are over.
func (h *run) listenBus(accept, calls context.Context, f *function) {
	client, err := openBus(f.bus.connection)
	if err != nil {
		h.log.ErrorContext(accept, "the Service Bus listener cannot start", "function", f.Name, "error", err)
		return
	}
	l := &busListener{run: h, f: f, client: client, calls: calls}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(calls), time.Second)
		defer cancel()
		_ = client.Close(ctx)
	}()
	if !f.bus.sessions {
		l.messages(accept)
		return
	}
	var slots sync.WaitGroup
	for range h.config.bus.maxSessions {
		slots.Go(func() { l.sessions(accept) })
	}
	slots.Wait()
}

func openBus(c connection) (*azservicebus.Client, error) {
	// The listener retries by itself: the SDK's own pauses are too long for a
	// broker on the same machine.
	options := &azservicebus.ClientOptions{RetryOptions: azservicebus.RetryOptions{
		MaxRetries: 1, RetryDelay: firstPause, MaxRetryDelay: 4 * firstPause}}
	if c.String != "" {
		client, err := azservicebus.NewClientFromConnectionString(c.String, options)
		if err != nil {
			// The SDK's message may quote the string with its key.
			return nil, errors.New("the connection string is malformed; it begins with Endpoint=sb://")
		}
		return client, nil
	}
	var credential *azidentity.DefaultAzureCredential
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, fmt.Errorf("identity for %s: %w", c.Namespace, err)
	}
	return azservicebus.NewClient(c.Namespace, credential, options)
}

// pause waits after a fault of the broker; it grows with n and logs each kind
// of fault once.
func (l *busListener) pause(ctx context.Context, n int, err error) {
	l.mu.Lock()
	news := l.lastFail == ""
	l.lastFail = err.Error()
	l.mu.Unlock()
	level := slog.LevelDebug
	if news && ctx.Err() == nil {
		level = slog.LevelWarn
	}
	l.log.Log(ctx, level, "Service Bus is away; the listener keeps trying", "function", l.f.Name, "error", err)
	select {
	case <-time.After(min(firstPause<<min(n, 10), maxPause)):
	case <-ctx.Done():
	}
}

// well notes that the broker has answered.
func (l *busListener) well() {
	l.mu.Lock()
	back := l.lastFail != ""
	l.lastFail = ""
	l.mu.Unlock()
	if back {
		l.log.Info("Service Bus is back", "function", l.f.Name)
	}
}

// settler is what session receivers and receivers share.
type settler interface {
	CompleteMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.CompleteMessageOptions) error
	AbandonMessage(context.Context, *azservicebus.ReceivedMessage, *azservicebus.AbandonMessageOptions) error
}

// handle runs the function for one message and settles it. It reports whether
// the settlement reached the broker.
func (l *busListener) handle(ctx context.Context, rx settler, m *azservicebus.ReceivedMessage) bool {
	payload := azfunc.TextTwice
	switch {
	case l.f.bus.binary:
		payload = azfunc.Binary
	case l.opts.TextOnce:
		payload = azfunc.TextOnce
	}
	body := azfunc.EncodeMessage(l.call(l.f), l.delivery(m), payload)
	_, err := l.invoke(ctx, l.f, body)
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
		l.log.WarnContext(ctx, "a message was not settled and will come again", "function", l.f.Name,
			"verb", verb, "message", m.MessageID, "error", err)
	}
	return err == nil
}

// delivery translates the SDK's message.
func (l *busListener) delivery(m *azservicebus.ReceivedMessage) azfunc.Delivery {
	return azfunc.Delivery{
		Message: azfunc.Message{
			Body: m.Body, MessageID: m.MessageID, SessionID: value(m.SessionID), Subject: value(m.Subject),
			ContentType: value(m.ContentType), CorrelationID: value(m.CorrelationID), DeliveryCount: int(m.DeliveryCount),
			SequenceNumber: value(m.SequenceNumber), EnqueuedTime: value(m.EnqueuedTime), Properties: m.ApplicationProperties,
		},
		Namespace: l.f.bus.connection.Namespace, LockToken: uuid.UUID(m.LockToken).String(),
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

// renew keeps a lock alive until ctx ends or the limit has passed; lost is
// called when the broker says that the lock is gone. It returns what stops it.
func (l *busListener) renew(ctx context.Context, until func() time.Time, renewLock func(context.Context) error, lost func()) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			timer := time.NewTimer(max(time.Until(until())/2, 50*time.Millisecond))
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
			err := renewLock(ctx)
			var sb *azservicebus.Error
			if errors.As(err, &sb) && sb.Code == azservicebus.CodeLockLost {
				lost()
				return
			}
		}
	}()
	return func() { cancel(); <-done }
}
