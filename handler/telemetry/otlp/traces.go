package otlp

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/trace"
	otrace "go.opentelemetry.io/otel/trace"
)

// Traces exports spans. It implements trace.SpanExporter of the SDK.
type Traces struct{ c *client }

// NewTraces returns an exporter. It does no I/O.
func NewTraces(cfg Config) *Traces { return &Traces{newClient("traces", cfg)} }

// ExportSpans sends a batch. That it failed was told as Config says, and is no error here: the
// SDK would log each.
func (t *Traces) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	if len(spans) > 0 {
		t.c.export(ctx, traces(spans))
	}
	return nil
}

// Cut ends what is under way, for who cannot wait.
func (t *Traces) Cut() { t.c.close() }

// Shutdown is Cut: nothing is kept here.
func (t *Traces) Shutdown(context.Context) error {
	t.c.close()
	return nil
}

// traces is an ExportTraceServiceRequest. All spans of a process have one resource.
func traces(spans []trace.ReadOnlySpan) []byte {
	var scopes []instrumentation.Scope
	of := map[instrumentation.Scope][]trace.ReadOnlySpan{}
	for _, s := range spans {
		scope := s.InstrumentationScope()
		if of[scope] == nil {
			scopes = append(scopes, scope)
		}
		of[scope] = append(of[scope], s)
	}
	var m message
	m.in(1, func(m *message) {
		m.resource(1, spans[0].Resource())
		for _, scope := range scopes {
			m.in(2, func(m *message) {
				m.scope(1, scope)
				for _, s := range of[scope] {
					m.in(2, func(m *message) { m.span(s) })
				}
				m.text(3, scope.SchemaURL)
			})
		}
		m.text(3, spans[0].Resource().SchemaURL())
	})
	return m
}

func (m *message) span(s trace.ReadOnlySpan) {
	self, parent := s.SpanContext(), s.Parent()
	m.ids(self)
	m.text(3, self.TraceState().String())
	if id := parent.SpanID(); parent.HasSpanID() {
		m.bytes(4, id[:])
	}
	m.text(5, s.Name())
	m.uint(6, uint64(s.SpanKind())) // numbered alike
	m.at(7, s.StartTime())
	m.at(8, s.EndTime())
	m.attributes(9, s.Attributes())
	m.uint(10, uint64(s.DroppedAttributes()))
	for _, e := range s.Events() {
		m.in(11, func(m *message) {
			m.at(1, e.Time)
			m.text(2, e.Name)
			m.attributes(3, e.Attributes)
			m.uint(4, uint64(e.DroppedAttributeCount))
		})
	}
	m.uint(12, uint64(s.DroppedEvents()))
	for _, l := range s.Links() {
		m.in(13, func(m *message) { m.link(l.SpanContext, l.Attributes, l.DroppedAttributeCount) })
	}
	m.uint(14, uint64(s.DroppedLinks()))
	m.in(15, func(m *message) {
		status := s.Status()
		m.text(2, status.Description)
		m.uint(3, uint64(statusCode(status.Code)))
	})
	m.fixed32(16, flags(self, parent.IsRemote()))
}

func (m *message) ids(c otrace.SpanContext) {
	traceID, spanID := c.TraceID(), c.SpanID()
	m.bytes(1, traceID[:])
	m.bytes(2, spanID[:])
}

func (m *message) link(to otrace.SpanContext, attributes []attribute.KeyValue, dropped int) {
	m.ids(to)
	m.text(3, to.TraceState().String())
	m.attributes(4, attributes)
	m.uint(5, uint64(dropped))
	m.fixed32(6, flags(to, to.IsRemote()))
}

// statusCode is the wire's number, where OK stands before the error.
func statusCode(c codes.Code) int {
	switch c {
	case codes.Ok:
		return 1
	case codes.Error:
		return 2
	}
	return 0
}

// flags are the W3C ones, with two bits above them: it is known whether the parent, or what is
// linked to, is remote, and whether it is.
func flags(c otrace.SpanContext, remote bool) uint32 {
	f := uint32(c.TraceFlags()) | 1<<8
	if remote {
		f |= 1 << 9
	}
	return f
}
