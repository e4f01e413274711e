package rules

import (
	"reflect"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
)

// Filter decides whether a subscription wants a message: Everything, Falsehood, SQL or *Correlation.
type Filter interface {
	match(*Candidate) (bool, error)
	wire() any // in answers of $management
}

// Correlation is a CorrelationFilter as the broker keeps it.
type Correlation CorrelationFilter

// Everything is the true filter of $Default.
type Everything struct{}

func (Everything) match(*Candidate) (bool, error) { return true, nil }

// Falsehood is the false filter.
type Falsehood struct{}

func (Falsehood) match(*Candidate) (bool, error) { return false, nil }

// Candidate is a message, with what the broker has given it, whose properties are decoded when the first filter looks at them.
type Candidate struct {
	Content    *content.Content
	Sequence   int64
	Enqueued   int64  // Unix milliseconds
	Expires    int64  // Unix milliseconds; 0: never
	Deliveries uint32 // deliveries
	Source     string // where it was dead-lettered

	read   bool
	system map[string]string
	user   map[string]any
	view   *sqlView
}

func (c *Candidate) decode() {
	if c.read {
		return
	}
	c.read, c.system, c.user = true, map[string]string{}, map[string]any{}
	var p amqpwire.Properties
	if p.Decode(c.Content.Properties) != nil {
		return
	}
	c.system["ContentType"] = string(p.ContentType)
	c.system["CorrelationID"] = content.IDText(p.CorrelationID)
	c.system["MessageID"] = c.Content.MessageID
	for name, s := range map[string]*string{
		"Label": p.Subject, "ReplyTo": p.ReplyTo, "ReplyToSessionID": p.ReplyToGroupID, "SessionID": p.GroupID, "To": p.To,
	} {
		if s != nil {
			c.system[name] = *s
		}
	}
	pairs, err := amqpwire.DecodePairs(c.Content.AppProps)
	if err != nil {
		return
	}
	for _, p := range pairs {
		if v, err := amqpwire.NewReader(p.Value).Value(); err == nil {
			c.user[p.Key] = v
		}
	}
}

func (f *Correlation) match(c *Candidate) (bool, error) {
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
	if d, ok := want.(time.Duration); ok {
		is, isSpan := spanOf(got)
		return isSpan && is == d
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
