package telemetry

import (
	"context"
	"net/http"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/relaybox/relaybox/azure/cosmos"
)

// Store tells of the requests to Cosmos DB. One that belongs to nobody's trace, such as a look
// for orphans, is counted and has no span.
func (t *Telemetry) Store() cosmos.Observer {
	if t == nil {
		return nil
	}
	return func(ctx context.Context, a cosmos.Attempt) {
		attributes := []attribute.KeyValue{
			attribute.String("db.system.name", "azure.cosmosdb"), attribute.String("db.operation.name", a.Operation),
			attribute.String("db.namespace", a.Database), attribute.String("db.collection.name", a.Container),
			attribute.String("relaybox.operation", a.Verb),
		}
		fault := faultOf(a)
		if a.Status > 0 {
			attributes = append(attributes, attribute.String("db.response.status_code", strconv.Itoa(a.Status)))
		}
		if fault != "" {
			attributes = append(attributes, attribute.String("error.type", fault))
		}
		if a.Substatus != "" && a.Substatus != "0" {
			if code, err := strconv.Atoi(a.Substatus); err == nil {
				attributes = append(attributes, attribute.Int("azure.cosmosdb.response.sub_status_code", code))
			}
		}
		with := metric.WithAttributes(attributes...)
		t.attempts.Record(ctx, a.Took.Seconds(), with)
		if a.Err == nil {
			t.charges.Record(ctx, a.Charge, with)
		}
		if t.tracer == nil || !trace.SpanContextFromContext(ctx).IsValid() {
			return
		}
		_, span := t.tracer.Start(ctx, a.Operation+" "+a.Container, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(a.Began),
			trace.WithAttributes(attributes...), trace.WithAttributes(
				attribute.String("server.address", a.Host), attribute.Float64("azure.cosmosdb.operation.request_charge", a.Charge),
			))
		if fault != "" {
			span.SetStatus(codes.Error, text(a.Err))
		}
		span.End(trace.WithTimestamp(a.Began.Add(a.Took)))
	}
}

// faultOf is the attempt's error.type. That a document is not there, or there already, or has
// moved on is what conditions are for, and no error.
func faultOf(a cosmos.Attempt) string {
	switch {
	case a.Err != nil:
		return "no_answer"
	case a.Status == http.StatusNotFound && (a.Substatus == "" || a.Substatus == "0"), a.Status == http.StatusConflict, a.Status == http.StatusPreconditionFailed, a.Status < 400:
		return ""
	}
	return strconv.Itoa(a.Status)
}
