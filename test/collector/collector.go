// Package collector is an OpenTelemetry collector for tests: it takes OTLP over HTTP in
// protobuf, reads it with the official types, and shows what came.
package collector

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector is one that runs.
type Collector struct {
	// URL is the endpoint: what OTEL_EXPORTER_OTLP_ENDPOINT wants.
	URL string

	t testing.TB

	mu       sync.Mutex
	spans    []Span
	metrics  []*metricspb.Metric
	resource map[string]any
	requests []http.Header
	refusals []int
}

// Span is a span that came, with ids in hex as traceparent has them.
type Span struct {
	Name, TraceID, ID, Parent, State string
	Kind                             tracepb.Span_SpanKind
	Start, End                       time.Time
	Attributes                       map[string]any
	// Links are trace id and span id, with a dash between.
	Links []string
	// Service and Instance are the resource's service.name and service.instance.id.
	Service, Instance string
	Raw               *tracepb.Span
}

// RunT runs a collector until the test ends.
func RunT(t testing.TB) *Collector {
	t.Helper()
	c := &Collector{t: t}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	c.URL = s.URL
	return c
}

// Refuse has the next requests answered with these statuses, and not taken.
func (c *Collector) Refuse(statuses ...int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refusals = append(c.refusals, statuses...)
}

// ServeHTTP implements http.Handler.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := c.body(r)
	assert.NoError(c.t, err)
	assert.Equal(c.t, http.MethodPost, r.Method)
	assert.Equal(c.t, "application/x-protobuf", r.Header.Get("Content-Type"))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests = append(c.requests, r.Header)
	if len(c.refusals) > 0 {
		w.WriteHeader(c.refusals[0])
		c.refusals = c.refusals[1:]
		return
	}
	switch r.URL.Path {
	case "/v1/traces":
		var all tracepb.TracesData // the request's message has another name, and the same fields
		assert.NoError(c.t, proto.Unmarshal(body, &all))
		c.takeSpans(&all)
	case "/v1/metrics":
		var all metricspb.MetricsData
		assert.NoError(c.t, proto.Unmarshal(body, &all))
		for _, r := range all.ResourceMetrics {
			c.resource = attributes(r.Resource.GetAttributes())
			for _, s := range r.ScopeMetrics {
				c.metrics = append(c.metrics, s.Metrics...)
			}
		}
	default:
		assert.Fail(c.t, "no such path", r.URL.Path)
		w.WriteHeader(http.StatusNotFound)
	}
}

func (c *Collector) body(r *http.Request) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return io.ReadAll(r.Body)
	}
	unpacked, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(unpacked)
}

// takeSpans is called with mu held.
func (c *Collector) takeSpans(all *tracepb.TracesData) {
	for _, r := range all.ResourceSpans {
		for _, s := range r.ScopeSpans {
			for _, raw := range s.Spans {
				c.spans = append(c.spans, span(r.Resource, raw))
			}
		}
	}
}

func span(r *resourcepb.Resource, raw *tracepb.Span) Span {
	s := Span{
		Name: raw.Name, TraceID: hex.EncodeToString(raw.TraceId), ID: hex.EncodeToString(raw.SpanId), Parent: hex.EncodeToString(raw.ParentSpanId),
		State: raw.TraceState, Kind: raw.Kind, Start: time.Unix(0, int64(raw.StartTimeUnixNano)), End: time.Unix(0, int64(raw.EndTimeUnixNano)),
		Attributes: attributes(raw.Attributes), Raw: raw,
	}
	about := attributes(r.GetAttributes())
	s.Service, _ = about["service.name"].(string)
	s.Instance, _ = about["service.instance.id"].(string)
	for _, l := range raw.Links {
		s.Links = append(s.Links, hex.EncodeToString(l.TraceId)+"-"+hex.EncodeToString(l.SpanId))
	}
	return s
}

func attributes(all []*commonpb.KeyValue) map[string]any {
	m := make(map[string]any, len(all))
	for _, a := range all {
		m[a.Key] = value(a.Value)
	}
	return m
}

func value(v *commonpb.AnyValue) any {
	switch v := v.GetValue().(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue
	case *commonpb.AnyValue_IntValue:
		return v.IntValue
	case *commonpb.AnyValue_DoubleValue:
		return v.DoubleValue
	case *commonpb.AnyValue_ArrayValue:
		var list []any
		for _, e := range v.ArrayValue.Values {
			list = append(list, value(e))
		}
		return list
	}
	return nil
}

// Spans are those of a trace that have come so far, by their start; of all traces for "".
func (c *Collector) Spans(traceID string) []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []Span
	for _, s := range c.spans {
		if traceID == "" || s.TraceID == traceID {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return found
}

// Metrics are all that have come so far.
func (c *Collector) Metrics() []*metricspb.Metric {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.metrics)
}

// Resource is that of the metrics that came last.
func (c *Collector) Resource() map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resource
}

// Requests are the headers of all requests so far, also of those that were refused.
func (c *Collector) Requests() []http.Header {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}
