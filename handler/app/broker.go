package app

import (
	"context"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/handler/telemetry"
	"github.com/relaybox/relaybox/health"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// publisher is where events go.
type publisher interface {
	outbox.Publisher
	// Ready connects ahead of the first event.
	Ready(ctx context.Context) error
}

// take gives the event in a message its effect: entity.Taker.Take.
type take func(ctx context.Context, msg azfunc.Message) error

// broker is what the app needs of the broker that its settings choose.
type broker struct {
	// name is what the log calls it.
	name      string
	publisher publisher
	// reach says whether it can be reached now.
	reach func(ctx context.Context) error
	close func(ctx context.Context) error
	// queue looks at what waits for the consumer, or at its dead letters; nil in an app that names
	// no consumer of its own.
	queue func(dead bool, most int) func(context.Context) (health.Queue, error)
	// consume takes messages and gives each to take until ctx ends; nil where the host brings them, or
	// nobody does.
	consume func(ctx context.Context, take take)
	// follow is the inbox whose messages tell follows.
	follow func(tell *telemetry.Telemetry, in *inbox.Inbox) functions.Inbox
}

// open returns the broker that cfg chooses, without any I/O.
func open(cfg config.Config, opts Options) broker {
	if cfg.EventBroker() == config.JetStreamBroker {
		return openStream(cfg, opts)
	}
	return openBus(cfg, opts)
}

func openBus(cfg config.Config, opts Options) broker {
	client, topic, subscription := servicebus.Open(cfg.BusConnection(), opts.Bus), cfg.Bus.Topic, cfg.Bus.Subscription
	b := broker{
		name: "service bus", close: client.Close,
		publisher: client.Publisher(topic, publisherOptions(cfg, opts.Telemetry.Bus())),
		reach:     func(ctx context.Context) error { return client.Reach(ctx, topic) },
		follow: func(tell *telemetry.Telemetry, in *inbox.Inbox) functions.Inbox {
			return tell.Inbox(in, topic, subscription)
		},
	}
	if subscription == "" {
		return b
	}
	b.queue = func(dead bool, most int) func(context.Context) (health.Queue, error) {
		return func(ctx context.Context) (health.Queue, error) {
			seen, err := client.Look(ctx, topic, subscription, dead, most)
			return health.Queue(seen), err
		}
	}
	return b
}
