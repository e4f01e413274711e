package broker

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/relaybox/relaybox/local/disk"
	"github.com/relaybox/relaybox/local/minibus/internal/clock"
	"github.com/relaybox/relaybox/local/minibus/internal/fault"
	"github.com/relaybox/relaybox/local/minibus/internal/journal"
	"github.com/relaybox/relaybox/local/minibus/internal/sas"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// Broker is the state of all entities. One lock guards it: an operation touches several entities at once (a topic and
// its subscriptions, a queue and its dead-letter queue), takes microseconds, and never waits for a sync; only
// the content of a message that has left memory is read under it.
type Broker struct {
	log      *slog.Logger
	maxBytes int // of one entity
	tier     topology.Tier
	maxWarm  int // bytes of contents in memory: warm.go
	faults   fault.Set
	clock    *clock.Clock  // its alarms are guarded by mu
	watch    func(Passage) // nil: nobody watches; called with mu held

	mu       sync.Mutex // guards the rest; taken after an amqpserver connection's lock
	entities map[string]*Entity
	digests  map[string]uint64 // of what the configuration says of entities, also of those that clients have deleted
	times    times             // of the namespace
	journal  *journal.Journal
	scratch  []byte     // of the message being delivered
	record   []byte     // of the message being stored
	warm     int        // bytes of messages whose content is in memory
	cooling  []*message // whose content may leave memory once it is in the store
}

// Options are what a broker is made of.
type Options struct {
	Dir        string // of the store; "": in memory
	FS         vfs.FS
	AcceptLoss bool // open a damaged store with what is left of it
	Config     *topology.Config
	Logger     *slog.Logger

	Tier           topology.Tier
	MaxEntityBytes int // quota of an entity that has none of its own
	CacheBytes     int // contents of messages that stay in memory

	Progress func(messages int) // hears every second of a long Open how many have been read; nil: nobody does

	Watch func(Passage) // hears of each message, with the broker's lock held; nil: nobody does
}

// Open makes a broker and loads what its store holds. Close it; KeepTime must have returned by then.
func Open(o Options) (*Broker, error) {
	b := &Broker{log: o.Logger, tier: o.Tier, maxBytes: o.MaxEntityBytes, maxWarm: o.CacheBytes, watch: o.Watch, clock: clock.New(), entities: map[string]*Entity{}, digests: map[string]uint64{}}
	if err := b.build(o.Config); err != nil {
		return nil, err
	}
	var err error
	if b.journal, err = journal.Open(disk.Options{Dir: o.Dir, FS: o.FS, Log: o.Logger, AcceptLoss: o.AcceptLoss}); err != nil {
		return nil, err
	}
	if err := b.restoreChanges(); err != nil {
		return nil, errors.Join(err, b.journal.Close())
	}
	if err := b.restore(o.Progress); err != nil {
		return nil, errors.Join(err, b.journal.Close())
	}
	b.date(b.Now())
	b.resumeIdle()
	return b, nil
}

// Close makes what there is durable and closes the store.
func (b *Broker) Close() error { return errors.Join(b.Durable(b.Position()), b.journal.Close()) }

// Hurry has nobody wait for room on a full disk from now on: the broker is about to be closed.
func (b *Broker) Hurry() { b.journal.Hurry() }

// Room is nil unless the disk is full: then what would come is refused, and what is there is handed out and settled.
func (b *Broker) Room() error { return b.journal.Room(0) }

// Tier is the namespace's.
func (b *Broker) Tier() topology.Tier { return b.tier }

// Lock takes the broker's lock, for those who do several things at once.
func (b *Broker) Lock() { b.mu.Lock() }

// Unlock gives it back.
func (b *Broker) Unlock() { b.mu.Unlock() }

// Advance moves the clock: what ends within d has ended when it returns, durably.
func (b *Broker) Advance(d time.Duration) error {
	b.mu.Lock()
	b.clock.Advance(d)
	b.mu.Unlock()
	return b.Durable(b.Position())
}

// Position names everything that the broker has been told up to now: amqpserver.Backend.
func (b *Broker) Position() uint64 { return b.journal.Position() }

// Durable returns when everything up to a position will survive a crash: amqpserver.Backend.
func (b *Broker) Durable(position uint64) error {
	return b.journal.Sync(position, b.take, b.chill)
}

// fault is what goes wrong now, or nil.
func (b *Broker) fault(on fault.Moment, e *Entity) *fault.Armed { return b.faults.Next(on, e.Key, nil) }

// Now is the broker's time, in Unix milliseconds. Tokens live by the real one: it is their makers'.
func (b *Broker) Now() int64 { return b.clock.Now() }

// KeepTime rings alarms until stop is closed.
func (b *Broker) KeepTime(stop <-chan struct{}) {
	b.clock.Keep(stop, &b.mu, func() {
		if err := b.Durable(b.Position()); err != nil {
			b.log.Error("broker cannot make expiries durable", "error", err)
		}
	})
}

// take hands over the changes since the last time.
func (b *Broker) take() (*pebble.Batch, uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.journal.Take()
}

// suffixManagement is that of an entity's $management node, in lower case.
const suffixManagement = "/$management"

// Normalize reduces an address to its path in lower case: clients send paths, with or without a leading slash, and
// whole URLs.
func Normalize(address string) string {
	if i := strings.Index(address, "://"); i >= 0 {
		_, address, _ = strings.Cut(address[i+3:], "/")
	}
	return strings.ToLower(strings.Trim(address, "/"))
}

// EntityPath is Normalize without what names the entity's $management node.
func EntityPath(address string) string {
	return strings.TrimSuffix(Normalize(address), suffixManagement)
}

// Keys are those of the queue or topic that an address names, or something that is part of it.
func (b *Broker) Keys(address string) []sas.Rule {
	path, _, _ := strings.Cut(EntityPath(address), "/$")
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.entities[path]
	if e == nil || e.Kind == topology.SubscriptionKind { // or one that is about to be made
		topic, _, _ := strings.Cut(path, "/subscriptions/")
		e = b.entities[topic]
	}
	if e == nil {
		return nil
	}
	return e.Keys // a change replaces them
}

// Find is lookup for those who do not hold mu.
func (b *Broker) Find(address string) (e *Entity, management bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lookup(address)
}

// lookup finds an entity, and says whether its $management node is meant. The caller holds mu.
func (b *Broker) lookup(address string) (e *Entity, management bool) {
	path, management := strings.CutSuffix(Normalize(address), suffixManagement)
	return b.entities[path], management
}
