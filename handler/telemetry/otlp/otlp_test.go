package otlp_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/relaybox/relaybox/handler/telemetry/otlp"
	"github.com/relaybox/relaybox/test/collector"
)

var about = resource.NewSchemaless(attribute.String("service.name", "s"))

// at is a Config that goes to c.
func at(t *testing.T, c *collector.Collector, kind string, more map[string]string) otlp.Config {
	t.Helper()
	all := map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL + "/"}
	for name, value := range more {
		all[name] = value
	}
	cfg, ok, err := otlp.Environment(all, kind)
	require.NoError(t, err)
	require.True(t, ok)
	return cfg
}

// remote is a parent in another process.
func remote(t *testing.T) trace.SpanContext {
	t.Helper()
	state, err := trace.ParseTraceState("a=b")
	require.NoError(t, err)
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled, TraceState: state, Remote: true})
}

// TestSpansArriveWhole: what the SDK has of a span is what a collector reads.
func TestSpansArriveWhole(t *testing.T) {
	t.Parallel()
	c := collector.RunT(t)
	exporter := otlp.NewTraces(at(t, c, "traces", map[string]string{"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b, other = c"}))
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter), sdktrace.WithResource(about))
	began := time.Unix(1700000000, 5)
	link := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{9}, SpanID: trace.SpanID{8}})
	_, span := provider.Tracer("scope", trace.WithInstrumentationVersion("v1")).Start(trace.ContextWithRemoteSpanContext(t.Context(), remote(t)), "name",
		trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(began), trace.WithLinks(trace.Link{SpanContext: link, Attributes: []attribute.KeyValue{attribute.Bool("l", true)}}),
		trace.WithAttributes(attribute.String("text", "ü"), attribute.String("empty", ""), attribute.Int("number", -3), attribute.Int("zero", 0),
			attribute.Float64("part", .5), attribute.Bool("no", false), attribute.StringSlice("list", []string{"a", ""})))
	span.AddEvent("happened", trace.WithTimestamp(began.Add(1)), trace.WithAttributes(attribute.Int("e", 1)))
	span.SetStatus(codes.Error, "broken")
	span.End(trace.WithTimestamp(began.Add(7)))

	spans := c.Spans("")
	require.Len(t, spans, 1)
	got := spans[0]
	self := span.SpanContext()
	require.Equal(t, self.TraceID().String(), got.TraceID)
	require.Equal(t, self.SpanID().String(), got.ID)
	require.Equal(t, remote(t).SpanID().String(), got.Parent)
	require.Equal(t, "a=b", got.State)
	require.Equal(t, "name", got.Name)
	require.Equal(t, "s", got.Service)
	require.Equal(t, tracepb.Span_SPAN_KIND_CONSUMER, got.Kind)
	require.True(t, began.Equal(got.Start))
	require.Equal(t, time.Duration(7), got.End.Sub(got.Start))
	require.Equal(t, map[string]any{
		"text": "ü", "empty": "", "number": int64(-3), "zero": int64(0), "part": .5, "no": false, "list": []any{"a", ""},
	}, got.Attributes)
	require.Equal(t, []string{link.TraceID().String() + "-" + link.SpanID().String()}, got.Links)
	require.True(t, got.Raw.Links[0].Attributes[0].Value.GetBoolValue())
	require.Equal(t, uint32(0x301), got.Raw.Flags, "sampled, and the parent is remote")
	require.Equal(t, uint32(0x100), got.Raw.Links[0].Flags)
	require.Equal(t, "happened", got.Raw.Events[0].Name)
	require.Equal(t, int64(1), got.Raw.Events[0].Attributes[0].Value.GetIntValue())
	require.Equal(t, tracepb.Status_STATUS_CODE_ERROR, got.Raw.Status.Code)
	require.Equal(t, "broken", got.Raw.Status.Message)

	header := c.Requests()[0]
	require.Equal(t, "gzip", header.Get("Content-Encoding"))
	require.Equal(t, "a b", header.Get("Api-Key"))
	require.Equal(t, "c", header.Get("Other"))
}

