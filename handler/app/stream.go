package app

import (
	"cmp"
	"context"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/handler/telemetry"
	"github.com/relaybox/relaybox/health"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/nats/jetstream"
)

// openStream returns JetStream as the app's broker. No host brings its messages, so the app takes
// them itself.
func openStream(cfg config.Config, opts Options) broker {
	client, stream := jetstream.Open(cfg.NATSConnection(), opts.Stream), cfg.NATS.Stream
	p := client.Publisher(stream, jetstream.PublisherOptions{Prefix: cfg.NATS.Subject, Observer: opts.Telemetry.Stream()})
	return broker{
		name: "nats", main: cfg.NATS.Consumer, close: client.Close, publisher: p, reach: p.Ready,
		follow: func(tell *telemetry.Telemetry, in *inbox.Inbox, of string) functions.Inbox {
			return tell.StreamInbox(in, stream, of)
		},
		consume: func(ctx context.Context, of string, take take) {
			client.Consumer(stream, of, handleWith(take), consumerOptions(cfg)).Run(ctx)
		},
		queue: func(of string, dead bool, _ int) func(context.Context) (health.Queue, error) {
			return func(ctx context.Context) (health.Queue, error) {
				if dead {
					seen, err := client.DeadLetters(ctx, cfg.NATS.Letters, of)
					return health.Queue(seen), err
				}
				seen, err := client.Waiting(ctx, stream, of)
				return health.Queue(seen), err
			}
		},
	}
}

// replayFor is the property that says which consumer an event is replayed for.
const replayFor = "replayfor"

// ruled takes what the rule of a subscription would let through, and passes over the rest: a stream has
// no rules. of is the durable consumer's name.
func ruled(c functions.Consumer, of string, take take) take {
	return func(ctx context.Context, msg azfunc.Message) error {
		if !c.Wants(msg.Subject) && msg.Properties[replayFor] != of {
			return nil
		}
		return take(ctx, msg)
	}
}

// consumerOptions: of what is in hand, half may wait in memory for what comes before it.
func consumerOptions(cfg config.Config) jetstream.ConsumerOptions {
	return jetstream.ConsumerOptions{InFlight: 2 * cfg.Inbox.Waiting, Deliveries: cfg.Inbox.Deliveries, Letters: cfg.NATS.Letters}
}

// handleWith gives a stream's messages to take. What may pass makes no dead letter, however long it
// lasts. The number of the delivery is what counts against the message: by that it is given up.
func handleWith(take take) jetstream.Handle {
	return func(ctx context.Context, m jetstream.Message) error {
		msg := azfunc.Message{
			Body: m.Body, MessageID: m.ID, Subject: m.Type, DeliveryCount: m.Counted, SequenceNumber: int64(m.Sequence), EnqueuedTime: m.Stored,
			Properties: map[string]any{replayFor: m.ReplayFor},
		}
		if m.TraceParent != "" {
			msg.Properties["traceparent"], msg.Properties["tracestate"] = m.TraceParent, m.TraceState
		}
		err := take(ctx, msg)
		if err == nil || inbox.MayPass(err) {
			return err
		}
		return &jetstream.Refused{Reason: cmp.Or(string(inbox.ReasonOf(err)), "fault"), Err: err}
	}
}
