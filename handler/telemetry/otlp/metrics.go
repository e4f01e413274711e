package otlp

import (
	"context"
	"math"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"google.golang.org/protobuf/encoding/protowire"
)

// Metrics exports metrics. It implements metric.Exporter of the SDK.
type Metrics struct {
	c           *client
	temporality metric.TemporalitySelector
}

// NewMetrics returns an exporter. It does no I/O.
func NewMetrics(cfg Config) *Metrics {
	return &Metrics{newClient("metrics", cfg), cfg.Temporality.selector()}
}

// Temporality implements metric.Exporter.
func (x *Metrics) Temporality(k metric.InstrumentKind) metricdata.Temporality {
	return x.temporality(k)
}

// Aggregation implements metric.Exporter: sums, last values and histograms with bounds.
func (x *Metrics) Aggregation(k metric.InstrumentKind) metric.Aggregation {
	return metric.DefaultAggregationSelector(k)
}

// Export sends what was collected. See Traces.ExportSpans for its error.
func (x *Metrics) Export(ctx context.Context, all *metricdata.ResourceMetrics) error {
	if len(all.ScopeMetrics) > 0 {
		x.c.export(ctx, metrics(all))
	}
	return nil
}

// ForceFlush has nothing to do: nothing is kept here.
func (x *Metrics) ForceFlush(context.Context) error { return nil }

// Cut ends what is under way, for who cannot wait.
func (x *Metrics) Cut() { x.c.close() }

// Shutdown is Cut: nothing is kept here.
func (x *Metrics) Shutdown(context.Context) error {
	x.c.close()
	return nil
}

// metrics is an ExportMetricsServiceRequest.
func metrics(all *metricdata.ResourceMetrics) []byte {
	var m message
	m.in(1, func(m *message) {
		m.resource(1, all.Resource)
		for _, s := range all.ScopeMetrics {
			m.in(2, func(m *message) {
				m.scope(1, s.Scope)
				for _, one := range s.Metrics {
					m.in(2, func(m *message) { m.metric(one) })
				}
				m.text(3, s.Scope.SchemaURL)
			})
		}
		m.text(3, all.Resource.SchemaURL())
	})
	return m
}

func (m *message) metric(one metricdata.Metrics) {
	m.text(1, one.Name)
	m.text(2, one.Description)
	m.text(3, one.Unit)
	switch data := one.Data.(type) {
	case metricdata.Gauge[int64]:
		m.in(5, func(m *message) { points(m, data.DataPoints) })
	case metricdata.Gauge[float64]:
		m.in(5, func(m *message) { points(m, data.DataPoints) })
	case metricdata.Sum[int64]:
		m.in(7, func(m *message) { sum(m, data) })
	case metricdata.Sum[float64]:
		m.in(7, func(m *message) { sum(m, data) })
	case metricdata.Histogram[int64]:
		m.in(9, func(m *message) { histogram(m, data) })
	case metricdata.Histogram[float64]:
		m.in(9, func(m *message) { histogram(m, data) })
	}
}

func sum[N int64 | float64](m *message, s metricdata.Sum[N]) {
	points(m, s.DataPoints)
	m.uint(2, temporality(s.Temporality))
	m.uint(3, protowire.EncodeBool(s.IsMonotonic))
}

// temporality is the wire's number, where delta stands first.
func temporality(t metricdata.Temporality) uint64 {
	if t == metricdata.DeltaTemporality {
		return 1
	}
	return 2
}

func points[N int64 | float64](m *message, all []metricdata.DataPoint[N]) {
	for _, p := range all {
		m.in(1, func(m *message) {
			m.at(2, p.StartTime)
			m.at(3, p.Time)
			number(m, 4, 6, p.Value)
			m.set(7, p.Attributes)
			exemplars(m, 5, p.Exemplars)
		})
	}
}

// number is a oneof of a double and an integer.
func number[N int64 | float64](m *message, double, integer protowire.Number, v N) {
	if i, ok := any(v).(int64); ok {
		m.fixed64(integer, uint64(i))
	} else {
		m.double(double, float64(v))
	}
}

func histogram[N int64 | float64](m *message, h metricdata.Histogram[N]) {
	for _, p := range h.DataPoints {
		m.in(1, func(m *message) {
			m.at(2, p.StartTime)
			m.at(3, p.Time)
			m.fixed64(4, p.Count)
			m.double(5, float64(p.Sum))
			m.in(6, func(m *message) {
				for _, n := range p.BucketCounts {
					*m = protowire.AppendFixed64(*m, n)
				}
			})
			m.in(7, func(m *message) {
				for _, b := range p.Bounds {
					*m = protowire.AppendFixed64(*m, math.Float64bits(b))
				}
			})
			m.set(9, p.Attributes)
			exemplars(m, 8, p.Exemplars)
			if v, ok := p.Min.Value(); ok {
				m.double(11, float64(v))
			}
			if v, ok := p.Max.Value(); ok {
				m.double(12, float64(v))
			}
		})
	}
	m.uint(2, temporality(h.Temporality))
}

func exemplars[N int64 | float64](m *message, field protowire.Number, all []metricdata.Exemplar[N]) {
	for _, e := range all {
		m.in(field, func(m *message) {
			m.at(2, e.Time)
			number(m, 3, 6, e.Value)
			m.bytes(4, e.SpanID)
			m.bytes(5, e.TraceID)
			m.attributes(7, e.FilteredAttributes)
		})
	}
}
