package rules

import (
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/sqlfilter"
)

// SQLLevel is the version of the SQL that the service reports.
const SQLLevel = 20

// Descriptors of rules on the wire: of enumerate-rules. add-rule has maps instead.
const (
	codeRule        uint64 = 0x13700000004
	codeAction      uint64 = 0x13700000006
	codeEmptyAction uint64 = 0x13700000005
	codeSQL         uint64 = 0x1370000006
	codeTrue        uint64 = 0x1370000007
	codeFalse       uint64 = 0x1370000008
	codeCorrelation uint64 = 0x1370000009
)

// Wire is a rule as enumerate-rules shows it: created is in Unix milliseconds.
func (r Compiled) Wire(created int64) any {
	action := amqpwire.Described{Descriptor: codeEmptyAction, Value: []any{}}
	if r.Action != nil {
		action = amqpwire.Described{Descriptor: codeAction, Value: []any{r.Action.String(), int32(SQLLevel)}}
	}
	return amqpwire.Described{Descriptor: codeRule, Value: []any{r.Filter.wire(), action, r.Name, amqpwire.Timestamp(created)}}
}

func (Everything) wire() any { return amqpwire.Described{Descriptor: codeTrue, Value: []any{}} }
func (Falsehood) wire() any  { return amqpwire.Described{Descriptor: codeFalse, Value: []any{}} }

func (s SQL) wire() any {
	return amqpwire.Described{Descriptor: codeSQL, Value: []any{s.Filter.String(), int32(SQLLevel)}}
}

func (f *Correlation) wire() any {
	fields := []any{f.CorrelationID, f.MessageID, f.To, f.ReplyTo, f.Label, f.SessionID, f.ReplyToSessionID, f.ContentType}
	for i, text := range fields {
		if text == "" {
			fields[i] = nil
		}
	}
	properties := amqpwire.Map{}
	for name, v := range f.Properties {
		switch is := v.(type) {
		case time.Time:
			v = amqpwire.Timestamp(is.UnixMilli())
		case time.Duration:
			v = span(is)
		}
		properties = append(properties, amqpwire.Entry{Key: name, Value: v})
	}
	return amqpwire.Described{Descriptor: codeCorrelation, Value: append(fields, properties)}
}

// ReadWire reads the description of add-rule.
func ReadWire(name string, d amqpwire.Map) (r Compiled, err error) {
	r.Name, r.Filter = name, Everything{}
	expression := func(v any) (string, bool) {
		m, ok := v.(amqpwire.Map)
		text, isText := amqpwire.Text(m.Get("expression"))
		return text, ok && isText
	}
	if text, ok := expression(d.Get("sql-filter")); ok {
		if r.Filter, err = ParseSQL(text, nil); err != nil {
			return r, err
		}
	} else if m, ok := d.Get("correlation-filter").(amqpwire.Map); ok {
		r.Filter = correlationOf(m)
	}
	if text, ok := expression(d.Get("sql-rule-action")); ok && text != "" {
		r.Action, err = sqlfilter.ParseAction(text, nil)
	}
	return r, err
}

func correlationOf(m amqpwire.Map) *Correlation {
	f := &Correlation{}
	for name, field := range map[string]*string{
		"correlation-id": &f.CorrelationID, "message-id": &f.MessageID, "to": &f.To, "reply-to": &f.ReplyTo, "label": &f.Label,
		"session-id": &f.SessionID, "reply-to-session-id": &f.ReplyToSessionID, "content-type": &f.ContentType,
	} {
		*field, _ = amqpwire.Text(m.Get(name))
	}
	properties, _ := m.Get("properties").(amqpwire.Map)
	for _, p := range properties {
		name, _ := amqpwire.Text(p.Key)
		if f.Properties == nil {
			f.Properties = map[string]any{}
		}
		f.Properties[name] = plain(p.Value)
	}
	return f
}

// plain is a value as filters keep it.
func plain(v any) any {
	if n, ok := amqpwire.Int(v); ok {
		return n
	}
	switch v := v.(type) {
	case float32:
		return float64(v)
	case amqpwire.Timestamp:
		return time.UnixMilli(int64(v)).UTC()
	case amqpwire.Symbol:
		return string(v)
	case amqpwire.Described:
		if d, ok := spanOf(v); ok {
			return d
		}
	}
	return v
}
