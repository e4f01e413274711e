package minibus

import (
	"github.com/relaybox/relaybox/local/minibus/internal/atom"
	"github.com/relaybox/relaybox/local/minibus/internal/rules"
)

// tell is what the administration interface shows of an entity. It counts as the service does: what is locked or deferred
// is active. The caller holds broker.mu; what it gets is a copy.
func (e *entity) tell() atom.Entity {
	s := atom.Entity{
		Description: e.Description, Times: e.times.told(), Quota: e.quota(), Size: e.size(),
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
func (b *broker) named(to string) string {
	if to == "" {
		return ""
	}
	if e, _ := b.lookup(to); e != nil {
		return e.Path
	}
	return to
}

// size is in bytes, with dead letters, and of a topic with its subscriptions.
func (e *entity) size() int {
	size := e.bytes
	for _, s := range e.subscriptions {
		size += s.size()
	}
	if e.dead != nil {
		size += e.dead.bytes + e.transferDead.bytes
	}
	return size
}

// tellTimes is when the namespace was created, and when an entity was changed last. The caller holds mu.
func (b *broker) tellTimes() atom.Times {
	t := b.times.told()
	for _, e := range b.entities {
		t.Updated = max(t.Updated, e.times.updated)
	}
	return t
}

// told are the times as they are shown.
func (t times) told() atom.Times {
	return atom.Times{Created: t.created, Updated: t.updated, Accessed: t.accessed}
}
