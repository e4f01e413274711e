package broker

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// ErrRuleExists: a subscription has a rule of that name.
var ErrRuleExists = errors.New("the rule already exists")

// maxRuleName is the service's.
const maxRuleName = 50

// Rules of a subscription, which change while the broker runs. The caller holds mu.

func (e *Entity) ruleIndex(name string) int {
	return slices.IndexFunc(e.Rules, func(r rules.Compiled) bool { return strings.EqualFold(r.Name, name) })
}

// AddRule adds a rule, whose name must be new: otherwise ErrRuleExists.
func (e *Entity) AddRule(r rules.Compiled) error {
	switch {
	case r.Name == "" || len(r.Name) > maxRuleName || strings.ContainsAny(r.Name, "/\\?#"):
		return fmt.Errorf("the name '%s' is no rule's: use 1 to %d characters without / \\ ? #", r.Name, maxRuleName)
	case e.ruleIndex(r.Name) >= 0:
		return fmt.Errorf("%w: '%s' of '%s'", ErrRuleExists, r.Name, e.Path)
	case len(e.Rules) >= topology.MaxRules:
		return fmt.Errorf("'%s' has %d rules, and may not have more", e.Path, topology.MaxRules)
	}
	if err := acceptable(r, e); err != nil {
		return err
	}
	e.setRules(append(slices.Clone(e.Rules), r))
	return nil
}

// acceptable refuses a rule that can never work, or that could not be stored.
func acceptable(r rules.Compiled, in *Entity) error {
	if err := r.Check(); err != nil {
		return err
	}
	return storable(r, in)
}

// ErrNoRule: a subscription has no rule of that name.
var ErrNoRule = errors.New("there is no such rule")

// ReplaceRule changes the rule of a name: without one, ErrNoRule.
func (e *Entity) ReplaceRule(r rules.Compiled) error {
	i := e.ruleIndex(r.Name)
	if i < 0 {
		return ErrNoRule
	}
	if err := acceptable(r, e); err != nil {
		return err
	}
	rules := slices.Clone(e.Rules)
	rules[i] = r
	e.setRules(rules)
	return nil
}

// RemoveRule reports whether there was one of that name. Without any rule a subscription gets nothing.
func (e *Entity) RemoveRule(name string) bool {
	i := e.ruleIndex(name)
	if i < 0 {
		return false
	}
	e.setRules(slices.Delete(slices.Clone(e.Rules), i, i+1))
	return true
}

// choose gives a subscription its copies of a message: one for all rules without an action that match, and one for each
// rule with an action that does.
func (e *Entity) choose(m *message, c *rules.Candidate, now int64) {
	found, plain := false, false
	for i := range e.Rules {
		r := &e.Rules[i]
		if plain && r.Action == nil {
			continue
		}
		next, err := r.Copy(c)
		switch {
		case err != nil && e.Settings.FilterErrors && !found:
			found = true
			e.last++
			e.bury(&message{kept: m.kept, in: e, seq: e.last, enqueued: m.enqueued, hops: m.hops},
				content.Property(PropReason, reasonFilter), content.Property(PropDescription, fmt.Sprintf("rule %s: %v", r.Name, err)))
		case err != nil:
			e.b.log.Debug("a rule cannot be applied and takes nothing", "subscription", e.Path, "rule", r.Name, "messageId", m.kept.MessageID, "error", err)
		case next != nil:
			found, plain = true, plain || r.Action == nil
			life := m.life
			if m.source != "" && next.Life != m.kept.Life {
				life = earlier(life, next.Life) // a dead letter's own wish does not count, but what an action says does
			}
			e.put(&message{kept: next, due: next.Due, source: m.source, enqueued: m.enqueued, life: life, origin: m.seq, hops: m.hops}, now)
		}
	}
	if found {
		e.storeSequence()
	}
}
