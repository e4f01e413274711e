package minibus

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/clock"
	"github.com/relaybox/relaybox/local/minibus/internal/rules"
)

// build makes the entities of a configuration.
func (b *broker) build(c *Config) error {
	for _, q := range c.Queues {
		e, err := b.add(queueKind, q.Name, settings{
			lock: cmp.Or(q.LockDuration, defaultLock), ttl: cmp.Or(q.DefaultMessageTimeToLive, defaultTTL),
			maxDelivery: cmp.Or(q.MaxDeliveryCount, defaultMaxDelivery), deadLetterLate: q.DeadLetteringOnMessageExpiration,
			requiresSession: q.RequiresSession, duplicates: window(q.RequiresDuplicateDetection, q.DuplicateDetectionHistoryTimeWindow),
			window: cmp.Or(q.DuplicateDetectionHistoryTimeWindow, defaultHistory),
		})
		if err != nil {
			return err
		}
		e.forwardTo, e.forwardDeadTo = q.ForwardTo, q.ForwardDeadLetteredMessagesTo
	}
	for _, t := range c.Topics {
		if err := b.addTopic(t); err != nil {
			return err
		}
	}
	for _, e := range b.entities {
		if err := b.checkForwards(e); err != nil {
			return fmt.Errorf("%w: %w", ErrConfig, err)
		}
		e.configured = e.digest()
	}
	return nil
}

func window(detect bool, w time.Duration) time.Duration {
	if !detect {
		return 0
	}
	return cmp.Or(w, defaultHistory)
}

func (b *broker) addTopic(t Topic) error {
	topic, err := b.add(topicKind, t.Name, settings{
		ttl: cmp.Or(t.DefaultMessageTimeToLive, defaultTTL), duplicates: window(t.RequiresDuplicateDetection, t.DuplicateDetectionHistoryTimeWindow),
		window: cmp.Or(t.DuplicateDetectionHistoryTimeWindow, defaultHistory),
	})
	if err != nil {
		return err
	}
	for _, s := range t.Subscriptions {
		e, err := b.add(subscriptionKind, subscriptionPath(t.Name, s.Name), settings{
			lock: cmp.Or(s.LockDuration, defaultLock), ttl: cmp.Or(s.DefaultMessageTimeToLive, defaultTTL),
			maxDelivery: cmp.Or(s.MaxDeliveryCount, defaultMaxDelivery), deadLetterLate: s.DeadLetteringOnMessageExpiration,
			requiresSession: s.RequiresSession,
		})
		if err != nil {
			return err
		}
		e.name, e.topic = s.Name, topic
		e.forwardTo, e.forwardDeadTo = s.ForwardTo, s.ForwardDeadLetteredMessagesTo
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
		links: map[amqpserver.Link]struct{}{}, locks: map[amqpwire.UUID]*message{}, hungry: map[*consumer]struct{}{}, sessions: map[string]*session{},
	}
	e.history = history{until: map[string]int64{}, alarm: clock.NewAlarm(e)}
	if path == "" || len(path) > 1024 {
		return nil, fmt.Errorf("%w: an entity name must have 1 to 1024 characters, %q has not", ErrConfig, path)
	}
	if b.entities[e.key] != nil {
		return nil, fmt.Errorf("%w: there are two entities %q (names do not differ by case): rename one", ErrConfig, path)
	}
	e.idle = clock.NewAlarm((*idleness)(e))
	b.entities[e.key] = e
	if k == queueKind || k == subscriptionKind {
		b.addDead(e)
	}
	return e, nil
}

// addDead makes the dead-letter queues of an entity. Nothing is transferred through an entity here, so that the second
// one stays empty.
func (b *broker) addDead(e *entity) {
	rule := settings{lock: e.rule.lock}
	e.dead, _ = b.add(deadLetterKind, e.path+"/$DeadLetterQueue", rule)
	e.transferDead, _ = b.add(deadLetterKind, e.path+"/$Transfer/$DeadLetterQueue", rule)
}

// checkForwards finds names that forward to nowhere.
func (b *broker) checkForwards(e *entity) error {
	for key, to := range map[string]string{"ForwardTo": e.forwardTo, "ForwardDeadLetteredMessagesTo": e.forwardDeadTo} {
		if to == "" {
			continue
		}
		target, _ := b.lookup(to)
		switch {
		case target == nil || target.kind != queueKind && target.kind != topicKind:
			return fmt.Errorf("%s of %q names %q, which is no queue or topic: add it or remove the key", key, e.path, to)
		case target == e:
			return fmt.Errorf("%s of %q names itself: name another queue or topic, or remove the key", key, e.path)
		}
	}
	return nil
}

// relink finds what names forward to, after entities have come or gone. What forwards to nowhere any more keeps its
// target, which takes nothing.
func (b *broker) relink() {
	find := func(name string, last *entity) *entity {
		if name == "" {
			return nil
		}
		e, _ := b.lookup(name)
		if e != nil && (e.kind == queueKind || e.kind == topicKind) {
			return e
		}
		if last != nil && last.gone {
			return last
		}
		return &entity{b: b, path: normalize(name), gone: true}
	}
	for _, e := range b.entities {
		e.forward, e.forwardDead = find(e.forwardTo, e.forward), find(e.forwardDeadTo, e.forwardDead)
	}
}

// rulesOf are the rules of a subscription, whose path stands in errors.
func rulesOf(path string, s Subscription) ([]rules.Compiled, error) {
	if s.Rules == nil {
		return []rules.Compiled{{Name: rules.DefaultName, Filter: rules.Everything{}}}, nil
	}
	compiled := make([]rules.Compiled, len(s.Rules))
	for i, r := range s.Rules {
		var err error
		if compiled[i], err = rules.Compile(r); err != nil {
			return nil, fmt.Errorf("%w: rule %q: %w", ErrConfig, path+"/Rules/"+r.Name, err)
		}
	}
	return compiled, nil
}
