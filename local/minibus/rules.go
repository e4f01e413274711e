package minibus

import (
	"errors"
	"fmt"

	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/sqlfilter"
)

// rule is a filter with its name, and what it does to a copy.
type rule struct {
	name   string
	filter filter
	action *sqlfilter.Action // nil: nothing

	parameters map[string]any // of the action
}

// defaultRule is what a subscription has that names no rules.
const defaultRule = "$Default"

// propRule is the application property that names the rule whose action has changed a copy.
const propRule = "RuleName"

// rulesOf are the rules of a subscription, whose path stands in errors.
func rulesOf(path string, s Subscription) ([]rule, error) {
	if s.Rules == nil {
		return []rule{{name: defaultRule, filter: everything{}}}, nil
	}
	rules := make([]rule, len(s.Rules))
	for i, r := range s.Rules {
		var err error
		if rules[i], err = r.parse(); err != nil {
			return nil, fmt.Errorf("%w: rule %q: %w", ErrConfig, path+"/Rules/"+r.Name, err)
		}
	}
	return rules, nil
}

// parse builds what the broker keeps of a rule: text is parsed once.
func (r Rule) parse() (rule, error) {
	parsed := rule{name: r.Name, filter: everything{}}
	switch {
	case r.Correlation != nil && r.SQL != "":
		return rule{}, errors.New("it has a correlation filter and SQL: keep one of them")
	case r.Correlation != nil:
		parsed.filter = r.Correlation
	case r.SQL != "":
		f, err := sqlfilter.Parse(r.SQL, nil)
		if err != nil {
			return rule{}, fmt.Errorf("SQL: %w", err)
		}
		parsed.filter = sqlCondition{f, nil}
	}
	if r.Action != "" {
		var err error
		if parsed.action, err = sqlfilter.ParseAction(r.Action, nil); err != nil {
			return rule{}, fmt.Errorf("Action: %w", err)
		}
	}
	return parsed, nil
}

// take gives a subscription its copies of a message: one for all rules without an action that match, and one for each
// rule with an action that does.
func (e *entity) take(c *candidate, now int64) {
	found, plain := false, false
	for i := range e.rules {
		r := &e.rules[i]
		if plain && r.action == nil {
			continue
		}
		next, err := r.copyOf(c)
		switch {
		case err != nil && e.rule.filterErrors && !found:
			found = true
			e.last++
			m := c.m
			e.bury(&message{kept: c.content, in: e, seq: e.last, enqueued: m.enqueued, hops: m.hops},
				content.Property(propReason, reasonFilter), content.Property(propDescription, fmt.Sprintf("rule %s: %v", r.name, err)))
		case err != nil:
			e.b.log.Debug("a rule cannot be applied and takes nothing", "subscription", e.path, "rule", r.name, "messageId", c.content.MessageID, "error", err)
		case next != nil:
			found, plain = true, plain || r.action == nil
			e.put(next, now)
		}
	}
	if found {
		e.storeSequence()
	}
}

// copyOf is the copy that the rule makes of a message, or nil if it does not match.
func (r *rule) copyOf(c *candidate) (*message, error) {
	if ok, err := r.filter.match(c); !ok || err != nil {
		return nil, err
	}
	m := c.m
	next := &message{kept: c.content, enqueued: m.enqueued, expires: m.expires, origin: m.seq, hops: m.hops}
	if r.action == nil {
		return next, nil
	}
	v, err := c.sql()
	if err != nil {
		return nil, err
	}
	d := v.draft()
	if err := r.action.Apply(d); err != nil {
		return nil, err
	}
	d.RemoveUser(propRule) // in any case of its letters: receivers look for ours
	d.SetUser(propRule, r.name)
	next.kept, err = d.encode()
	return next, err
}
