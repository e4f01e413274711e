package node

import (
	"cmp"
	"errors"
	"slices"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/broker"
	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// addRule adds a rule to the subscription.
func (g *manager) addRule(r *request) (response, error) {
	if g.in.Kind != topology.SubscriptionKind {
		return response{}, noRules(g.in)
	}
	name, _ := r.text("rule-name")
	description, _ := r.field("rule-description").(amqpwire.Map)
	given, err := rules.ReadWire(name, description)
	if err != nil {
		return response{}, amqpwire.Errorf(condArgument, "rule '%s': %v", name, err)
	}
	if err := g.peer.nodes.Room(); err != nil {
		return response{}, amqpwire.Errorf(amqpwire.CondResourceLimit, "Nothing was stored: %v.", err)
	}
	switch err := g.in.AddRule(given); {
	case errors.Is(err, broker.ErrRuleExists):
		return failure(409, condExists, "The messaging entity '"+g.in.Path+"/Rules/"+name+"' already exists."), nil
	case err != nil:
		return response{}, amqpwire.Errorf(condArgument, "%v", err)
	}
	return succeed(), nil
}

func noRules(e *broker.Entity) *amqpwire.Error {
	return amqpwire.Errorf(amqpwire.CondNotAllowed, "'%s' has no rules: only subscriptions have.", e.Path)
}

// removeRule removes one.
func (g *manager) removeRule(r *request) (response, error) {
	name, _ := r.text("rule-name")
	if !g.in.RemoveRule(name) {
		return response{}, broker.NotFound(g.in.Path + "/Rules/" + name)
	}
	return succeed(), nil
}

// enumerateRules pages through the rules in the order of their names.
func (g *manager) enumerateRules(r *request) (response, error) {
	if g.in.Kind != topology.SubscriptionKind {
		return response{}, noRules(g.in)
	}
	sorted := slices.Clone(g.in.Rules)
	slices.SortFunc(sorted, func(a, b rules.Compiled) int { return cmp.Compare(a.Name, b.Name) })
	sorted = sorted[min(max(int(r.number("skip")), 0), len(sorted)):]
	sorted = sorted[:min(max(int(r.number("top")), 0), len(sorted))]
	if len(sorted) == 0 {
		return nothing(), nil
	}
	list := make([]any, len(sorted))
	for i, known := range sorted {
		list[i] = amqpwire.Map{{Key: "rule-description", Value: known.Wire(g.in.Told().Created)}}
	}
	return succeed("rules", list), nil
}
