package telemetry

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/relaybox/relaybox/outbox"
)

// seconds are the bounds of durations: those that the conventions name, with two below them
// for a local broker and four above for what waits in an outage.
var seconds = metric.WithExplicitBucketBoundaries(.001, .0025, .005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 30, 60, 300, 1800)

// units are the bounds of charges.
var units = metric.WithExplicitBucketBoundaries(1, 2, 3, 5, 7.5, 10, 15, 20, 30, 50, 100, 250, 500, 1000)

// instruments are all metrics of the app. docs/operate.md has the same table.
type instruments struct {
	requests  metric.Float64Histogram
	timers    metric.Float64Histogram
	attempts  metric.Float64Histogram
	charges   metric.Float64Histogram
	sends     metric.Float64Histogram
	sent      metric.Int64Counter
	processes metric.Float64Histogram
	received  metric.Int64Counter

	committed   metric.Int64Counter
	published   metric.Int64Counter
	consumed    metric.Int64Counter
	missing     metric.Int64Counter
	skipped     metric.Int64Counter
	parked      metric.Int64Counter
	refused     metric.Int64Counter
	held        metric.Int64Counter
	pauses      metric.Int64Counter
	settled     metric.Int64Counter
	dropped     metric.Int64Counter
	cached      metric.Int64Counter
	cachePauses metric.Int64Counter

	publishDelay metric.Float64Histogram
	effectDelay  metric.Float64Histogram

	// swept is the newest sweep of this instance.
	swept atomic.Pointer[swept]
}

// swept is what a sweep has found, and when.
type swept struct {
	outbox.Report
	at time.Time
}

// sweptAge is how long a sweep says how much waits. The timer may move to another instance, and
// two must not tell of it for ever.
const sweptAge = 5 * time.Minute

// make makes all of them; faults are those of their names and units.
func (i *instruments) make(meter metric.Meter) error {
	var faults []error
	duration := func(name, what string) metric.Float64Histogram {
		h, err := meter.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(what), seconds)
		faults = append(faults, err)
		return h
	}
	count := func(name, unit, what string) metric.Int64Counter {
		c, err := meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(what))
		faults = append(faults, err)
		return c
	}
	i.requests = duration("http.server.request.duration", "HTTP requests, as the handler answers them")
	i.timers = duration("relaybox.timer.duration", "Runs of the timer functions")
	i.attempts = duration("db.client.operation.duration", "Requests to Cosmos DB, each attempt")
	i.sends = duration("messaging.client.operation.duration", "Sends to the broker, each a batch of events")
	i.processes = duration("messaging.process.duration", "Messages, from their arrival to their outcome")
	i.publishDelay = duration("relaybox.publish.delay", "From an event's write to the broker's acknowledgement")
	i.effectDelay = duration("relaybox.effect.delay", "From an event's write to its effect on the read model")
	charges, err := meter.Float64Histogram("azure.cosmosdb.client.operation.request_charge", metric.WithUnit("{request_unit}"), metric.WithDescription("Request units of an attempt"), units)
	i.charges = charges
	faults = append(faults, err)

	i.sent = count("messaging.client.sent.messages", "{message}", "Messages that were sent, whatever became of them")
	i.received = count("messaging.client.consumed.messages", "{message}", "Messages that came")
	i.committed = count("relaybox.events.committed", "{event}", "Events that were stored with their change")
	i.published = count("relaybox.events.published", "{event}", "Events that the broker has acknowledged")
	i.consumed = count("relaybox.events.consumed", "{event}", "Events by what became of them at the consumer")
	i.missing = count("relaybox.events.missing", "{event}", "Events that a read model has gone on without")
	i.skipped = count("relaybox.events.skipped", "{event}", "Events that an operator has skipped, as the consumer sees them")
	i.parked = count("relaybox.events.parked", "{event}", "Events that were taken out of the flow")
	i.refused = count("relaybox.events.refused", "{event}", "Refusals, by the broker and by the consumer")
	i.held = count("relaybox.events.held", "{try}", "Tries of events that wait for their store")
	i.pauses = count("relaybox.broker.pauses", "{pause}", "Times that the broker was left alone for a while")
	i.settled = count("relaybox.events.settled", "{event}", "Events that left the outbox, by where they were sent from")
	i.dropped = count("relaybox.fastpath.dropped", "{key}", "Keys that found no room in the fast path and wait for a sweep")
	i.cached = count("relaybox.cache.reads", "{read}", "Reads that a cache was asked for, by whether it had the entity")
	i.cachePauses = count("relaybox.cache.pauses", "{pause}", "Times that the cache was left alone because it did not work")
	return errors.Join(append(faults, i.backlog(meter))...)
}

// backlog tells what the newest sweep has found, while it is new.
func (i *instruments) backlog(meter metric.Meter) error {
	keys, err1 := meter.Int64ObservableGauge("relaybox.outbox.pending.keys", metric.WithUnit("{key}"), metric.WithDescription("Keys with events that a sweep found waiting"))
	parked, err2 := meter.Int64ObservableGauge("relaybox.outbox.parked", metric.WithUnit("{event}"), metric.WithDescription("Events that stand parked"))
	blocked, err3 := meter.Int64ObservableGauge("relaybox.outbox.blocked.keys", metric.WithUnit("{key}"), metric.WithDescription("Keys that wait behind a parked event"))
	paused, err4 := meter.Int64ObservableGauge("relaybox.outbox.paused.keys", metric.WithUnit("{key}"), metric.WithDescription("Keys that an operator has paused"))
	oldest, err5 := meter.Float64ObservableGauge("relaybox.outbox.oldest", metric.WithUnit("s"), metric.WithDescription("Age of the oldest event that waits"))
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return err
	}
	_, err := meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		if s := i.swept.Load(); s != nil && time.Since(s.at) < sweptAge {
			o.ObserveInt64(keys, int64(s.Keys))
			o.ObserveInt64(parked, int64(s.Standing))
			o.ObserveInt64(blocked, int64(s.Blocked))
			o.ObserveInt64(paused, int64(s.Held))
			o.ObserveFloat64(oldest, s.Oldest.Seconds())
		}
		return nil
	}, keys, parked, blocked, paused, oldest)
	return err
}
