package minibus

import (
	"io"

	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// Config is the topology. LoadConfig reads it from the official emulator's Config.json; a program may also write it
// down directly, and is then not held to the emulator's limits. Zero values mean the emulator's defaults.
//
//	Queues []Queue
//	Topics []Topic
type Config = topology.Config

// Queue is a queue.
//
//	Name                                string
//	DeadLetteringOnMessageExpiration    bool          // false: expired messages are dropped
//	DefaultMessageTimeToLive            time.Duration // 0: one hour
//	DuplicateDetectionHistoryTimeWindow time.Duration // 0: 20 s
//	ForwardDeadLetteredMessagesTo       string        // name of a queue or topic; "": its dead-letter queue
//	ForwardTo                           string        // name of a queue or topic; "": nowhere
//	LockDuration                        time.Duration // 0: one minute
//	MaxDeliveryCount                    int           // 0: 3
//	RequiresDuplicateDetection          bool
//	RequiresSession                     bool
type Queue = topology.Queue

// Topic is a topic with its subscriptions.
//
//	Name                                string
//	DefaultMessageTimeToLive            time.Duration // 0: one hour
//	DuplicateDetectionHistoryTimeWindow time.Duration // 0: 20 s
//	RequiresDuplicateDetection          bool
//	Subscriptions                       []Subscription
type Topic = topology.Topic

// Subscription gets copies of the messages that one of its rules takes.
//
//	Name                             string
//	DeadLetteringOnMessageExpiration bool          // false: expired messages are dropped
//	DefaultMessageTimeToLive         time.Duration // 0: one hour
//	ForwardDeadLetteredMessagesTo    string        // name of a queue or topic; "": its dead-letter queue
//	ForwardTo                        string        // name of a queue or topic; "": nowhere
//	LockDuration                     time.Duration // 0: one minute
//	MaxDeliveryCount                 int           // 0: 3
//	RequiresSession                  bool
//	Rules                            []Rule        // nil: everything
type Subscription = topology.Subscription

// Rule takes messages: those that its correlation filter or its SQL condition matches; with neither, all. With an
// action the subscription gets a copy of its own for this rule, which the action has changed.
//
//	Name        string
//	Correlation *CorrelationFilter // nil: see SQL
//	SQL         string             // condition, such as "sys.Label = 'urgent' AND level > 3"
//	Action      string             // statements, such as "SET sys.Label = 'seen'; REMOVE level"
type Rule = rules.Rule

// CorrelationFilter matches messages that are equal in every property it names. Strings are case-sensitive.
//
//	ContentType, CorrelationID, Label, MessageID string         // "": any
//	ReplyTo, ReplyToSessionID, SessionID, To     string         // "": any
//	Properties                                   map[string]any // strings, booleans, numbers and times; nil: any
type CorrelationFilter = rules.CorrelationFilter

// Faults of the configuration.
var (
	// ErrConfig: Config.json cannot be used; the text names each key and the remedy. Change the file.
	ErrConfig = topology.ErrConfig
)

// LoadConfig reads the official emulator's Config.json. Comments and trailing commas are allowed, keys that the
// emulator does not know and values that it forbids are not. All faults are reported together, each with the path of
// its key and the remedy.
func LoadConfig(r io.Reader) (*Config, error) { return topology.Load(r) }
