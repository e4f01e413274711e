package topology

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/sas"
)

// Description is what an entity is, without what is in it.
type Description struct {
	Kind     Kind
	Path     string // as configured
	Name     string // the last part of path
	Topic    string // path of a subscription's topic
	Settings Settings

	ForwardTo     string // names, as configured
	ForwardDeadTo string
	Rules         []rules.Compiled // of a subscription; a message that none of them takes is not copied
	Keys          []sas.Rule       // of a queue or topic
}

// Kind says what an entity is.
type Kind int

// The kinds. Stores keep their numbers.
const (
	QueueKind Kind = iota
	TopicKind      // holds only scheduled messages; the others go to its subscriptions at once
	SubscriptionKind
	DeadLetterKind
)

// Settings are an entity's properties.
type Settings struct {
	Lock            time.Duration
	TTL             time.Duration // 0: for ever
	MaxDelivery     int
	DeadLetterLate  bool // expired messages are dead-lettered
	RequiresSession bool
	Duplicates      time.Duration // history window; 0: no detection
	Window          time.Duration // as configured, also without detection

	Status       string        // StatusActive or another; "" is active
	Metadata     string        // the user's
	Unbatched    bool          // only told: the broker batches anyway
	FilterErrors bool          // of a subscription: a message whose rules cannot be evaluated is dead-lettered
	MaxMB        int           // quota; 0: the broker's
	MaxMessageKB int           // of one message; 0: the tier's
	Idle         time.Duration // AutoDeleteOnIdle; 0: never
	Partitioned  bool          // as the service spreads an entity over several brokers; here there is one
}

// StatusText is the status as it is written.
func (s Settings) StatusText() string { return cmp.Or(s.Status, StatusActive) }

// Statuses of an entity, as the administration interface writes them.
const (
	StatusActive          = "Active"
	StatusDisabled        = "Disabled"
	StatusSendDisabled    = "SendDisabled"
	StatusReceiveDisabled = "ReceiveDisabled"
)

// Digest stands for what is described. Stores keep it: it must not change from one version to the next.
func (d Description) Digest() uint64 {
	h, s := fnv.New64a(), d.Settings
	fmt.Fprintf(h, "%d %s {lock:%d ttl:%d maxDelivery:%d deadLetterLate:%t requiresSession:%t duplicates:%d window:%d", d.Kind, d.Path,
		s.Lock, s.TTL, s.MaxDelivery, s.DeadLetterLate, s.RequiresSession, s.Duplicates, s.Window)
	fmt.Fprintf(h, " status:%s metadata:%s unbatched:%t filterErrors:%t maxMB:%d idle:%d}", s.Status, s.Metadata, s.Unbatched, s.FilterErrors, s.MaxMB, s.Idle)
	if s.MaxMessageKB > 0 { // earlier versions had none
		fmt.Fprintf(h, " maxMessageKB:%d", s.MaxMessageKB)
	}
	if s.Partitioned { // nor these
		fmt.Fprint(h, " partitioned")
	}
	fmt.Fprintf(h, " > %s > %s", d.ForwardTo, d.ForwardDeadTo)
	for _, r := range d.Rules {
		fmt.Fprintf(h, " %s %+v", r.Name, r.Filter)
		if r.Action != nil {
			fmt.Fprintf(h, " ! %s", r.Action)
		}
	}
	for _, k := range d.Keys {
		fmt.Fprintf(h, " key %+v", k)
	}
	return h.Sum64() | 1 // never 0, which stands for nothing noted
}
