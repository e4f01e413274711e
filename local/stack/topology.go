package stack

import (
	"time"

	"github.com/relaybox/relaybox/local/minibus"
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
// sessions: the consumer keeps the order by the numbers.
func Topology(topic, subscription string) *minibus.Config {
	return &minibus.Config{Topics: []minibus.Topic{{
		Name:                                topic,
		DefaultMessageTimeToLive:            timeToLive,
		RequiresDuplicateDetection:          true,
		DuplicateDetectionHistoryTimeWindow: duplicateWindow,
		Subscriptions: []minibus.Subscription{{
			Name:                             subscription,
			MaxDeliveryCount:                 maxDeliveries,
			DefaultMessageTimeToLive:         timeToLive,
			DeadLetteringOnMessageExpiration: true,
		}},
	}}}
}
