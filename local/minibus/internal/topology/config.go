package topology

import (
	"time"

	"github.com/relaybox/relaybox/local/minibus/internal/rules"
)

// Config is the topology. Load reads it from the official emulator's Config.json; a program may also write it
// down directly, and is then not held to the emulator's limits. Zero values mean the emulator's defaults.
type Config struct {
	Queues []Queue
	Topics []Topic
}

// Queue is a queue.
type Queue struct {
	Name                                string
	DeadLetteringOnMessageExpiration    bool
	DefaultMessageTimeToLive            time.Duration // 0: one hour
	DuplicateDetectionHistoryTimeWindow time.Duration // 0: 20 s
	ForwardDeadLetteredMessagesTo       string
	ForwardTo                           string
	LockDuration                        time.Duration // 0: one minute
	MaxDeliveryCount                    int           // 0: 3
	RequiresDuplicateDetection          bool
	RequiresSession                     bool
}

// Topic is a topic with its subscriptions.
type Topic struct {
	Name                                string
	DefaultMessageTimeToLive            time.Duration
	DuplicateDetectionHistoryTimeWindow time.Duration
	RequiresDuplicateDetection          bool
	Subscriptions                       []Subscription
}

// Subscription gets copies of the messages that one of its rules takes.
type Subscription struct {
	Name                             string
	DeadLetteringOnMessageExpiration bool
	DefaultMessageTimeToLive         time.Duration
	ForwardDeadLetteredMessagesTo    string
	ForwardTo                        string
	LockDuration                     time.Duration
	MaxDeliveryCount                 int
	RequiresSession                  bool
	Rules                            []rules.Rule // nil: everything
}

// Defaults of the official emulator.
const (
	defaultTTL         = time.Hour
	defaultHistory     = 20 * time.Second
	defaultLock        = time.Minute
	defaultMaxDelivery = 3
)
