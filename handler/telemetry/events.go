package telemetry

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/relaybox/relaybox/cache"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// Outbox counts what the outbox tells.
func (t *Telemetry) Outbox() outbox.Observer {
	if t == nil {
		return nil
	}
	ctx := context.Background()
	return func(s outbox.Signal) {
		switch s := s.(type) {
		case outbox.Committed:
			for i := range s.Events {
				t.committed.Add(ctx, 1, ofType(s.Events[i].Type))
			}
		case outbox.Published:
			t.published.Add(ctx, 1, ofType(s.Event.Type))
			t.publishDelay.Record(ctx, time.Since(s.Event.CreatedAt).Seconds())
		case outbox.Refused:
			t.refused.Add(ctx, 1, metric.WithAttributes(attribute.String("relaybox.by", "broker"),
				attribute.String("error.type", outbox.ClassOf(s.Err).String()), attribute.String("relaybox.next", s.Verdict.Action.String())))
		case outbox.Parked:
			t.parked.Add(ctx, 1, ofType(s.Event.Type))
		case outbox.Settled:
			from := "query"
			if s.Fresh {
				from = "memory"
			}
			t.settled.Add(ctx, int64(s.Count), metric.WithAttributes(attribute.String("relaybox.from", from)))
		case outbox.Dropped:
			t.dropped.Add(ctx, 1)
		case outbox.Paused:
			t.pauses.Add(ctx, 1)
		case outbox.Swept:
			t.swept.Store(&swept{s.Report, time.Now()})
		}
	}
}

// Cache counts what the cache of reads tells.
func (t *Telemetry) Cache() cache.Observer {
	if t == nil {
		return nil
	}
	ctx := context.Background()
	return func(s cache.Signal) {
		switch s := s.(type) {
		case cache.Answered:
			t.cached.Add(ctx, 1, metric.WithAttributes(attribute.Bool("relaybox.hit", s.Hit)))
		case cache.Failed:
			t.cachePauses.Add(ctx, 1)
		}
	}
}

// Writer has the commits of the outbox in the traces of the requests that they answer.
func (t *Telemetry) Writer() outbox.Tracer {
	if t == nil || t.tracer == nil {
		return nil
	}
	return func(ctx context.Context, of []outbox.Trace) (context.Context, func()) {
		parents := make([]trace.SpanContext, len(of))
		for i, o := range of {
			parents[i] = spanOf(o.Parent, o.State)
		}
		ctx, spans := t.several(ctx, "commit", parents, nil)
		return ctx, func() { end(spans, nil) }
	}
}

// Consumer counts what the inbox tells.
func (t *Telemetry) Consumer() inbox.Observer {
	if t == nil {
		return nil
	}
	ctx := context.Background()
	return func(s inbox.Signal) {
		switch s := s.(type) {
		case inbox.Jumped:
			t.missing.Add(ctx, s.Missing, ofType(s.Event.Type))
		case inbox.GaveUp:
			t.missing.Add(ctx, 1, ofType(s.Event.Type))
		case inbox.Skipped:
			t.skipped.Add(ctx, 1)
		case inbox.Held:
			t.held.Add(ctx, 1)
		}
	}
}

// Effects has the effects of events in their traces, and counts them.
func (t *Telemetry) Effects() inbox.Tracer {
	if t == nil {
		return nil
	}
	return effects{t}
}

type effects struct{ t *Telemetry }

// Reads implements inbox.Tracer. The lane of a key may have begun with another event.
func (f effects) Reads(ctx context.Context, e *inbox.Event) context.Context {
	if f.t.tracer == nil {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, spanOf(e.TraceParent, e.TraceState))
}

// Applies implements inbox.Tracer.
func (f effects) Applies(ctx context.Context, applied, early []*inbox.Event) (context.Context, func(bool)) {
	var spans []trace.Span
	if f.t.tracer != nil {
		all := append(applied[:len(applied):len(applied)], early...)
		parents := make([]trace.SpanContext, len(all))
		for i, e := range all {
			parents[i] = spanOf(e.TraceParent, e.TraceState)
		}
		ctx, spans = f.t.several(ctx, "apply", parents, func(i int) []attribute.KeyValue {
			return []attribute.KeyValue{attribute.String("relaybox.key", all[i].Key), attribute.Int64("relaybox.seq", all[i].Seq), attribute.Bool("relaybox.early", i >= len(applied))}
		})
	}
	return ctx, func(done bool) {
		end(spans, nil)
		if !done {
			return
		}
		for _, e := range applied {
			f.t.consumed.Add(ctx, 1, metric.WithAttributes(attribute.String("relaybox.outcome", inbox.Applied.String()), attribute.String("cloudevents.event_type", e.Type)))
			if !e.Time.IsZero() {
				f.t.effectDelay.Record(ctx, time.Since(e.Time).Seconds())
			}
		}
	}
}

func ofType(name string) metric.MeasurementOption {
	return metric.WithAttributes(attribute.String("cloudevents.event_type", name))
}
