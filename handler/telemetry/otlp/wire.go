package otlp

import (
	"math"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/resource"
	"google.golang.org/protobuf/encoding/protowire"
)

// message is a protobuf message under construction. What has its type's zero value is left
// out, as proto3 has it.
type message []byte

func (m *message) tag(field protowire.Number, t protowire.Type) {
	*m = protowire.AppendTag(*m, field, t)
}

func (m *message) uint(field protowire.Number, v uint64) {
	if v != 0 {
		m.tag(field, protowire.VarintType)
		*m = protowire.AppendVarint(*m, v)
	}
}

func (m *message) text(field protowire.Number, v string) {
	if v != "" {
		m.tag(field, protowire.BytesType)
		*m = protowire.AppendString(*m, valid(v))
	}
}

// valid is v as a reader takes it: one that is handed other bytes refuses all of a request,
// and they may be a client's.
func valid(v string) string { return strings.ToValidUTF8(v, "\uFFFD") }

func (m *message) bytes(field protowire.Number, v []byte) {
	if len(v) > 0 {
		m.tag(field, protowire.BytesType)
		*m = protowire.AppendBytes(*m, v)
	}
}

func (m *message) fixed32(field protowire.Number, v uint32) {
	if v != 0 {
		m.tag(field, protowire.Fixed32Type)
		*m = protowire.AppendFixed32(*m, v)
	}
}

// fixed64 is written whatever it is: points have values that are zero.
func (m *message) fixed64(field protowire.Number, v uint64) {
	m.tag(field, protowire.Fixed64Type)
	*m = protowire.AppendFixed64(*m, v)
}

func (m *message) double(field protowire.Number, v float64) { m.fixed64(field, math.Float64bits(v)) }

// at is a time stamp; one that is not known is left out.
func (m *message) at(field protowire.Number, t time.Time) {
	if !t.IsZero() {
		m.fixed64(field, uint64(t.UnixNano()))
	}
}

// in writes a message of its own into the field, also an empty one.
func (m *message) in(field protowire.Number, write func(*message)) {
	var inner message
	write(&inner)
	m.tag(field, protowire.BytesType)
	*m = protowire.AppendBytes(*m, inner)
}

// attributes are KeyValues.
func (m *message) attributes(field protowire.Number, all []attribute.KeyValue) {
	for _, a := range all {
		m.in(field, func(m *message) {
			m.text(1, string(a.Key))
			m.in(2, func(m *message) { m.value(a.Value) })
		})
	}
}

func (m *message) set(field protowire.Number, all attribute.Set) { m.attributes(field, all.ToSlice()) }

// value is an AnyValue: a oneof, so zero values are written, too.
func (m *message) value(v attribute.Value) {
	switch v.Type() {
	case attribute.BOOL:
		m.tag(2, protowire.VarintType)
		*m = protowire.AppendVarint(*m, protowire.EncodeBool(v.AsBool()))
	case attribute.INT64:
		m.tag(3, protowire.VarintType)
		*m = protowire.AppendVarint(*m, uint64(v.AsInt64()))
	case attribute.FLOAT64:
		m.double(4, v.AsFloat64())
	case attribute.STRINGSLICE:
		m.in(5, func(m *message) {
			for _, s := range v.AsStringSlice() {
				m.in(1, func(m *message) { m.value(attribute.StringValue(s)) })
			}
		})
	default: // nobody here makes lists of anything else
		m.tag(1, protowire.BytesType)
		*m = protowire.AppendString(*m, valid(v.String()))
	}
}

func (m *message) resource(field protowire.Number, r *resource.Resource) {
	m.in(field, func(m *message) { m.attributes(1, r.Attributes()) })
}

func (m *message) scope(field protowire.Number, s instrumentation.Scope) {
	m.in(field, func(m *message) {
		m.text(1, s.Name)
		m.text(2, s.Version)
		m.set(3, s.Attributes)
	})
}
