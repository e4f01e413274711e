package stack

import (
	"time"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minihost"
)

// Values of the stack's own topology. The official emulator allows at most five minutes
// of duplicate detection. Its limits of one hour to live and ten deliveries are not kept:
// data here survives the night, and a day without the store.
const (
	duplicateWindow = 5 * time.Minute
	timeToLive      = 14 * 24 * time.Hour
	maxDeliveries   = 100
)

// Topology is a bus with one topic that detects duplicates and one subscription, without
// sessions: the consumer keeps the order by the numbers. Further consumers have their own,
// each with the rule that it needs.
func Topology(topic, subscription string, consumers ...Subscription) *minibus.Config {
	c := &minibus.Config{Topics: []minibus.Topic{{
		Name:                                topic,
		DefaultMessageTimeToLive:            timeToLive,
		RequiresDuplicateDetection:          true,
		DuplicateDetectionHistoryTimeWindow: duplicateWindow,
	}}}
	t := &c.Topics[0]
	for _, s := range append([]Subscription{{Name: subscription}}, consumers...) {
		t.Subscriptions = append(t.Subscriptions, s.make())
	}
	return c
}

// Subscription is one of a consumer, with its rule: a SQL condition, "" for everything.
type Subscription struct{ Name, Rule string }

func (s Subscription) make() minibus.Subscription {
	made := minibus.Subscription{
		Name:                             s.Name,
		MaxDeliveryCount:                 maxDeliveries,
		DefaultMessageTimeToLive:         timeToLive,
		DeadLetteringOnMessageExpiration: true,
	}
	if s.Rule != "" {
		made.Rules = []minibus.Rule{{Name: RuleName, SQL: s.Rule}}
	}
	return made
}

// RuleName is what the rule of a consumer's subscription is called.
const RuleName = "heard"

// Consumers are the subscriptions of the topic, beside the one that the settings call
// EVENTS_SUBSCRIPTION, that functions of an app wait for. The folder is an assembled app, or the
// functions of its source.
func Consumers(folder string, settings map[string]string) ([]Subscription, error) {
	found, err := minihost.Inspect(folder, settings)
	if err != nil {
		return nil, err
	}
	var list []Subscription
	for _, f := range found.Functions {
		if !f.Disabled && f.Topic == settings["EVENTS_TOPIC"] && f.Subscription != "" && f.Subscription != settings["EVENTS_SUBSCRIPTION"] {
			list = append(list, Subscription{Name: f.Subscription, Rule: f.Rule})
		}
	}
	return list, nil
}
