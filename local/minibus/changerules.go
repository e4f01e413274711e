package minibus

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errRuleExists: a subscription has a rule of that name.
var errRuleExists = errors.New("the rule already exists")

// maxRuleName is the service's.
const maxRuleName = 50

// Rules of a subscription that change while the broker runs. The caller holds mu.

func (e *entity) ruleIndex(name string) int {
	return slices.IndexFunc(e.rules, func(r rule) bool { return strings.EqualFold(r.name, name) })
}

func (e *entity) addRule(r rule) error {
	switch {
	case r.name == "" || len(r.name) > maxRuleName || strings.ContainsAny(r.name, "/\\?#"):
		return fmt.Errorf("the name '%s' is no rule's: use 1 to %d characters without / \\ ? #", r.name, maxRuleName)
	case e.ruleIndex(r.name) >= 0:
		return fmt.Errorf("%w: '%s' of '%s'", errRuleExists, r.name, e.path)
	case len(e.rules) >= maxRules:
		return fmt.Errorf("'%s' has %d rules, and may not have more", e.path, maxRules)
	}
	if err := r.storable(e); err != nil {
		return err
	}
	e.setRules(append(slices.Clone(e.rules), r))
	return nil
}

// replaceRule reports whether there was one of that name.
func (e *entity) replaceRule(r rule) bool {
	i := e.ruleIndex(r.name)
	if i < 0 {
		return false
	}
	rules := slices.Clone(e.rules)
	rules[i] = r
	e.setRules(rules)
	return true
}

// removeRule reports whether there was one of that name. Without any rule a subscription gets nothing.
func (e *entity) removeRule(name string) bool {
	i := e.ruleIndex(name)
	if i < 0 {
		return false
	}
	e.setRules(slices.Delete(slices.Clone(e.rules), i, i+1))
	return true
}
