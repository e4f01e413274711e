package telemetry

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// w3c reads and writes traceparent and tracestate.
var w3c propagation.TraceContext

// carrier holds the two as an event does.
type carrier struct{ parent, state string }

// Get implements propagation.TextMapCarrier.
func (c *carrier) Get(key string) string {
	switch key {
	case "traceparent":
		return c.parent
	case "tracestate":
		return c.state
	}
	return ""
}

// Set implements propagation.TextMapCarrier.
func (c *carrier) Set(key, value string) {
	switch key {
	case "traceparent":
		c.parent = value
	case "tracestate":
		c.state = value
	}
}

// Keys implements propagation.TextMapCarrier.
func (c *carrier) Keys() []string { return []string{"traceparent", "tracestate"} }

// spanOf is the span that a W3C context names; an invalid one if it names none.
func spanOf(parent, state string) trace.SpanContext {
	if parent == "" {
		return trace.SpanContext{}
	}
	return trace.SpanContextFromContext(w3c.Extract(context.Background(), &carrier{parent, state}))
}

// several begins one span below each of the parents, for work that is done for all of them at
// once. The first one stands for the work: it is the span of the context that is returned, and
// linked to the others' parents, as each of them is to it. of has the attributes for each
// parent; without it, one that comes twice has one span.
func (t *Telemetry) several(ctx context.Context, name string, parents []trace.SpanContext, of func(i int) []attribute.KeyValue, opts ...trace.SpanStartOption) (context.Context, []trace.Span) {
	var at []int
	var links []trace.Link
	seen := make(map[trace.SpanID]bool, len(parents))
	for i, p := range parents {
		if !p.IsValid() || of == nil && seen[p.SpanID()] {
			continue
		}
		if seen[p.SpanID()] = true; len(at) > 0 {
			links = append(links, trace.Link{SpanContext: p})
		}
		at = append(at, i)
	}
	below := ctx
	var spans []trace.Span
	for n, i := range at {
		if n > 0 {
			links = []trace.Link{{SpanContext: spans[0].SpanContext()}}
		}
		own := append(opts[:len(opts):len(opts)], trace.WithLinks(links...))
		if of != nil {
			own = append(own, trace.WithAttributes(of(i)...))
		}
		at, span := t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, parents[i]), name, own...)
		if n == 0 {
			below = at
		}
		spans = append(spans, span)
	}
	return below, spans
}

// end ends spans, with what went wrong.
func end(spans []trace.Span, err error, opts ...trace.SpanEndOption) {
	for _, s := range spans {
		if err != nil {
			s.SetStatus(codes.Error, err.Error())
		}
		s.End(opts...)
	}
}
