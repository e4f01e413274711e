package minibus

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/sqlfilter"
)

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

// addRule adds a rule to the subscription.
func (g *manager) addRule(r *request) (response, error) {
	if g.in.kind != subscriptionKind {
		return response{}, noRules(g.in)
	}
	name, _ := r.text("rule-name")
	description, _ := r.field("rule-description").(amqpwire.Map)
	given, err := ruleOf(description)
	if err != nil {
		return response{}, amqpwire.Errorf(condArgument, "rule '%s': %v", name, err)
	}
	given.name = name
	switch err := g.in.addRule(given); {
	case errors.Is(err, errRuleExists):
		return failure(409, condExists, "The messaging entity '"+g.in.path+"/Rules/"+name+"' already exists."), nil
	case err != nil:
		return response{}, amqpwire.Errorf(condArgument, "%v", err)
	}
	return succeed(), nil
}

func noRules(e *entity) *amqpwire.Error {
	return amqpwire.Errorf(amqpwire.CondNotAllowed, "'%s' has no rules: only subscriptions have.", e.path)
}

// removeRule removes one.
func (g *manager) removeRule(r *request) (response, error) {
	name, _ := r.text("rule-name")
	if !g.in.removeRule(name) {
		return response{}, notFound(g.in.path + "/Rules/" + name)
	}
	return succeed(), nil
}

// enumerateRules pages through the rules in the order of their names.
func (g *manager) enumerateRules(r *request) (response, error) {
	if g.in.kind != subscriptionKind {
		return response{}, noRules(g.in)
	}
	rules := slices.Clone(g.in.rules)
	slices.SortFunc(rules, func(a, b rule) int { return cmp.Compare(a.name, b.name) })
	rules = rules[min(max(int(r.number("skip")), 0), len(rules)):]
	rules = rules[:min(max(int(r.number("top")), 0), len(rules))]
	if len(rules) == 0 {
		return nothing(), nil
	}
	list := make([]any, len(rules))
	for i, known := range rules {
		list[i] = amqpwire.Map{{Key: "rule-description", Value: known.wire(g.in)}}
	}
	return succeed("rules", list), nil
}

// wire is a rule as enumerate-rules shows it.
func (r rule) wire(in *entity) any {
	action := amqpwire.Described{Descriptor: codeEmptyAction, Value: []any{}}
	if r.action != nil {
		action = amqpwire.Described{Descriptor: codeAction, Value: []any{r.action.String(), int32(sqlLevel)}}
	}
	return amqpwire.Described{Descriptor: codeRule, Value: []any{r.filter.wire(), action, r.name, amqpwire.Timestamp(in.times.created)}}
}

func (everything) wire() any { return amqpwire.Described{Descriptor: codeTrue, Value: []any{}} }
func (falsehood) wire() any  { return amqpwire.Described{Descriptor: codeFalse, Value: []any{}} }

func (s sqlCondition) wire() any {
	return amqpwire.Described{Descriptor: codeSQL, Value: []any{s.Filter.String(), int32(sqlLevel)}}
}

func (f *CorrelationFilter) wire() any {
	fields := []any{f.CorrelationID, f.MessageID, f.To, f.ReplyTo, f.Label, f.SessionID, f.ReplyToSessionID, f.ContentType}
	for i, text := range fields {
		if text == "" {
			fields[i] = nil
		}
	}
	properties := amqpwire.Map{}
	for name, v := range f.Properties {
		if at, ok := v.(time.Time); ok {
			v = amqpwire.Timestamp(at.UnixMilli())
		}
		properties = append(properties, amqpwire.Entry{Key: name, Value: v})
	}
	return amqpwire.Described{Descriptor: codeCorrelation, Value: append(fields, properties)}
}

// ruleOf reads the description of add-rule.
func ruleOf(d amqpwire.Map) (r rule, err error) {
	r.filter = everything{}
	expression := func(v any) (string, bool) {
		m, ok := v.(amqpwire.Map)
		text, isText := amqpwire.Text(m.Get("expression"))
		return text, ok && isText
	}
	if text, ok := expression(d.Get("sql-filter")); ok {
		f, err := sqlfilter.Parse(text, nil)
		if err != nil {
			return r, err
		}
		r.filter = sqlCondition{f, nil}
	} else if m, ok := d.Get("correlation-filter").(amqpwire.Map); ok {
		r.filter = correlationOf(m)
	}
	if text, ok := expression(d.Get("sql-rule-action")); ok && text != "" {
		r.action, err = sqlfilter.ParseAction(text, nil)
	}
	return r, err
}

func correlationOf(m amqpwire.Map) *CorrelationFilter {
	f := &CorrelationFilter{}
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
	}
	return v
}
