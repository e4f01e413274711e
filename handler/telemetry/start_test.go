package telemetry_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/relaybox/relaybox/handler/telemetry"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/test/collector"
)

// TestOffIsNothing: no observer, no span, nothing that runs.
func TestOffIsNothing(t *testing.T) {
	t.Parallel()
	const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"
	for name, environment := range map[string]map[string]string{
		"nothing set":  nil,
		"disabled":     {endpoint: "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
		"no exporters": {endpoint: "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
		"only a name":  {"OTEL_SERVICE_NAME": "s", "OTEL_RESOURCE_ATTRIBUTES": "a=b", "OTEL_TRACES_SAMPLER": "always_on"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tell, err := telemetry.Start(environment, "v1", slog.New(slog.DiscardHandler))
			require.NoError(t, err)
			require.Nil(t, tell)
			require.Nil(t, tell.Follow(nil))
			require.Nil(t, tell.Store())
			require.Nil(t, tell.Bus())
			require.Nil(t, tell.Outbox())
			require.Nil(t, tell.Writer())
			require.Nil(t, tell.Consumer())
			require.Nil(t, tell.Effects())
			require.NoError(t, tell.Close(t.Context()))
		})
	}
	tell, err := telemetry.Start(map[string]string{endpoint: "nowhere"}, "v1", slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, endpoint)
	require.Nil(t, tell, "a mistake in it keeps no app from starting")
}

// TestMetricsWithoutTraces leave the client's trace context as it is.
func TestMetricsWithoutTraces(t *testing.T) {
	t.Parallel()
	c := collector.RunT(t)
	a := telling(t, io.Discard)
	var err error
	a.tell, err = telemetry.Start(map[string]string{"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": c.URL + "/v1/metrics"}, "v1", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Nil(t, a.tell.Writer())
	a.serve(io.Discard)
	require.Equal(t, 201, a.call("PUT", "/api/profiles/ada", `{"displayName":"Ada"}`, "traceparent", clients).Code)
	require.Equal(t, clients, a.store.Events("profile:ada")[0].Trace.Parent)
	_, err = a.dispatcher.Drain(t.Context(), "profile:ada", time.Second)
	require.NoError(t, err)
	require.Equal(t, 200, a.deliver(a.bus.Log()[0]).Code)
	require.NoError(t, a.tell.Close(t.Context()))
	require.Empty(t, c.Spans(""))
	names := map[string]bool{}
	for _, m := range c.Metrics() {
		names[m.Name] = true
	}
	require.True(t, names["http.server.request.duration"] && names["relaybox.effect.delay"], names)
	require.Equal(t, "relaybox", c.Resource()["service.name"])
	require.Equal(t, "v1", c.Resource()["service.version"])
	require.NotEmpty(t, c.Resource()["service.instance.id"])
}

// TestTheEndFlushes what has not been exported yet.
func TestTheEndFlushes(t *testing.T) {
	t.Parallel()
	c := collector.RunT(t)
	tell, err := telemetry.Start(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL, "WEBSITE_SITE_NAME": "site"}, "v1", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, end := tell.Writer()(t.Context(), []outbox.Trace{{Parent: clients}})
	end()
	tell.Outbox()(outbox.Dropped{})
	require.Empty(t, c.Requests())
	require.NoError(t, tell.Close(t.Context()))
	require.Len(t, c.Spans(strings.Split(clients, "-")[1]), 1)
	require.Equal(t, "site", c.Spans("")[0].Service)
	require.Len(t, c.Metrics(), 1)
}

// TestACollectorThatHangs holds up no request and no end, and keeps no more than its queue.
func TestACollectorThatHangs(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(func() { close(over); s.Close() })
	var log writer
	a := telling(t, io.Discard)
	var err error
	a.tell, err = telemetry.Start(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": s.URL}, "v1", slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	a.serve(io.Discard)
	for range 3000 { // the queue holds 2,048
		_, end := a.tell.Writer()(t.Context(), []outbox.Trace{{Parent: clients}})
		end()
	}
	for n := range 20 {
		w := a.call("PUT", "/api/profiles/ada", fmt.Sprintf(`{"displayName":"Ada %d"}`, n))
		require.Less(t, w.Code, 300)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.Error(t, a.tell.Close(ctx), "which says that it could not")
	require.LessOrEqual(t, strings.Count(log.text(), "\n"), 2, "once for each kind, at most")
}

// BenchmarkRequest is what a request costs with telemetry off and on, the store left out. Off
// is what it costs without this package.
func BenchmarkRequest(b *testing.B) {
	for _, mode := range []string{"off", "on"} {
		b.Run(mode, func(b *testing.B) {
			a := telling(b, io.Discard)
			a.tell = nil
			if mode == "on" {
				var err error // what an instance that exports has, without the export
				a.tell, err = telemetry.New(telemetry.Options{Spans: sdktrace.NewBatchSpanProcessor(tracetest.NewNoopExporter()), Metrics: sdkmetric.NewManualReader()})
				require.NoError(b, err)
			}
			a.serve(io.Discard)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				r := httptest.NewRequest(http.MethodPut, fmt.Sprintf("/api/profiles/p-%d", n%100), bytes.NewReader(fmt.Appendf(nil, `{"displayName":"Ada %d"}`, n)))
				r.Header.Set("Content-Type", "application/json")
				w := httptest.NewRecorder()
				if a.handler.ServeHTTP(w, r); w.Code > 201 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
