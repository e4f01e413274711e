package broker

import (
	"slices"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/atom"
	"github.com/relaybox/relaybox/local/minibus/internal/journal"
	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// Entities that come, change and go while the broker runs. The caller holds mu, and makes it durable before anybody is
// told.

// Propose begins with the entity as it is, or with the service's defaults for one that is new.
func (b *Broker) Propose(to atom.Target, k topology.Kind, current *Entity) *atom.Proposal {
	if current != nil {
		return atom.ProposeChange(current.Description, current.quota(), b.tier)
	}
	d := topology.Description{Kind: k, Path: to.Path(), Name: to.Name}
	if to.Topic != "" {
		d.Name = to.Subscription
		if t := b.entities[strings.ToLower(to.Topic)]; t != nil && t.Kind == topology.TopicKind {
			d.Topic, d.Path = t.Path, topology.SubscriptionPath(t.Path, to.Subscription)
		}
	}
	return atom.Propose(d, b.maxBytes, b.tier)
}

// Create makes an entity of a proposal that has been checked.
func (b *Broker) Create(p *atom.Proposal) (*Entity, error) {
	e, err := b.add(p.Description)
	if err != nil {
		return nil, err
	}
	e.made = true
	if e.Settings.Partitioned { // a quota for each partition, which are told together
		e.Settings.MaxMB = partitions * max(1, e.quota()>>20)
	}
	now := b.Now()
	e.times = times{created: now, updated: now, accessed: now}
	b.changed(e)
	return e, nil
}

// partitions are those of an entity, as with the service.
const partitions = 16

// Update changes what may change. Clients are detached a little later, as by the service: their next operation finds a
// link that is gone, and attaches again.
func (e *Entity) Update(p *atom.Proposal) {
	e.apply(p)
	e.times.updated = e.b.Now()
	e.b.changed(e)
	why := amqpwire.Errorf(condDetachForced, "The link was detached because the entity '%s' was updated.", e.Path)
	e.detachSoon(why)
	if e.dead != nil && e.dead.forward != nil {
		e.dead.detachSoon(why) // it has no receivers any more
	}
}

// apply takes over a proposal.
func (e *Entity) apply(p *atom.Proposal) {
	e.Settings, e.ForwardTo, e.ForwardDeadTo, e.Rules, e.Keys = p.Settings, p.ForwardTo, p.ForwardDeadTo, p.Rules, p.Keys
	if e.dead != nil {
		e.dead.Settings.Lock, e.transferDead.Settings.Lock = e.Settings.Lock, e.Settings.Lock
	}
}

// setRules replaces the rules of a subscription. Links need not hear of it.
func (e *Entity) setRules(rules []rules.Compiled) {
	e.Rules = rules
	e.times.updated = e.b.Now()
	e.b.changed(e)
}

// changed notes an entity's new description, and what follows from it.
func (b *Broker) changed(e *Entity) {
	b.relink()
	b.pumpAll()
	e.watchIdle()
	e.times.properties = e.Digest()
	b.storeTimes(e.Key, e.times)
	e.storeChange()
}

// Drop deletes an entity with everything in it.
func (b *Broker) Drop(e *Entity) {
	if e.parent != nil {
		e.parent.subscriptions = slices.DeleteFunc(e.parent.subscriptions, func(s *Entity) bool { return s == e })
	}
	for _, part := range e.parts() {
		part.clear()
		part.gone = true
		delete(b.entities, part.Key)
		for _, kind := range []byte{journal.KindMessage, journal.KindStatus, journal.KindSequence, journal.KindSession, journal.KindHistory, journal.KindTimes} {
			b.journal.DeleteAll(journal.Key(kind, part.Key, 0))
		}
		part.detachSoon(NotFound(part.Path))
		if part.Kind != topology.DeadLetterKind {
			part.storeDrop()
		}
	}
	b.relink()
}

// parts are an entity and what exists only with it.
func (e *Entity) parts() []*Entity {
	parts := []*Entity{e}
	for _, s := range e.subscriptions {
		parts = append(parts, s.parts()...)
	}
	if e.dead != nil {
		parts = append(parts, e.dead, e.transferDead)
	}
	return parts
}

// clear ends everything that an entity has under way.
func (e *Entity) clear() {
	for _, w := range slices.Clone(e.waiting) {
		w.consumer.detach()
		w.consumer.link.Attached(nil, NotFound(e.Path))
	}
	for m := range e.log.all(0) {
		e.b.clock.Cancel(&m.alarm)
		if m.kept != nil {
			e.b.warm -= m.size
		}
		m.stored = never
	}
	for _, s := range e.sessions {
		e.b.clock.Cancel(&s.alarm)
		if s.owner != nil {
			s.owner.session = nil
		}
	}
	e.b.clock.Cancel(&e.history.alarm)
	e.b.clock.Cancel(&e.idle)
	e.b.clock.Cancel(&e.feeding)
	e.callFeeders()
	e.log, e.ready, e.bytes, e.states = backlog{}, nil, 0, [3]int{}
	e.history.order = nil
	clear(e.locks)
	clear(e.sessions)
	clear(e.hungry)
	e.offers = nil
}

// detachAfter is how long after a change links are detached: a client that learns of it before its request for the
// change has been answered would be confused.
const detachAfter = 300 * time.Millisecond

// detachSoon ends all links that are open now.
func (e *Entity) detachSoon(why *amqpwire.Error) {
	for link := range e.links {
		time.AfterFunc(detachAfter, func() { link.Fail(why) })
	}
}

// idleness is an entity as its AutoDeleteOnIdle sees it.
type idleness Entity

// watchIdle starts the wait of AutoDeleteOnIdle anew.
func (e *Entity) watchIdle() {
	if e.Settings.Idle == 0 {
		e.b.clock.Cancel(&e.idle)
		return
	}
	e.b.clock.Set(&e.idle, max(e.times.accessed, e.times.updated)+e.Settings.Idle.Milliseconds())
}

// resumeIdle starts the waits of AutoDeleteOnIdle: when entities were used before a restart is not known.
func (b *Broker) resumeIdle() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.entities {
		if e.Settings.Idle > 0 {
			e.times.accessed = b.Now()
			e.watchIdle()
		}
	}
}

// Ring implements clock.Ringer: an entity that nobody uses and has used for long enough goes.
func (i *idleness) Ring(now int64) {
	e := (*Entity)(i)
	if e.inUse() {
		e.times.accessed = now
	}
	for _, part := range e.parts() { // whoever uses one uses it
		e.times.accessed = max(e.times.accessed, part.times.accessed, part.times.updated)
	}
	if now < e.times.accessed+e.Settings.Idle.Milliseconds() {
		e.watchIdle()
		return
	}
	e.b.log.Info("entity deleted because nobody has used it", "entity", e.Path, "for", e.Settings.Idle)
	e.b.Drop(e)
}

// inUse says whether an entity that nobody touches is not idle: somebody is connected to it or to a part of it, a message
// is scheduled, or it forwards, which the service takes for receiving.
func (e *Entity) inUse() bool {
	return e.forward != nil || e.states[Scheduled] > 0 ||
		slices.ContainsFunc(e.parts(), func(part *Entity) bool { return len(part.links)+len(part.waiting) > 0 })
}
