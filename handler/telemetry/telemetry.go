// Package telemetry is what the app tells OpenTelemetry: metrics and traces, and the ids of a
// trace in log lines. It is the only room that knows OpenTelemetry; the others have observers
// and are told nothing of it.
//
// It is off unless the environment names a collector, and then it is nothing: a nil
// *Telemetry, whose observers are nil, too. When it is on, no request waits for it: what is
// told is kept in memory of a fixed size, goroutines of its own export it, and what they
// cannot get rid of is dropped.
//
// One trace leads from a request to its effects:
//
//	PUT /api/profiles/{id}          the request, under the client's own span
//	├─ commit                       and below it what Cosmos DB was asked
//	├─ send events                  by whichever instance, when it is acknowledged
//	└─ process events               the message, wherever it is consumed
//	   └─ apply                     and below it what Cosmos DB was asked
//
// An event carries its request's span as its W3C context, stored with it. So a sweep of
// another instance, or a redrive next week, goes on in the same trace, and a copy is like the
// first one. What is done for several at once is a span in the trace of each, linked to each
// other: the first one of them stands for the work and has what it did below it.
package telemetry

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"strings"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/relaybox/relaybox/handler/telemetry/otlp"
)

// scope names the instrumentation in what is exported.
const scope = "github.com/relaybox/relaybox"

// Telemetry is where the app tells of itself. Nil is off.
type Telemetry struct {
	instruments
	tracer  trace.Tracer // nil: no traces
	traces  *sdktrace.TracerProvider
	metrics *sdkmetric.MeterProvider
	cut     []func()
}

// Options are where telemetry goes; what is nil is off.
type Options struct {
	Spans   sdktrace.SpanProcessor
	Metrics sdkmetric.Reader
	// Resource describes the process.
	Resource *resource.Resource
}

// Start reads the standard environment and returns where the app tells of itself, or nil. It
// does no I/O. The error says what is wrong with the environment: telemetry is off then, and
// nothing else. log hears of collectors that cannot be reached.
func Start(environment map[string]string, version string, log *slog.Logger) (*Telemetry, error) {
	if strings.EqualFold(environment["OTEL_SDK_DISABLED"], "true") {
		return nil, nil
	}
	traces, withTraces, tracesErr := destination(environment, "traces")
	metrics, withMetrics, metricsErr := destination(environment, "metrics")
	if err := errors.Join(tracesErr, metricsErr); err != nil || !withTraces && !withMetrics {
		return nil, err
	}
	opts := Options{Resource: describe(environment, version)}
	var cut []func()
	if withTraces {
		traces.Logger = log
		exporter := otlp.NewTraces(traces)
		// Its queue is 2,048 spans long; what finds no room is dropped (OTEL_BSP_*).
		opts.Spans = sdktrace.NewBatchSpanProcessor(exporter)
		cut = append(cut, exporter.Cut)
	}
	if withMetrics {
		metrics.Logger = log
		exporter := otlp.NewMetrics(metrics)
		opts.Metrics = sdkmetric.NewPeriodicReader(exporter)
		cut = append(cut, exporter.Cut)
	}
	// The SDK's own words would go to stderr, where the host takes every line for an error.
	otel.SetLogger(logr.FromSlogHandler(log.Handler()))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Debug("opentelemetry", "error", err) }))
	t, err := New(opts)
	if err != nil {
		return nil, err
	}
	t.cut = cut
	return t, nil
}

// destination says where one kind of telemetry goes.
func destination(environment map[string]string, kind string) (cfg otlp.Config, ok bool, err error) {
	if strings.EqualFold(environment["OTEL_"+strings.ToUpper(kind)+"_EXPORTER"], "none") {
		return cfg, false, nil
	}
	return otlp.Environment(environment, kind)
}

// describe is the resource: what the environment says of it wins.
func describe(environment map[string]string, version string) *resource.Resource {
	own := []attribute.KeyValue{
		attribute.String("service.name", cmp.Or(environment["WEBSITE_SITE_NAME"], "relaybox")),
		attribute.String("service.version", version),
		// A handler that is started anew on the same instance counts from zero again.
		attribute.String("service.instance.id", newInstance()),
	}
	if site := environment["WEBSITE_SITE_NAME"]; site != "" {
		own = append(own, attribute.String("cloud.provider", "azure"), attribute.String("cloud.platform", "azure.functions"),
			attribute.String("faas.name", site), attribute.String("cloud.region", environment["REGION_NAME"]))
	}
	if instance := cmp.Or(environment["WEBSITE_INSTANCE_ID"], environment["CONTAINER_NAME"]); instance != "" {
		own = append(own, attribute.String("faas.instance", instance))
	}
	r := resource.NewSchemaless(own...)
	// A faulty OTEL_RESOURCE_ATTRIBUTES is read as far as it goes.
	said, _ := resource.New(context.Background(), resource.WithFromEnv(), resource.WithTelemetrySDK())
	if merged, err := resource.Merge(r, said); err == nil {
		r = merged
	}
	return r
}

// newInstance is an id for a process that has no other.
func newInstance() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// New returns telemetry that goes where opts say.
func New(opts Options) (*Telemetry, error) {
	t := &Telemetry{}
	if opts.Resource == nil {
		opts.Resource = resource.Empty()
	}
	if opts.Spans != nil {
		t.traces = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(opts.Spans), sdktrace.WithResource(opts.Resource))
		t.tracer = t.traces.Tracer(scope)
	}
	meter := noop.NewMeterProvider().Meter(scope)
	if opts.Metrics == nil {
		return t, t.make(meter)
	}
	t.metrics = sdkmetric.NewMeterProvider(sdkmetric.WithReader(opts.Metrics), sdkmetric.WithResource(opts.Resource))
	return t, t.make(t.metrics.Meter(scope))
}

// Close sends what is left, for as long as ctx allows, and ends what would go on.
func (t *Telemetry) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	done := make(chan error, 2) // both at once: the one must not use up the other's time
	go func() {
		if t.traces == nil {
			done <- nil
			return
		}
		done <- t.traces.Shutdown(ctx)
	}()
	go func() {
		if t.metrics == nil {
			done <- nil
			return
		}
		done <- t.metrics.Shutdown(ctx)
	}()
	err := errors.Join(<-done, <-done)
	for _, cut := range t.cut {
		cut()
	}
	return err
}
