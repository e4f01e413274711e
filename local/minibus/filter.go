package minibus

import (
	"reflect"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
)

// filter decides whether a subscription wants a message, and tells what it is.
type filter interface {
	match(*candidate) (bool, error)
	describe() filterDescription // in the administration interface
	wire() any                   // in answers of $management
}

// everything is the true filter of $Default.
type everything struct{}

func (everything) match(*candidate) (bool, error) { return true, nil }

// falsehood is the false filter.
type falsehood struct{}

func (falsehood) match(*candidate) (bool, error) { return false, nil }

// CorrelationFilter matches messages that are equal in every property it names. Strings are case-sensitive.
type CorrelationFilter struct {
	ContentType, CorrelationID, Label, MessageID, ReplyTo, ReplyToSessionID, SessionID, To string
	Properties                                                                             map[string]any
}

// candidate is a message whose properties are decoded when the first filter looks at them.
type candidate struct {
	m       *message
	content *content.Content // of m
	read    bool
	system  map[string]string
	user    map[string]any
	view    *sqlView
}

func (c *candidate) decode() {
	if c.read {
		return
	}
	c.read, c.system, c.user = true, map[string]string{}, map[string]any{}
	var p amqpwire.Properties
	if p.Decode(c.content.Properties) != nil {
		return
	}
	c.system["ContentType"] = string(p.ContentType)
	c.system["CorrelationID"] = content.IDText(p.CorrelationID)
	c.system["MessageID"] = c.content.MessageID
	for name, s := range map[string]*string{
		"Label": p.Subject, "ReplyTo": p.ReplyTo, "ReplyToSessionID": p.ReplyToGroupID, "SessionID": p.GroupID, "To": p.To,
	} {
		if s != nil {
			c.system[name] = *s
		}
	}
	pairs, err := amqpwire.DecodePairs(c.content.AppProps)
	if err != nil {
		return
	}
	for _, p := range pairs {
		if v, err := amqpwire.NewReader(p.Value).Value(); err == nil {
			c.user[p.Key] = v
		}
	}
}

func (f *CorrelationFilter) match(c *candidate) (bool, error) {
	c.decode()
	for name, want := range map[string]string{
		"ContentType": f.ContentType, "CorrelationID": f.CorrelationID, "Label": f.Label, "MessageID": f.MessageID,
		"ReplyTo": f.ReplyTo, "ReplyToSessionID": f.ReplyToSessionID, "SessionID": f.SessionID, "To": f.To,
	} {
		if want != "" && c.system[name] != want {
			return false, nil
		}
	}
	for name, want := range f.Properties {
		if !equal(c.user[name], want) {
			return false, nil
		}
	}
	return true, nil
}

// equal compares a property of a message with one of the configuration, which knows strings, booleans and numbers.
func equal(got, want any) bool {
	if n, ok := want.(int64); ok {
		if i, isInt := amqpwire.Int(got); isInt {
			return i == n
		}
		want = float64(n)
	}
	if at, ok := want.(time.Time); ok {
		ms, isTime := got.(amqpwire.Timestamp)
		return isTime && int64(ms) == at.UnixMilli()
	}
	if n, ok := want.(float64); ok {
		if i, isInt := amqpwire.Int(got); isInt {
			return float64(i) == n
		}
		if f, isFloat := got.(float32); isFloat {
			return float64(f) == n
		}
	}
	return reflect.DeepEqual(got, want)
}
