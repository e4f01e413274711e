package store

import (
	"errors"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"github.com/relaybox/relaybox/local/disk"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
)

// Store is the durable half of the server: a key-value store whose changes are
// committed in groups, one synced write a group, and seen through views.
type Store struct {
	db *disk.DB

	mu     sync.Mutex
	open   *group // the group that collects changes; nil when there is none
	closed bool
	view   *View         // the newest durable state
	past   []*pastView   // older states, oldest first
	keep   time.Duration // how old they may get; 0: none are kept

	wake chan struct{} // tells the committer that a group is open
	done chan struct{} // closed when the committer has stopped
}

// group is the changes that one synced write makes durable.
type group struct {
	batch *pebble.Batch
	size  int           // changes in it
	ready chan struct{} // closed when the group's fate is known
	err   error         // owned by Store.mu while the group is open; valid after ready
	after []func()      // run under Store.mu when the group is durable, before anybody sees it
}

// Open opens the store, or the one in memory for no folder, as disk.Open does. It starts the committer, which ends with Close.
func Open(o disk.Options) (*Store, error) {
	o.MemTable = 32 << 20
	o.Tune = func(options *pebble.Options) {
		options.CacheSize = 64 << 20
		options.LBaseMaxBytes = 256 << 20
		for i := range options.Levels { // a creation looks for an id that is not there
			options.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		}
	}
	db, err := disk.Open(o)
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, wake: make(chan struct{}, 1), done: make(chan struct{})}
	s.view = newView(db.DB)
	go s.committer()
	return s, nil
}

// Hurry has no write wait for room on a full disk from now on: the store is about to be closed.
func (s *Store) Hurry() { s.db.Hurry() }

// Close commits what is open, stops the committer and closes the store. Views that
// are still held must have been released.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.wake)
	s.mu.Unlock()
	<-s.done
	s.Remember(0)
	return errors.Join(s.view.Release(), s.db.Close())
}

// Draft is a batch for a large change, which is put together before it is committed: its fill only applies it. Close it.
func (s *Store) Draft() *pebble.Batch { return s.db.NewBatch() }

// Commit adds changes to the open group and returns when they are durable and visible.
// fill is called under Store.mu: what it numbers is committed, and seen, in that order.
// after runs under Store.mu once the changes are durable, at the moment at which readers see them.
func (s *Store) Commit(fill func(*pebble.Batch) error, after func()) error {
	g, err := s.join(fill, after)
	if err != nil {
		return err
	}
	<-g.ready
	return g.err
}

func (s *Store) join(fill func(*pebble.Batch) error, after func()) (*group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, refusal.Closed
	}
	if s.db.Waits() { // a group does: the next would wait with it
		if err := s.db.Room(0); err != nil {
			return nil, err
		}
	}
	if s.open == nil {
		s.open = &group{batch: s.db.NewBatch(), ready: make(chan struct{})}
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	s.open.size++
	s.open.fill(fill)
	if after != nil {
		s.open.after = append(s.open.after, after)
	}
	return s.open, nil
}

// fill adds a change. Of one that fails or panics half may be in the batch: nobody's is stored.
func (g *group) fill(fill func(*pebble.Batch) error) {
	err := errHalf
	defer func() {
		if err != nil {
			g.err = err
		}
	}()
	err = fill(g.batch)
}

// errHalf is what the others of a group hear when a change has panicked.
var errHalf = errors.New("another change of the same group has failed half-way: nothing was stored")

// committer makes one group after the other durable. While it waits for the disk the
// next group fills.
func (s *Store) committer() {
	defer close(s.done)
	for range s.wake {
		s.commitOpen()
	}
	s.commitOpen() // what joined before Close
}

func (s *Store) commitOpen() {
	s.mu.Lock()
	g := s.open
	s.open = nil
	s.mu.Unlock()
	if g == nil {
		return
	}
	if g.err == nil {
		g.err = s.db.Room(g.batch.Len())
	}
	if g.err != nil {
		_ = g.batch.Close() // nothing of it was stored
	} else if g.err = s.db.Commit(g.batch, g.size); g.err == nil {
		s.publish(g.after)
	}
	close(g.ready)
}

// publish makes everything durable visible.
func (s *Store) publish(after []func()) {
	next := newView(s.db.DB)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range after {
		f()
	}
	s.retire(s.view)
	s.view = next
}

// Busy tells whether the store is still putting away what it was given. It is for measurements.
func (s *Store) Busy() bool {
	m := s.db.Metrics()
	return m.Compact.NumInProgress > 0 || m.Flush.NumInProgress > 0
}

// Acquire returns the newest view; the caller releases it.
func (s *Store) Acquire() *View {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.refs.Add(1)
	return s.view
}
