package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/nats/jetstream"
	"github.com/relaybox/relaybox/outbox"
)

var (
	servicebusSystem = attribute.String("messaging.system", "servicebus")
	natsSystem       = attribute.String("messaging.system", "nats")
)

// Bus tells of sends to Service Bus. Each event has the send in its own trace, below the request
// that wrote it, whoever sends it and however late.
func (t *Telemetry) Bus() servicebus.Observer {
	if t == nil {
		return nil
	}
	return func(s servicebus.Sent) { t.send(servicebusSystem, s.Topic, s.Events, s.Began, s.Took, s.Err) }
}

// Stream tells the same of sends to a stream of JetStream.
func (t *Telemetry) Stream() jetstream.Observer {
	if t == nil {
		return nil
	}
	return func(s jetstream.Sent) {
		t.send(natsSystem, s.Stream, []*outbox.Event{s.Event}, s.Began, s.Took, s.Err)
	}
}

// send tells of one send of some events.
func (t *Telemetry) send(system attribute.KeyValue, to string, events []*outbox.Event, began time.Time, took time.Duration, err error) {
	attributes := []attribute.KeyValue{
		system, attribute.String("messaging.operation.name", "send"), attribute.String("messaging.operation.type", "send"),
		attribute.String("messaging.destination.name", to),
	}
	if err != nil {
		attributes = append(attributes, attribute.String("error.type", outbox.ClassOf(err).String()))
	}
	ctx, with := context.Background(), metric.WithAttributes(attributes...)
	t.sends.Record(ctx, took.Seconds(), with)
	t.sent.Add(ctx, int64(len(events)), with)
	if t.tracer == nil {
		return
	}
	parents := make([]trace.SpanContext, len(events))
	for i, e := range events {
		parents[i] = spanOf(e.Trace.Parent, e.Trace.State)
	}
	if len(events) > 1 {
		attributes = append(attributes, attribute.Int("messaging.batch.message_count", len(events)))
	}
	_, spans := t.several(ctx, "send "+to, parents, func(i int) []attribute.KeyValue { return ofEvent(events[i]) },
		trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(began), trace.WithAttributes(attributes...))
	end(spans, err, trace.WithTimestamp(began.Add(took)))
}

func ofEvent(e *outbox.Event) []attribute.KeyValue {
	return []attribute.KeyValue{
		attribute.String("messaging.message.id", e.ID), attribute.String("cloudevents.event_type", e.Type),
		attribute.String("relaybox.key", e.Key), attribute.Int64("relaybox.seq", e.Seq),
	}
}

// consumer is the app's own inbox.
type consumer interface {
	Once(ctx context.Context, e inbox.Event) (inbox.Outcome, error)
	Sweep(ctx context.Context) (inbox.Swept, error)
	GiveUp(ctx context.Context, e inbox.Event, delivery int) error
}

// Inbox is an inbox whose messages are followed from their arrival to the outcome. It is an
// entity.Follower and an entity.Giver.
type Inbox struct {
	consumer
	t  *Telemetry
	to string // of messages: the topic, or the stream
	// system is the broker they come from, from says so, and by which subscription or consumer of it.
	system string
	from   []attribute.KeyValue
}

// Inbox follows the messages of a subscription of Service Bus that come to in.
func (t *Telemetry) Inbox(in *inbox.Inbox, topic, subscription string) *Inbox {
	from := []attribute.KeyValue{servicebusSystem, attribute.String("messaging.destination.subscription.name", subscription)}
	return &Inbox{in, t, topic, "servicebus", from}
}

// StreamInbox follows the messages of a durable consumer of JetStream that come to in.
func (t *Telemetry) StreamInbox(in *inbox.Inbox, stream, durable string) *Inbox {
	from := []attribute.KeyValue{natsSystem, attribute.String("messaging.consumer.group.name", durable)}
	return &Inbox{in, t, stream, "nats", from}
}