// TestBytesThatAreNoText cost the others nothing: a client may have sent them.
func TestBytesThatAreNoText(t *testing.T) {
	t.Parallel()
	c := collector.RunT(t)
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(otlp.NewTraces(at(t, c, "traces", nil))), sdktrace.WithResource(about))
	_, span := provider.Tracer("scope").Start(t.Context(), "PUT /\xff", trace.WithAttributes(attribute.String("user_agent.original", "a\xffb")))
	span.End()
	spans := c.Spans("")
	require.Len(t, spans, 1)
	require.Equal(t, "PUT /\uFFFD", spans[0].Name)
}

func TestMetricsArriveWhole(t *testing.T) {
	t.Parallel()
	for _, preference := range []string{"", "delta", "lowmemory"} {
		t.Run(preference, func(t *testing.T) {
			t.Parallel()
			c := collector.RunT(t)
			exporter := otlp.NewMetrics(at(t, c, "metrics", map[string]string{"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": preference}))
			provider := sdkmetric.NewMeterProvider(sdkmetric.WithResource(about), sdkmetric.WithReader(sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithInterval(time.Hour))))
			meter := provider.Meter("scope")
			ctx, with := trace.ContextWithRemoteSpanContext(t.Context(), remote(t)), metric.WithAttributes(attribute.String("k", "v"))
			whole, err := meter.Int64Counter("whole", metric.WithUnit("{event}"), metric.WithDescription("what"))
			require.NoError(t, err)
			whole.Add(ctx, 3, with)
			parts, err := meter.Float64UpDownCounter("parts")
			require.NoError(t, err)
			parts.Add(ctx, -.5)
			took, err := meter.Float64Histogram("took", metric.WithExplicitBucketBoundaries(1, 2))
			require.NoError(t, err)
			took.Record(ctx, 1.5, with)
			took.Record(ctx, 9, with)
			sizes, err := meter.Int64Histogram("sizes", metric.WithExplicitBucketBoundaries(1))
			require.NoError(t, err)
			sizes.Record(ctx, 4)
			now, err := meter.Int64Gauge("now")
			require.NoError(t, err)
			now.Record(ctx, 0)
			share, err := meter.Float64Gauge("share")
			require.NoError(t, err)
			share.Record(ctx, .25)
			require.NoError(t, provider.Shutdown(t.Context()))

			got := map[string]*metricspb.Metric{}
			for _, m := range c.Metrics() {
				got[m.Name] = m
			}
			require.Len(t, got, 6)
			require.Equal(t, "s", c.Resource()["service.name"])
			want := metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE
			if preference != "" {
				want = metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA
			}
			require.Equal(t, "{event}", got["whole"].Unit)
			require.Equal(t, "what", got["whole"].Description)
			require.True(t, got["whole"].GetSum().IsMonotonic)
			require.Equal(t, want, got["whole"].GetSum().AggregationTemporality)
			point := got["whole"].GetSum().DataPoints[0]
			require.Equal(t, int64(3), point.GetAsInt())
			require.Equal(t, "v", point.Attributes[0].Value.GetStringValue())
			require.NotZero(t, point.StartTimeUnixNano)
			require.NotZero(t, point.TimeUnixNano)
			require.Equal(t, hex.EncodeToString(point.Exemplars[0].TraceId), remote(t).TraceID().String())
			require.False(t, got["parts"].GetSum().IsMonotonic)
			require.InDelta(t, -.5, got["parts"].GetSum().DataPoints[0].GetAsDouble(), 0)
			h := got["took"].GetHistogram()
			require.Equal(t, want, h.AggregationTemporality)
			require.Equal(t, []uint64{0, 1, 1}, h.DataPoints[0].BucketCounts)
			require.Equal(t, []float64{1, 2}, h.DataPoints[0].ExplicitBounds)
			require.Equal(t, uint64(2), h.DataPoints[0].Count)
			require.InDelta(t, 10.5, h.DataPoints[0].GetSum(), 0)
			require.InDelta(t, 1.5, h.DataPoints[0].GetMin(), 0)
			require.InDelta(t, 9, h.DataPoints[0].GetMax(), 0)
			require.InDelta(t, 4, got["sizes"].GetHistogram().DataPoints[0].GetSum(), 0)
			require.Equal(t, int64(0), got["now"].GetGauge().DataPoints[0].GetAsInt())
			require.InDelta(t, .25, got["share"].GetGauge().DataPoints[0].GetAsDouble(), 0)
		})
	}
}

