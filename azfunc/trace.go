package azfunc

import (
	"context"
	"net/http"
)

// called is the context of an invocation whose host has sent a trace context.
type called struct {
	context.Context
	traceparent string
}

type calledKey struct{}

// Value finds the invocation in every context that is made from it.
func (c *called) Value(key any) any {
	if key == (calledKey{}) {
		return c
	}
	return c.Context.Value(key)
}

// ofRequest is the context of the request, with its traceparent if it has one.
func ofRequest(r *http.Request) context.Context {
	if lines := r.Header["Traceparent"]; len(lines) == 1 {
		return WithTraceparent(r.Context(), lines[0])
	}
	return r.Context()
}

// WithTraceparent returns ctx for what belongs to the trace of a W3C traceparent.
func WithTraceparent(ctx context.Context, traceparent string) context.Context {
	return &called{ctx, traceparent}
}

// Traceparent is that of the invocation that ctx belongs to, as it came, "" without one: log
// handlers want to know.
func Traceparent(ctx context.Context) string {
	if c, ok := ctx.Value(calledKey{}).(*called); ok {
		return c.traceparent
	}
	return ""
}
