package rules

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/sqlfilter"
)

// SQL is an SQL filter. It prints as its text, for which a digest of the rules relies on it.
type SQL struct {
	*sqlfilter.Filter
	Parameters map[string]any
}

// ParseSQL makes a filter of a condition.
func ParseSQL(text string, parameters map[string]any) (Filter, error) {
	f, err := sqlfilter.Parse(text, parameters)
	if err != nil {
		return nil, err
	}
	return SQL{f, parameters}, nil
}

// match implements Filter.
func (s SQL) match(c *Candidate) (bool, error) {
	v, err := c.sql()
	if err != nil {
		return false, err
	}
	return s.Match(v)
}

// sqlView is a message as SQL sees it: sqlfilter.Message. Nothing changes it, so that all rules share it.
type sqlView struct {
	of         *Candidate
	properties amqpwire.Properties
	user       []userProperty // in the message's order
}

// userProperty is an application property, encoded and as a value.
type userProperty struct {
	amqpwire.Pair
	value any
}

// sql decodes the message when the first SQL asks.
func (c *Candidate) sql() (*sqlView, error) {
	if c.view != nil {
		return c.view, nil
	}
	v := &sqlView{of: c}
	if err := v.properties.Decode(c.Content.Properties); err != nil {
		return nil, err
	}
	pairs, err := amqpwire.DecodePairs(c.Content.AppProps)
	if err != nil {
		return nil, err
	}
	for _, p := range pairs {
		value, err := amqpwire.NewReader(p.Value).Value()
		if err != nil {
			return nil, err
		}
		v.user = append(v.user, userProperty{p, sqlValue(value)})
	}
	c.view = v
	return v, nil
}

// sqlValue turns a value of AMQP into one that SQL compares. What has no counterpart passes, and compares as unknown.
func sqlValue(v any) any {
	switch v := v.(type) {
	case amqpwire.Symbol:
		return string(v)
	case amqpwire.Char:
		return string(rune(v))
	case amqpwire.UUID:
		return uuid.UUID(v)
	case amqpwire.Timestamp:
		return sqlTime(int64(v))
	case amqpwire.Described:
		if d, ok := spanOf(v); ok {
			return d
		}
	}
	return v
}

func sqlTime(millis int64) any { return time.UnixMilli(millis).UTC() }

// User implements sqlfilter.Message.
func (v *sqlView) User(name string) (any, bool) {
	if i := v.index(name); i >= 0 {
		return v.user[i].value, true
	}
	return nil, false
}

// index finds an application property, or gives -1. Of names that differ only by case, which AMQP allows, the one that
// is written the same way goes first.
func (v *sqlView) index(name string) int {
	found := -1
	for i, p := range v.user {
		if p.Key == name {
			return i
		}
		if found < 0 && strings.EqualFold(p.Key, name) {
			found = i
		}
	}
	return found
}