// one is a metric to be exported.
func one() *metricdata.ResourceMetrics {
	return &metricdata.ResourceMetrics{Resource: about, ScopeMetrics: []metricdata.ScopeMetrics{{Metrics: []metricdata.Metrics{{
		Name: "m", Data: metricdata.Gauge[int64]{DataPoints: []metricdata.DataPoint[int64]{{Value: 1}}},
	}}}}}
}

// TestACollectorThatPassesFaults: what it is too busy for comes again, what it will not have
// does not, and each change of its state is one line.
func TestACollectorThatPassesFaults(t *testing.T) {
	t.Parallel()
	c := collector.RunT(t)
	var log bytes.Buffer
	cfg := at(t, c, "metrics", nil)
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	x := otlp.NewMetrics(cfg)
	export := func() { require.NoError(t, x.Export(t.Context(), one())) }

	c.Refuse(http.StatusServiceUnavailable, http.StatusTooManyRequests)
	export()
	require.Len(t, c.Requests(), 3)
	require.Len(t, c.Metrics(), 1)
	require.Empty(t, log.String(), "it arrived in the end")

	c.Refuse(http.StatusBadRequest, http.StatusUnauthorized, http.StatusNotFound)
	for range 3 {
		export()
	}
	require.Len(t, c.Requests(), 6, "each once")
	require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
	require.Contains(t, log.String(), "level=WARN")
	require.Contains(t, log.String(), "signal=telemetry what=metrics")
	require.Contains(t, log.String(), "400 Bad Request")

	export()
	export()
	require.Len(t, c.Metrics(), 3)
	require.Equal(t, 2, strings.Count(log.String(), "\n"), log.String())
	require.Contains(t, log.String(), "level=INFO")
	require.Contains(t, log.String(), "lost=3")
}

