package minibus

import (
	"log/slog"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/internal/clock"
	"github.com/relaybox/relaybox/local/minibus/internal/fault"
	"github.com/relaybox/relaybox/local/minibus/internal/journal"
	"github.com/relaybox/relaybox/local/minibus/internal/sas"
)

// broker is the state of all entities. One lock guards it: an operation touches several entities at once (a topic and
// its subscriptions, a queue and its dead-letter queue), takes microseconds, and never waits for a sync; only
// the content of a message that has left memory is read under it.
type broker struct {
	log      *slog.Logger
	policies sas.Keyring
	jwt      bool
	maxBytes int // of one entity
	maxWarm  int // see content
	faults   fault.Set
	clock    *clock.Clock // its alarms are guarded by mu

	mu       sync.Mutex // guards the rest; taken after an amqpserver connection's lock
	entities map[string]*entity
	times    times // of the namespace
	journal  *journal.Journal
	scratch  []byte     // of the message being delivered
	record   []byte     // of the message being stored
	warm     int        // bytes of messages whose content is in memory
	cooling  []*message // whose content may leave memory once it is in the store
}

// Connect implements amqpserver.Backend.
func (b *broker) Connect(string) amqpserver.Peer {
	return &peer{b: b, consumers: map[string]*consumer{}}
}

// Position implements amqpserver.Backend.
func (b *broker) Position() uint64 { return b.journal.Position() }

// Durable implements amqpserver.Backend.
func (b *broker) Durable(position uint64) error {
	return b.journal.Sync(position, b.take, b.chill)
}

// fault is what goes wrong now, or nil.
func (b *broker) fault(on fault.Moment, e *entity) *fault.Armed { return b.faults.Next(on, e.key) }

// now is the broker's time, in Unix milliseconds. Tokens live by the real one: it is their makers'.
func (b *broker) now() int64 { return b.clock.Now() }

// keepTime rings alarms until stop is closed.
func (b *broker) keepTime(stop <-chan struct{}) {
	b.clock.Keep(stop, &b.mu, func() {
		if err := b.Durable(b.Position()); err != nil {
			b.log.Error("broker cannot make expiries durable", "error", err)
		}
	})
}

// take hands over the changes since the last time.
func (b *broker) take() (*pebble.Batch, uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.journal.Take()
}

// Suffixes of addresses, in lower case.
const (
	suffixManagement = "/$management"
	suffixDead       = "/$deadletterqueue"
	suffixTransfer   = "/$transfer/$deadletterqueue"
	nodeCBS          = "$cbs"
)

// normalize reduces an address to its path in lower case: clients send paths, with or without a leading slash, and
// whole URLs.
func normalize(address string) string {
	if i := strings.Index(address, "://"); i >= 0 {
		_, address, _ = strings.Cut(address[i+3:], "/")
	}
	return strings.ToLower(strings.Trim(address, "/"))
}

// find is lookup for those who do not hold mu.
func (b *broker) find(address string) (e *entity, management bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lookup(address)
}

// lookup finds an entity, and says whether its $management node is meant. The caller holds mu.
func (b *broker) lookup(address string) (e *entity, management bool) {
	path, management := strings.CutSuffix(normalize(address), suffixManagement)
	return b.entities[path], management
}
