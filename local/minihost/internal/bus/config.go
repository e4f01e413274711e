package bus

import (
	"context"
	"time"
)

// Trigger is what function.json says of a Service Bus function.
type Trigger struct {
	Queue, Topic, Subscription string // a queue, or a topic with a subscription
	Connection                 Connection
	Sessions, AutoComplete     bool
	Binary                     bool // dataType binary: the body goes to the handler as bytes
}

// A connection is what a binding's connection name resolves to.
type Connection struct {
	String string // a connection string, or
	// the identity-based form:
	Namespace, ClientID string
}

// Config is extensions.serviceBus of host.json.
type Config struct {
	MaxSessions     int
	MaxCalls        int
	SessionIdle     time.Duration
	MaxRenewal      time.Duration // maxAutoLockRenewalDuration; 0: never, negative: without an end
	AutoComplete    bool
	TryTimeout      time.Duration
	CallsPerSession int
}

// renewal ends when a lock that is taken now is not renewed any more.
func (c Config) renewal(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.MaxRenewal < 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, c.MaxRenewal)
}