// TestACollectorThatIsAway costs an export its time and no more, and its address is no part of
// the log: it may hold a key.
func TestACollectorThatIsAway(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	cfg, ok, err := otlp.Environment(map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": gone.URL + "/secret", "OTEL_EXPORTER_OTLP_TIMEOUT": "50"}, "metrics")
	require.NoError(t, err)
	require.True(t, ok)
	var log bytes.Buffer
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	x := otlp.NewMetrics(cfg)
	for range 3 {
		require.NoError(t, x.Export(t.Context(), one()))
	}
	require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
	require.NotContains(t, log.String(), "secret")
}

// TestACollectorThatHangs is cut by the timeout, or by the end.
func TestACollectorThatHangs(t *testing.T) {
	t.Parallel()
	var held atomic.Int32
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		held.Add(1)
		select {
		case <-r.Context().Done():
		case <-over:
		}
	}))
	t.Cleanup(func() { close(over); s.Close() })
	x := otlp.NewMetrics(otlp.Config{URL: s.URL, Timeout: 20 * time.Millisecond})
	require.NoError(t, x.Export(t.Context(), one()))

	var log bytes.Buffer
	before := held.Load()
	y := otlp.NewTraces(otlp.Config{URL: s.URL, Timeout: time.Hour, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	done := make(chan struct{})
	go func() {
		defer close(done)
		spans := sdktrace.NewTracerProvider(sdktrace.WithSyncer(y))
		_, span := spans.Tracer("").Start(context.Background(), "s")
		span.End()
	}()
	require.Eventually(t, func() bool { return held.Load() > before }, time.Minute, time.Millisecond)
	y.Cut()
	<-done
	require.Empty(t, log.String(), "the end is no fault")
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	const all, traces = "OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"
	for name, c := range map[string]struct {
		in    map[string]string
		url   string
		fault string
	}{
		"nothing":             {nil, "", ""},
		"other":               {map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://h"}, "", ""},
		"common":              {map[string]string{all + "ENDPOINT": "http://h:4318"}, "http://h:4318/v1/traces", ""},
		"common with a path":  {map[string]string{all + "ENDPOINT": "https://h/otlp/"}, "https://h/otlp/v1/traces", ""},
		"own":                 {map[string]string{all + "ENDPOINT": "http://h", traces + "ENDPOINT": "http://o/as/it/is"}, "http://o/as/it/is", ""},
		"own without a path":  {map[string]string{traces + "ENDPOINT": "http://o"}, "http://o/", ""},
		"no URL":              {map[string]string{all + "ENDPOINT": "h:4318 secret"}, "", "OTEL_EXPORTER_OTLP_ENDPOINT is no URL"},
		"no scheme of ours":   {map[string]string{traces + "ENDPOINT": "ftp://h"}, "", traces + "ENDPOINT is no URL"},
		"another protocol":    {map[string]string{all + "ENDPOINT": "http://h", all + "PROTOCOL": "grpc"}, "", `PROTOCOL is "grpc": only http/protobuf`},
		"own protocol wins":   {map[string]string{all + "ENDPOINT": "http://h", all + "PROTOCOL": "grpc", traces + "PROTOCOL": "http/protobuf"}, "http://h/v1/traces", ""},
		"headers":             {map[string]string{all + "ENDPOINT": "http://h", all + "HEADERS": "secret"}, "", "HEADERS is no list"},
		"timeout":             {map[string]string{all + "ENDPOINT": "http://h", all + "TIMEOUT": "10s"}, "", `TIMEOUT is "10s"`},
		"compression":         {map[string]string{all + "ENDPOINT": "http://h", traces + "COMPRESSION": "zstd"}, "", `TRACES_COMPRESSION is "zstd"`},
		"certificate":         {map[string]string{all + "ENDPOINT": "https://h", all + "CERTIFICATE": "/nowhere"}, "", "CERTIFICATE: open /nowhere"},
		"certificate, no PEM": {map[string]string{all + "ENDPOINT": "https://h", all + "CERTIFICATE": "otlp_test.go"}, "", "has no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, ok, err := otlp.Environment(c.in, "traces")
			if c.fault != "" {
				require.ErrorContains(t, err, c.fault)
				require.NotContains(t, err.Error(), "secret")
				require.False(t, ok)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.url != "", ok)
			require.Equal(t, c.url, cfg.URL)
		})
	}
}

// TestNothingIsSentForNothing, and an exporter that was shut down sends nothing either.
func TestNothingIsSentForNothing(t *testing.T) {
	t.Parallel()
	c := collector.RunT(t)
	traces, metrics := otlp.NewTraces(at(t, c, "traces", nil)), otlp.NewMetrics(at(t, c, "metrics", nil))
	require.NoError(t, traces.ExportSpans(t.Context(), nil))
	require.NoError(t, metrics.Export(t.Context(), &metricdata.ResourceMetrics{}))
	require.NoError(t, metrics.ForceFlush(t.Context()))
	require.NoError(t, errors.Join(traces.Shutdown(t.Context()), metrics.Shutdown(t.Context())))
	require.NoError(t, metrics.Export(t.Context(), one()))
	require.Empty(t, c.Requests())
}
