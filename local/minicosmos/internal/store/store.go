package store

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/private"
)

// Store is the durable half of the server: a key-value store whose changes are
// committed in groups, one synced write a group, and seen through views.
type Store struct {
	db *pebble.DB

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
	ready chan struct{} // closed when the group's fate is known
	err   error         // owned by Store.mu while the group is open; valid after ready
	after []func()      // run under Store.mu when the group is durable, before anybody sees it
}

// Open opens the store in dir of fs, in memory for ""; nil is the operating system's. It starts the committer, which
// ends with Close.
func Open(dir string, fs vfs.FS, log *slog.Logger) (*Store, error) {
	if fs == nil {
		fs = private.FS()
	}
	options := &pebble.Options{
		FS:                 fs,
		Logger:             quietLogger{log},
		FormatMajorVersion: pebble.FormatNewest,
		MemTableSize:       32 << 20,
		CacheSize:          64 << 20,
		LBaseMaxBytes:      256 << 20,
	}
	for i := range options.Levels { // a creation looks for an id that is not there
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	if dir == "" {
		options.FS = vfs.NewMem()
	}
	db, err := pebble.Open(dir, options)
	if err != nil {
		return nil, fmt.Errorf("open the store in %q: %w", dir, err)
	}
	s := &Store{db: db, wake: make(chan struct{}, 1), done: make(chan struct{})}
	s.view = newView(db)
	go s.committer()
	return s, nil
}

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
	if s.open == nil {
		s.open = &group{batch: s.db.NewBatch(), ready: make(chan struct{})}
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	if err := fill(s.open.batch); err != nil {
		s.open.err = err // half of the change may be in the batch: nobody's is stored
	}
	if after != nil {
		s.open.after = append(s.open.after, after)
	}
	return s.open, nil
}

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
		g.err = s.db.Apply(g.batch, pebble.Sync)
	}
	if g.err == nil {
		s.publish(g.after)
	}
	_ = g.batch.Close() // an applied batch has nothing left to fail
	close(g.ready)
}

// publish makes everything durable visible.
func (s *Store) publish(after []func()) {
	next := newView(s.db)
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

// quietLogger passes on only what a person must act on.
type quietLogger struct{ log *slog.Logger }

// Infof drops compaction chatter.
func (quietLogger) Infof(string, ...any) {}

// Errorf passes background errors on.
func (l quietLogger) Errorf(format string, args ...any) {
	l.log.Error("minicosmos store", "error", fmt.Sprintf(format, args...))
}

// Fatalf ends the process: the store cannot promise durability any more.
func (l quietLogger) Fatalf(format string, args ...any) {
	panic("minicosmos store: " + fmt.Sprintf(format, args...))
}
