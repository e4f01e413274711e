package broker

import (
	"fmt"
	"strings"

	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/clock"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// build makes the entities of a configuration.
func (b *Broker) build(c *topology.Config) error {
	err := topology.Describe(c, func(d topology.Description) error {
		_, err := b.add(d)
		return err
	})
	if err != nil {
		return err
	}
	for _, e := range b.entities {
		if err := b.CheckForwards(e.Description, e); err != nil {
			return fmt.Errorf("%w: %w", topology.ErrConfig, err)
		}
		e.configured = e.Digest()
		b.digests[e.Key] = e.configured
	}
	return nil
}

// add makes one entity. A subscription needs its topic.
func (b *Broker) add(d topology.Description) (*Entity, error) {
	path := d.Path
	e := &Entity{
		Description: d, b: b, Key: strings.ToLower(path),
		links: map[amqpserver.Link]struct{}{}, locks: map[amqpwire.UUID]*message{}, hungry: map[*consumer]struct{}{}, sessions: map[string]*session{},
	}
	e.configured = b.digests[e.Key]
	e.history = history{until: map[string]int64{}, alarm: clock.NewAlarm(e)}
	if path == "" || len(path) > 1024 {
		return nil, fmt.Errorf("%w: an entity name must have 1 to 1024 characters, %q has not", topology.ErrConfig, path)
	}
	if b.entities[e.Key] != nil {
		return nil, fmt.Errorf("%w: there are two entities %q (names do not differ by case): rename one", topology.ErrConfig, path)
	}
	e.idle, e.feeding = clock.NewAlarm((*idleness)(e)), clock.NewAlarm((*feeding)(e))
	b.entities[e.Key] = e
	if e.Kind == topology.SubscriptionKind {
		e.parent = b.entities[strings.ToLower(d.Topic)]
		e.parent.subscriptions = append(e.parent.subscriptions, e)
	}
	if e.Kind == topology.QueueKind || e.Kind == topology.SubscriptionKind {
		b.addDead(e)
	}
	return e, nil
}

// addDead makes the dead-letter queues of an entity: of what has failed there, and of what could not be forwarded.
func (b *Broker) addDead(e *Entity) {
	add := func(path string) *Entity {
		dead, _ := b.add(topology.Description{Kind: topology.DeadLetterKind, Path: path, Name: path, Settings: topology.Settings{Lock: e.Settings.Lock}})
		return dead
	}
	e.dead, e.transferDead = add(e.Path+"/$DeadLetterQueue"), add(e.Path+"/$Transfer/$DeadLetterQueue")
	e.dead.transferDead = e.transferDead
}

// CheckForwards finds names that forward to nowhere, or to the entity itself, which is nil if there is none yet.
func (b *Broker) CheckForwards(d topology.Description, self *Entity) error {
	if d.ForwardTo != "" && d.Settings.RequiresSession {
		return fmt.Errorf("%q has RequiresSession and ForwardTo, which exclude each other: remove one", d.Path)
	}
	for key, to := range map[string]string{"ForwardTo": d.ForwardTo, "ForwardDeadLetteredMessagesTo": d.ForwardDeadTo} {
		if to == "" {
			continue
		}
		target, _ := b.lookup(to)
		switch {
		case target == nil || target.Kind != topology.QueueKind && target.Kind != topology.TopicKind:
			return fmt.Errorf("%s of %q names %q, which is no queue or topic: add it or remove the key", key, d.Path, to)
		case target == self:
			return fmt.Errorf("%s of %q names itself: name another queue or topic, or remove the key", key, d.Path)
		}
	}
	return nil
}

// relink finds what names forward to, after entities have come or gone. What forwards to nowhere any more keeps its
// target, which takes nothing.
func (b *Broker) relink() {
	find := func(name string, last *Entity) *Entity {
		if name == "" {
			return nil
		}
		e, _ := b.lookup(name)
		if e != nil && (e.Kind == topology.QueueKind || e.Kind == topology.TopicKind) {
			return e
		}
		if last != nil && last.gone {
			return last
		}
		return &Entity{b: b, Description: topology.Description{Path: Normalize(name)}, gone: true}
	}
	for _, e := range b.entities {
		if e.Kind == topology.DeadLetterKind {
			continue
		}
		e.forward = find(e.ForwardTo, e.forward)
		if e.dead != nil {
			e.dead.forward = find(e.ForwardDeadTo, e.dead.forward)
		}
	}
}
