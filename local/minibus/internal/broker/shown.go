package broker

import (
	"cmp"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/local/minibus/internal/atom"
	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// Tell is what the administration interface shows of an entity. It counts as the service does: what is locked or deferred
// is active. The caller holds Broker.mu; what it gets is a copy.
func (e *Entity) Tell() atom.Entity {
	s := atom.Entity{
		Description: e.Description, Times: e.times.told(), Quota: e.quota(), MessageKB: e.messageKB(), Size: e.size(),
		Active: e.states[Active] + e.states[Deferred], Scheduled: e.states[Scheduled], Subscriptions: len(e.subscriptions),
	}
	s.ForwardTo, s.ForwardDeadTo = e.b.named(e.ForwardTo), e.b.named(e.ForwardDeadTo)
	if e.dead != nil {
		s.DeadLetter, s.TransferDeadLetter = e.dead.log.live, e.transferDead.log.live
	}
	for _, sub := range e.subscriptions {
		for _, r := range sub.Rules {
			if _, ok := r.Filter.(*rules.Correlation); ok {
				s.CorrelationFilters++
			} else {
				s.SQLFilters++ // the true filter is one for the service
			}
		}
	}
	return s
}

// named is the path of what a name forwards to as its owner writes it, or the name.
func (b *Broker) named(to string) string {
	if to == "" {
		return ""
	}
	if e, _ := b.lookup(to); e != nil {
		return e.Path
	}
	return to
}

// size is in bytes, with dead letters, and of a topic with its subscriptions.
func (e *Entity) size() int {
	size := e.bytes
	for _, s := range e.subscriptions {
		size += s.size()
	}
	if e.dead != nil {
		size += e.dead.bytes + e.transferDead.bytes
	}
	return size
}

// TellTimes is when the namespace was created, and when an entity was changed last. The caller holds mu.
func (b *Broker) TellTimes() atom.Times {
	t := b.times.told()
	for _, e := range b.entities {
		t.Updated = max(t.Updated, e.times.updated)
	}
	return t
}

// Told are the entity's times as they are shown. The caller holds Broker.mu.
func (e *Entity) Told() atom.Times { return e.times.told() }

// told are the times as they are shown.
func (t times) told() atom.Times {
	return atom.Times{Created: t.created, Updated: t.updated, Accessed: t.accessed}
}

// kindsAt are the entities that a path may mean.
var kindsAt = map[atom.TargetKind][]topology.Kind{
	atom.AtEntity: {topology.QueueKind, topology.TopicKind}, atom.AtSubscriptions: {topology.TopicKind},
	atom.AtSubscription: {topology.SubscriptionKind}, atom.AtRules: {topology.SubscriptionKind}, atom.AtRule: {topology.SubscriptionKind},
}

// At is the entity that a target is, or is in; nil when it is missing or something else. The caller holds mu.
func (b *Broker) At(t atom.Target) *Entity {
	e := b.entities[strings.ToLower(t.Path())]
	if e == nil || !slices.Contains(kindsAt[t.Kind], e.Kind) {
		return nil
	}
	return e
}

// OfKind are all entities of a kind, sorted. The caller holds mu.
func (b *Broker) OfKind(k topology.Kind) []*Entity {
	var all []*Entity
	for _, e := range b.entities {
		if e.Kind == k {
			all = append(all, e)
		}
	}
	return byPath(all)
}

// byPath sorts entities, so that pages that are read one after the other fit together.
func byPath(all []*Entity) []*Entity {
	slices.SortFunc(all, func(a, b *Entity) int { return cmp.Compare(a.Key, b.Key) })
	return all
}

// Children are the subscriptions of a topic, sorted. The caller holds mu.
func (e *Entity) Children() []*Entity { return byPath(slices.Clone(e.subscriptions)) }
