package topology

import (
	"cmp"
	"fmt"
	"time"

	"github.com/relaybox/relaybox/local/minibus/internal/rules"
)

// Describe tells of each entity that is configured, topics before their subscriptions, until use returns an error.
func Describe(c *Config, use func(Description) error) error {
	for _, q := range c.Queues {
		if err := use(describeQueue(q)); err != nil {
			return err
		}
	}
	for _, t := range c.Topics {
		if err := use(describeTopic(t)); err != nil {
			return err
		}
		for _, s := range t.Subscriptions {
			d, err := describeSubscription(t, s)
			if err != nil {
				return err
			}
			if err := use(d); err != nil {
				return err
			}
		}
	}
	return nil
}

func describeQueue(q Queue) Description {
	return Description{
		Kind: QueueKind, Path: q.Name, Name: q.Name, ForwardTo: q.ForwardTo, ForwardDeadTo: q.ForwardDeadLetteredMessagesTo,
		Settings: Settings{
			Lock: cmp.Or(q.LockDuration, defaultLock), TTL: cmp.Or(q.DefaultMessageTimeToLive, defaultTTL),
			MaxDelivery: cmp.Or(q.MaxDeliveryCount, defaultMaxDelivery), DeadLetterLate: q.DeadLetteringOnMessageExpiration,
			RequiresSession: q.RequiresSession, Duplicates: window(q.RequiresDuplicateDetection, q.DuplicateDetectionHistoryTimeWindow),
			Window: cmp.Or(q.DuplicateDetectionHistoryTimeWindow, defaultHistory),
		},
	}
}

func describeTopic(t Topic) Description {
	return Description{
		Kind: TopicKind, Path: t.Name, Name: t.Name,
		Settings: Settings{
			TTL: cmp.Or(t.DefaultMessageTimeToLive, defaultTTL), Duplicates: window(t.RequiresDuplicateDetection, t.DuplicateDetectionHistoryTimeWindow),
			Window: cmp.Or(t.DuplicateDetectionHistoryTimeWindow, defaultHistory),
		},
	}
}

func describeSubscription(t Topic, s Subscription) (Description, error) {
	d := Description{
		Kind: SubscriptionKind, Path: SubscriptionPath(t.Name, s.Name), Name: s.Name, Topic: t.Name,
		ForwardTo: s.ForwardTo, ForwardDeadTo: s.ForwardDeadLetteredMessagesTo,
		Settings: Settings{
			Lock: cmp.Or(s.LockDuration, defaultLock), TTL: cmp.Or(s.DefaultMessageTimeToLive, defaultTTL),
			MaxDelivery: cmp.Or(s.MaxDeliveryCount, defaultMaxDelivery), DeadLetterLate: s.DeadLetteringOnMessageExpiration,
			RequiresSession: s.RequiresSession,
		},
	}
	var err error
	d.Rules, err = rulesOf(d.Path, s)
	return d, err
}

func window(detect bool, w time.Duration) time.Duration {
	if !detect {
		return 0
	}
	return cmp.Or(w, defaultHistory)
}

// SubscriptionPath is where a subscription is found.
func SubscriptionPath(topic, subscription string) string {
	return topic + "/Subscriptions/" + subscription
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
