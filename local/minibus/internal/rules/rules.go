package rules

import (
	"errors"
	"fmt"

	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/sqlfilter"
)

// Rule takes messages: those that its correlation filter or its SQL condition matches; with neither, all. With an
// action the subscription gets a copy of its own for this rule, which the action has changed.
type Rule struct {
	Name        string
	Correlation *CorrelationFilter
	SQL         string // condition, such as "sys.Label = 'urgent' AND level > 3"
	Action      string // statements, such as "SET sys.Label = 'seen'; REMOVE level"
}

// CorrelationFilter matches messages that are equal in every property it names. Strings are case-sensitive.
type CorrelationFilter struct {
	ContentType, CorrelationID, Label, MessageID, ReplyTo, ReplyToSessionID, SessionID, To string
	Properties                                                                             map[string]any
}

// Compiled is a filter with its name, and what it does to a copy.
type Compiled struct {
	Name   string
	Filter Filter
	Action *sqlfilter.Action // nil: nothing

	Parameters map[string]any // of the action
}

// DefaultName is what a subscription has that names no rules.
const DefaultName = "$Default"

// propRule is the application property that names the rule whose action has changed a copy.
const propRule = "RuleName"

// Compile builds what the broker keeps of a rule: text is parsed once.
func Compile(r Rule) (Compiled, error) {
	parsed := Compiled{Name: r.Name, Filter: Everything{}}
	switch {
	case r.Correlation != nil && r.SQL != "":
		return Compiled{}, errors.New("it has a correlation filter and SQL: keep one of them")
	case r.Correlation != nil:
		parsed.Filter = (*Correlation)(r.Correlation)
	case r.SQL != "":
		var err error
		if parsed.Filter, err = ParseSQL(r.SQL, nil); err != nil {
			return Compiled{}, fmt.Errorf("SQL: %w", err)
		}
	}
	if r.Action != "" {
		var err error
		if parsed.Action, err = sqlfilter.ParseAction(r.Action, nil); err != nil {
			return Compiled{}, fmt.Errorf("Action: %w", err)
		}
	}
	return parsed, parsed.Check()
}

// Copy is the copy that the rule makes of a message, the content itself if it changes nothing, or nil if it does not
// match.
func (r *Compiled) Copy(c *Candidate) (*content.Content, error) {
	if ok, err := r.Filter.match(c); !ok || err != nil {
		return nil, err
	}
	if r.Action == nil {
		return c.Content, nil
	}
	v, err := c.sql()
	if err != nil {
		return nil, err
	}
	d := v.draft()
	if err := r.Action.Apply(d); err != nil {
		return nil, err
	}
	d.RemoveUser(propRule) // in any case of its letters: receivers look for ours
	d.SetUser(propRule, r.Name)
	return d.encode()
}
