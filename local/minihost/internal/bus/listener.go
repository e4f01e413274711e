package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/relaybox/relaybox/azfunc"
)

// Listener feeds one Service Bus function. A message is completed after a
// success and abandoned after anything else; while the broker is away the
// listener asks again at least twice a second.
type Listener struct {
	Name    string // of the function
	Trigger Trigger
	Config  Config
	Log     *slog.Logger
	// Dial makes the connection to the broker; nil: over TCP, as the connection says.
	Dial func(context.Context) (net.Conn, error)
	// Ready returns when a delivery can be made; an error says why not now.
	Ready func(context.Context) error
	// Deliver runs the function for one message; an error means failed.
	Deliver func(context.Context, azfunc.Delivery) error

	client    *azservicebus.Client // owner: Listen
	calls     context.Context      // ends when running calls are cut; owner: Listen
	accepting chan struct{}        // holds a token for each slot that asks for a session

	mu       sync.Mutex
	lastFail string // the broker fault that was logged last, "" when it is well
}

// acceptsAtOnce bounds how many slots ask for a session at the same time, as in the real
// host: the others would stand in line all the same, for the claims of one connection.
var acceptsAtOnce = 2 * runtime.NumCPU()

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

// Listen runs until accept ends and its running calls, which end with calls, are
// over.
func (l *Listener) Listen(accept, calls context.Context) {
	client, err := open(l.Trigger.Connection, l.Dial)
	if err != nil {
		l.Log.ErrorContext(accept, "the Service Bus listener cannot start", "function", l.Name, "error", err)
		return
	}
	l.client, l.calls = client, calls
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(calls), time.Second)
		defer cancel()
		_ = client.Close(ctx)
	}()
	if !l.Trigger.Sessions {
		l.messages(accept)
		return
	}
	l.accepting = make(chan struct{}, acceptsAtOnce)
	var slots sync.WaitGroup
	for range l.Config.MaxSessions {
		slots.Go(func() { l.sessions(accept) })
	}
	slots.Wait()
}

func open(c Connection, dial func(context.Context) (net.Conn, error)) (*azservicebus.Client, error) {
	// The listener retries by itself: the SDK's own pauses are too long for a
	// broker on the same machine.
	options := &azservicebus.ClientOptions{RetryOptions: azservicebus.RetryOptions{
		MaxRetries: 1, RetryDelay: firstPause, MaxRetryDelay: 4 * firstPause}}
	if dial != nil {
		options.NewWebSocketConn = func(ctx context.Context, _ azservicebus.NewWebSocketConnArgs) (net.Conn, error) { return dial(ctx) }
	}
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
func (l *Listener) pause(ctx context.Context, n int, err error) {
	l.mu.Lock()
	news := l.lastFail == ""
	l.lastFail = err.Error()
	l.mu.Unlock()
	level := slog.LevelDebug
	if news && ctx.Err() == nil {
		level = slog.LevelWarn
	}
	l.Log.Log(ctx, level, "Service Bus is away; the listener keeps trying", "function", l.Name, "error", err)
	select {
	case <-time.After(min(firstPause<<min(n, 10), maxPause)):
	case <-ctx.Done():
	}
}

// well notes that the broker has answered.
func (l *Listener) well() {
	l.mu.Lock()
	back := l.lastFail != ""
	l.lastFail = ""
	l.mu.Unlock()
	if back {
		l.Log.Info("Service Bus is back", "function", l.Name)
	}
}
