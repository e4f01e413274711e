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
	// main is what the app's first consumer takes its messages from: a subscription, or a durable
	// consumer; "": the app has none. Further consumers have one each.
	main string
	// queue looks at what waits for one of them, or at its dead letters.
	queue func(of string, dead bool, most int) func(context.Context) (health.Queue, error)
	// consume takes the messages of one of them and gives each to take until ctx ends; nil where the
	// host brings them.
	consume func(ctx context.Context, of string, take take)
	// follow is the inbox whose messages tell follows.
	follow func(tell *telemetry.Telemetry, in *inbox.Inbox, of string) functions.Inbox
}

// open returns the broker that cfg chooses, without any I/O.
func open(cfg config.Config, opts Options) broker {
	if cfg.EventBroker() == config.JetStreamBroker {
		return openStream(cfg, opts)
	}
	return openBus(cfg, opts)
}

func openBus(cfg config.Config, opts Options) broker {
	client, topic := servicebus.Open(cfg.BusConnection(), opts.Bus), cfg.Bus.Topic
	return broker{
		name: "service bus", main: cfg.Bus.Subscription, close: client.Close,
		publisher: client.Publisher(topic, publisherOptions(cfg, opts.Telemetry.Bus())),
		reach:     func(ctx context.Context) error { return client.Reach(ctx, topic) },
		follow: func(tell *telemetry.Telemetry, in *inbox.Inbox, of string) functions.Inbox {
			return tell.Inbox(in, topic, of)
		},
		queue: func(of string, dead bool, most int) func(context.Context) (health.Queue, error) {
			return func(ctx context.Context) (health.Queue, error) {
				seen, err := client.Look(ctx, topic, of, dead, most)
				return health.Queue(seen), err
			}
		},
	}
}
