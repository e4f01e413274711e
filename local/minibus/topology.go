package minibus

import (
	"fmt"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// build makes the entities of a configuration.
func (b *broker) build(c *Config) error {
	for _, q := range c.Queues {
		e, err := b.add(queueKind, q.Name, settings{
			lock: or(q.LockDuration, defaultLock), ttl: or(q.DefaultMessageTimeToLive, defaultTTL),
			maxDelivery: or(q.MaxDeliveryCount, defaultMaxDelivery), deadLetterLate: q.DeadLetteringOnMessageExpiration,
			requiresSession: q.RequiresSession, duplicates: window(q.RequiresDuplicateDetection, q.DuplicateDetectionHistoryTimeWindow),
			window: or(q.DuplicateDetectionHistoryTimeWindow, defaultHistory),
		})
		if err != nil {
			return err
		}
		b.addDead(e)
	}
	for _, t := range c.Topics {
		if err := b.addTopic(t); err != nil {
			return err
		}
	}
	return b.connect(c)
}

func window(detect bool, w time.Duration) time.Duration {
	if !detect {
		return 0
	}
	return or(w, defaultHistory)
}

func (b *broker) addTopic(t Topic) error {
	topic, err := b.add(topicKind, t.Name, settings{
		ttl: or(t.DefaultMessageTimeToLive, defaultTTL), duplicates: window(t.RequiresDuplicateDetection, t.DuplicateDetectionHistoryTimeWindow),
		window: or(t.DuplicateDetectionHistoryTimeWindow, defaultHistory),
	})
	if err != nil {
		return err
	}
	for _, s := range t.Subscriptions {
		e, err := b.add(subscriptionKind, subscriptionPath(t.Name, s.Name), settings{
			lock: or(s.LockDuration, defaultLock), ttl: or(s.DefaultMessageTimeToLive, defaultTTL),
			maxDelivery: or(s.MaxDeliveryCount, defaultMaxDelivery), deadLetterLate: s.DeadLetteringOnMessageExpiration,
			requiresSession: s.RequiresSession,
		})
		if err != nil {
			return err
		}
		b.addDead(e)
		e.name = s.Name
		if e.rules, err = rulesOf(e.path, s); err != nil {
			return err
		}
		topic.subscriptions = append(topic.subscriptions, e)
	}
	return nil
}

func subscriptionPath(topic, subscription string) string {
	return topic + "/Subscriptions/" + subscription
}

// add makes one entity.
func (b *broker) add(k kind, path string, rule settings) (*entity, error) {
	e := &entity{
		b: b, kind: k, path: path, name: path, key: strings.ToLower(path), rule: rule,
		locks: map[amqpwire.UUID]*message{}, hungry: map[*consumer]struct{}{}, sessions: map[string]*session{},
	}
	e.history = history{until: map[string]int64{}, alarm: alarm{place: nowhere, owner: e}}
	if path == "" || len(path) > 1024 {
		return nil, fmt.Errorf("%w: an entity name must have 1 to 1024 characters, %q has not", ErrConfig, path)
	}
	if b.entities[e.key] != nil {
		return nil, fmt.Errorf("%w: there are two entities %q (names do not differ by case): rename one", ErrConfig, path)
	}
	b.entities[e.key] = e
	return e, nil
}

// addDead makes the dead-letter queues of an entity. Nothing is transferred through an entity here, so that the second
// one stays empty.
func (b *broker) addDead(e *entity) {
	rule := settings{lock: e.rule.lock}
	e.dead, _ = b.add(deadLetterKind, e.path+"/$DeadLetterQueue", rule)
	e.transferDead, _ = b.add(deadLetterKind, e.path+"/$Transfer/$DeadLetterQueue", rule)
}

// connect resolves ForwardTo and ForwardDeadLetteredMessagesTo once all entities exist.
func (b *broker) connect(c *Config) error {
	resolve := func(from, key, to string) (*entity, error) {
		if to == "" {
			return nil, nil
		}
		e, _ := b.lookup(to)
		if e == nil || e.kind != queueKind && e.kind != topicKind {
			return nil, fmt.Errorf("%w: %s of %q names %q, which is no queue or topic: add it or remove the key", ErrConfig, key, from, to)
		}
		return e, nil
	}
	link := func(path, forward, forwardDead string) (err error) {
		e := b.entities[strings.ToLower(path)]
		if e.forward, err = resolve(path, "ForwardTo", forward); err != nil {
			return err
		}
		e.forwardDead, err = resolve(path, "ForwardDeadLetteredMessagesTo", forwardDead)
		return err
	}
	for _, q := range c.Queues {
		if err := link(q.Name, q.ForwardTo, q.ForwardDeadLetteredMessagesTo); err != nil {
			return err
		}
	}
	for _, t := range c.Topics {
		for _, s := range t.Subscriptions {
			if err := link(subscriptionPath(t.Name, s.Name), s.ForwardTo, s.ForwardDeadLetteredMessagesTo); err != nil {
				return err
			}
		}
	}
	return nil
}
