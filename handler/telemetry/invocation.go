package telemetry

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/relaybox/relaybox/azfunc"
)

// Follow follows invocations: requests and timers have a span each, below the one that the
// host has sent, if it has. A message has its span in Inbox, where its event is known. timers
// says whether a function is called by a timer.
//
// A request goes on with its span as its trace context: that is what events take with them.
func (t *Telemetry) Follow(timers func(name string) bool) azfunc.Follow {
	if t == nil {
		return nil
	}
	return func(r *http.Request, name string, forwarded bool) (*http.Request, func(int, error)) {
		switch {
		case forwarded:
			return t.request(r, "/"+template(name))
		case timers(name):
			return t.timer(r, name)
		case t.tracer != nil:
			r = r.WithContext(w3c.Extract(r.Context(), propagation.HeaderCarrier(r.Header)))
		}
		return r, func(int, error) {}
	}
}

func (t *Telemetry) request(r *http.Request, route string) (*http.Request, func(int, error)) {
	began := time.Now()
	var span trace.Span
	if t.tracer != nil {
		var ctx context.Context
		ctx, span = t.tracer.Start(w3c.Extract(r.Context(), propagation.HeaderCarrier(r.Header)), r.Method+" "+route,
			trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
				attribute.String("http.request.method", r.Method), attribute.String("http.route", route),
				attribute.String("url.path", r.URL.Path), attribute.String("url.scheme", scheme(r)),
				attribute.String("user_agent.original", r.UserAgent()), attribute.String("faas.trigger", "http"),
				attribute.String("faas.invocation_id", azfunc.InvocationID(r.Header)),
			))
		r = r.WithContext(ctx)
		r.Header = r.Header.Clone()
		r.Header.Del("tracestate") // of a traceparent that was none
		w3c.Inject(ctx, propagation.HeaderCarrier(r.Header))
	}
	return r, func(status int, err error) {
		attributes := []attribute.KeyValue{
			attribute.String("http.request.method", r.Method), attribute.String("http.route", route),
			attribute.String("url.scheme", scheme(r)), attribute.Int("http.response.status_code", status),
		}
		if status >= http.StatusInternalServerError {
			attributes = append(attributes, attribute.String("error.type", strconv.Itoa(status)))
		}
		t.requests.Record(r.Context(), time.Since(began).Seconds(), metric.WithAttributes(attributes...))
		if span == nil {
			return
		}
		span.SetAttributes(attribute.Int("http.response.status_code", status))
		if status >= http.StatusInternalServerError {
			span.SetAttributes(attribute.String("error.type", strconv.Itoa(status)))
			span.SetStatus(codes.Error, text(err))
		}
		span.End()
	}
}

func (t *Telemetry) timer(r *http.Request, name string) (*http.Request, func(int, error)) {
	began := time.Now()
	var span trace.Span
	if t.tracer != nil {
		var ctx context.Context
		ctx, span = t.tracer.Start(w3c.Extract(r.Context(), propagation.HeaderCarrier(r.Header)), name,
			trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
				attribute.String("faas.trigger", "timer"), attribute.String("faas.invocation_id", azfunc.InvocationID(r.Header)),
			))
		r = r.WithContext(ctx)
	}
	return r, func(status int, err error) {
		attributes := []attribute.KeyValue{attribute.String("relaybox.function", name)}
		if status >= http.StatusInternalServerError {
			attributes = append(attributes, attribute.String("error.type", strconv.Itoa(status)))
		}
		t.timers.Record(r.Context(), time.Since(began).Seconds(), metric.WithAttributes(attributes...))
		if span == nil {
			return
		}
		if status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, text(err))
		}
		span.End()
	}
}

// scheme is the client's, as the platform's front end tells it.
func scheme(r *http.Request) string {
	if r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https"
	}
	return "http"
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// template is a route without the constraints of its parameters: {id:maxlength(9)} is {id}.
func template(route string) string {
	var b strings.Builder
	depth, constraint := 0, false
	for _, r := range route {
		switch r {
		case '{':
			depth++
		case '}':
			depth--
		case ':', '?':
			constraint = constraint || depth > 0
		}
		if depth == 0 {
			constraint = false
		}
		if !constraint {
			b.WriteRune(r)
		}
	}
	return b.String()
}
