package telemetry

import (
	"context"
	"log/slog"
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/relaybox/relaybox/azfunc"
)

// Correlated returns a log handler whose lines have trace_id and span_id of what they belong
// to: the span of the context, or, while telemetry is off, the trace context that the host has
// sent. A line that has a Trace says so itself.
func Correlated(h slog.Handler) slog.Handler { return correlated{h} }

type correlated struct{ slog.Handler }

// Handle implements slog.Handler.
func (c correlated) Handle(ctx context.Context, r slog.Record) error {
	told := false
	r.Attrs(func(a slog.Attr) bool {
		if a.Value.Kind() == slog.KindLogValuer {
			_, told = a.Value.Any().(traced)
		}
		return !told
	})
	if !told {
		if s := trace.SpanContextFromContext(ctx); s.IsValid() {
			r.AddAttrs(slog.String("trace_id", s.TraceID().String()), slog.String("span_id", s.SpanID().String()))
		} else if parent := azfunc.Traceparent(ctx); parent != "" {
			r.AddAttrs(Trace(parent))
		}
	}
	return c.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (c correlated) WithAttrs(attrs []slog.Attr) slog.Handler {
	return correlated{c.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (c correlated) WithGroup(name string) slog.Handler {
	return correlated{c.Handler.WithGroup(name)}
}

// Trace is trace_id and span_id of a W3C traceparent; nothing if that is none.
func Trace(parent string) slog.Attr { return slog.Any("", traced(parent)) }

// traced is read only if the line is written.
type traced string

// LogValue implements slog.LogValuer. A group without a name stands in the line itself.
func (t traced) LogValue() slog.Value {
	part := strings.Split(string(t), "-")
	if len(part) < 4 || len(part[1]) != 32 || len(part[2]) != 16 {
		return slog.GroupValue()
	}
	return slog.GroupValue(slog.String("trace_id", part[1]), slog.String("span_id", part[2]))
}
