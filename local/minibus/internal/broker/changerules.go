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
	if err := storable(r, e); err != nil {
		return err
	}
	e.setRules(append(slices.Clone(e.Rules), r))
	return nil
}

// ReplaceRule reports whether there was one of that name.
func (e *Entity) ReplaceRule(r rules.Compiled) bool {
	i := e.ruleIndex(r.Name)
	if i < 0 {
		return false
	}
	rules := slices.Clone(e.Rules)
	rules[i] = r
	e.setRules(rules)
	return true
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

// take gives a subscription its copies of a message: one for all rules without an action that match, and one for each
// rule with an action that does.
func (e *Entity) take(m *message, c *rules.Candidate, now int64) {
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
			e.put(&message{kept: next, enqueued: m.enqueued, expires: m.expires, origin: m.seq, hops: m.hops}, now)
		}
	}
	if found {
		e.storeSequence()
	}
}