// Follow begins the span of a message. It goes on where the event was written. The host may
// have a span of its own in that trace, which stands between; one in another trace is linked.
func (i *Inbox) Follow(ctx context.Context, msg azfunc.Message) (context.Context, func(inbox.Event, inbox.Outcome, error)) {
	began := time.Now()
	attributes := append([]attribute.KeyValue{
		attribute.String("messaging.operation.name", "process"), attribute.String("messaging.operation.type", "process"),
		attribute.String("messaging.destination.name", i.to),
	}, i.from...)
	var span trace.Span
	if i.t.tracer != nil {
		opts := []trace.SpanStartOption{
			trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attributes...), trace.WithAttributes(
				attribute.String("messaging.message.id", msg.MessageID), attribute.Int("messaging."+i.system+".message.delivery_count", msg.DeliveryCount),
				attribute.Int64("messaging."+i.system+".message.enqueued_time", msg.EnqueuedTime.Unix()),
			),
		}
		parent, state := property(msg, "traceparent"), property(msg, "tracestate")
		host, writer := trace.SpanContextFromContext(ctx), spanOf(parent, state)
		if writer.IsValid() && writer.TraceID() != host.TraceID() {
			if host.IsValid() {
				opts = append(opts, trace.WithLinks(trace.Link{SpanContext: host}))
			}
			ctx = trace.ContextWithRemoteSpanContext(ctx, writer)
		}
		ctx, span = i.t.tracer.Start(ctx, "process "+i.to, opts...)
	}
	return ctx, func(e inbox.Event, outcome inbox.Outcome, err error) {
		i.ended(ctx, began, attributes, e, outcome, err)
		if span == nil {
			return
		}
		span.SetAttributes(attribute.String("relaybox.outcome", outcomeOf(outcome, err)))
		if e.Key != "" {
			span.SetAttributes(attribute.String("cloudevents.event_type", e.Type), attribute.String("relaybox.key", e.Key), attribute.Int64("relaybox.seq", e.Seq))
		}
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}

// ended counts a message. Events that were applied are counted where that happens: one that
// came early is applied with another's message.
func (i *Inbox) ended(ctx context.Context, began time.Time, attributes []attribute.KeyValue, e inbox.Event, outcome inbox.Outcome, err error) {
	attributes = append(attributes[:len(attributes):len(attributes)], attribute.String("relaybox.outcome", outcomeOf(outcome, err)))
	reason := string(inbox.ReasonOf(err))
	if err != nil {
		if reason == "" {
			reason = "transient"
		}
		attributes = append(attributes, attribute.String("error.type", reason))
		i.t.refused.Add(ctx, 1, metric.WithAttributes(attribute.String("relaybox.by", "consumer"), attribute.String("error.type", reason)))
	}
	with := metric.WithAttributes(attributes...)
	i.t.processes.Record(ctx, time.Since(began).Seconds(), with)
	i.t.received.Add(ctx, 1, with)
	if err == nil && outcome != inbox.Applied {
		i.t.consumed.Add(ctx, 1, metric.WithAttributes(attribute.String("relaybox.outcome", outcomeOf(outcome, nil)), attribute.String("cloudevents.event_type", e.Type)))
	}
}

// outcomeOf is the outcome in metrics and spans: what is stored came early.
func outcomeOf(o inbox.Outcome, err error) string {
	switch {
	case err != nil:
		return "refused"
	case o == inbox.Stored:
		return "early"
	}
	return o.String()
}

// Once gives the event the message's span for its context, so that its effect stands below it,
// also one that comes later because the event came early.
func (i *Inbox) Once(ctx context.Context, e inbox.Event) (inbox.Outcome, error) {
	if i.t.tracer != nil {
		var c carrier
		w3c.Inject(ctx, &c)
		if c.parent != "" {
			e.TraceParent, e.TraceState = c.parent, c.state
		}
	}
	return i.consumer.Once(ctx, e)
}

func property(msg azfunc.Message, name string) string {
	text, _ := msg.Properties[name].(string)
	return text
}
