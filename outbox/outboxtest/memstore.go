// Package outboxtest holds what tests of the outbox need: a store and a publisher in
// memory, wrappers that break them on purpose, the conformance suites that every
// adapter must pass, and a check of the promises of package outbox.
package outboxtest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/replay"
)

// MemStore is an outbox.Store, outbox.Queue, outbox.Desk and replay.Store in memory. The zero
// value is empty and ready.
type MemStore struct {
	mu         sync.Mutex
	places     int // containers that there were before this one
	partitions map[string]*partition
	acts       []outbox.Act // each once, in the order of their first record
	halts      outbox.Halts
	replays    map[[2]string]replay.Run // by kind and subscription
	revision   int
}

type partition struct {
	entity   outbox.Entity
	events   map[int64]outbox.Event
	receipts map[string]outbox.Receipt
}

// Load implements outbox.Store.
func (s *MemStore) Load(ctx context.Context, key string) (outbox.Entity, error) {
	if err := ctx.Err(); err != nil {
		return outbox.Entity{}, &outbox.Error{Class: outbox.Timeout, Op: "load", Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.partitions[key]
	if !ok {
		return outbox.Entity{Key: key}, nil
	}
	e := p.entity
	e.Moved = e.Place != "" && e.Place != s.place().ID
	return e, nil
}

// Receipt implements outbox.Store.
func (s *MemStore) Receipt(ctx context.Context, key, id string) (*outbox.Receipt, error) {
	if err := ctx.Err(); err != nil {
		return nil, &outbox.Error{Class: outbox.Timeout, Op: "read receipt", Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.partitions[key]; ok {
		if r, ok := p.receipts[id]; ok {
			return &r, nil
		}
	}
	return nil, nil
}

// Barrier implements outbox.Store: no read of a MemStore is old.
func (s *MemStore) Barrier(ctx context.Context, _ string) error {
	if err := ctx.Err(); err != nil {
		return &outbox.Error{Class: outbox.Timeout, Op: "barrier", Err: err}
	}
	return nil
}

// Place implements outbox.Store.
func (s *MemStore) Place(ctx context.Context, _ string) (outbox.Place, error) {
	if err := ctx.Err(); err != nil {
		return outbox.Place{}, &outbox.Error{Class: outbox.Timeout, Op: "place", Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.place(), nil
}

func (s *MemStore) place() outbox.Place {
	return outbox.Place{ID: "place-" + strconv.Itoa(s.places), Since: time.Date(2026, 1, 1+s.places, 0, 0, 0, 0, time.UTC)}
}

// Anew makes the container anew: everything is forgotten.
func (s *MemStore) Anew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places++
	s.partitions = nil
}

// Restore replaces the container by a copy of what it holds now, or held when keep was
// taken with Copy.
func (s *MemStore) Restore(keep *MemStore) {
	kept := keep.Copy()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.places++
	s.partitions = kept.partitions
}

// Copy returns a store that holds what this one does: a backup.
func (s *MemStore) Copy() *MemStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &MemStore{places: s.places, revision: s.revision, partitions: map[string]*partition{}}
	for key, p := range s.partitions {
		c.partitions[key] = &partition{entity: p.entity, events: maps.Clone(p.events), receipts: maps.Clone(p.receipts)}
	}
	return c
}

// Commit implements outbox.Store.
func (s *MemStore) Commit(ctx context.Context, c outbox.Commit) (outbox.Revisions, error) {
	if err := ctx.Err(); err != nil {
		return outbox.Revisions{}, &outbox.Error{Class: outbox.Timeout, Op: "commit", Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.partition(c.Key)
	if err := p.refuses(c); err != nil {
		return outbox.Revisions{}, err
	}
	p.entity = c.Entity
	p.entity.Revision = s.next()
	made := outbox.Revisions{Entity: p.entity.Revision}
	for _, e := range c.Events {
		e.Revision = s.next()
		p.events[e.Seq] = e
		made.Events = append(made.Events, e.Revision)
	}
	for _, r := range c.Receipts {
		p.receipts[r.ID] = r
	}
	return made, nil
}

func (p *partition) refuses(c outbox.Commit) error {
	for _, r := range c.Receipts {
		if _, ok := p.receipts[r.ID]; ok {
			return &outbox.ReceiptExistsError{ID: r.ID}
		}
	}
	if c.Entity.Revision != p.entity.Revision {
		return outbox.ErrConflict
	}
	for _, e := range c.Events {
		if _, ok := p.events[e.Seq]; ok {
			return outbox.ErrConflict
		}
	}
	return nil
}

func (s *MemStore) partition(key string) *partition {
	p, ok := s.partitions[key]
	if !ok {
		p = &partition{entity: outbox.Entity{Key: key}, events: map[int64]outbox.Event{}, receipts: map[string]outbox.Receipt{}}
		if s.partitions == nil {
			s.partitions = map[string]*partition{}
		}
		s.partitions[key] = p
	}
	return p
}

func (s *MemStore) next() string {
	s.revision++
	return strconv.Itoa(s.revision)
}

// Find implements outbox.Queue, in pages of 100 heads.
func (s *MemStore) Find(ctx context.Context, visit func([]outbox.Head) error) error {
	return s.find(ctx, false, visit)
}

// Parked implements outbox.Queue, in pages of 100 heads.
func (s *MemStore) Parked(ctx context.Context, visit func([]outbox.Head) error) error {
	return s.find(ctx, true, visit)
}

func (s *MemStore) find(ctx context.Context, parked bool, visit func([]outbox.Head) error) error {
	for page := range slices.Chunk(s.heads(parked), 100) {
		if err := ctx.Err(); err != nil {
			return &outbox.Error{Class: outbox.Timeout, Op: "find", Err: err}
		}
		if err := visit(page); err != nil {
			return err
		}
	}
	return nil
}

func (s *MemStore) heads(parked bool) []outbox.Head {
	s.mu.Lock()
	defer s.mu.Unlock()
	var heads []outbox.Head
	for _, key := range slices.Sorted(maps.Keys(s.partitions)) {
		for _, e := range s.partitions[key].ordered() {
			if e.Parked() != parked {
				continue
			}
			h := outbox.Head{Key: key, CreatedAt: e.CreatedAt}
			if parked {
				h.Due = e.Fault.Due()
			}
			heads = append(heads, h)
		}
	}
	return heads
}

// Pending implements outbox.Queue.
func (s *MemStore) Pending(ctx context.Context, key string, after int64, limit int) ([]outbox.Event, error) {
	if err := ctx.Err(); err != nil {
		return nil, &outbox.Error{Class: outbox.Timeout, Op: "pending", Err: err}
	}
	events := slices.DeleteFunc(s.Events(key), func(e outbox.Event) bool { return e.Seq <= after })
	return events[:min(limit, len(events))], nil
}

func (p *partition) ordered() []outbox.Event {
	return slices.SortedFunc(maps.Values(p.events), func(a, b outbox.Event) int { return cmp.Compare(a.Seq, b.Seq) })
}

// Settle implements outbox.Queue.
func (s *MemStore) Settle(ctx context.Context, key string, events []outbox.Event) error {
	if err := ctx.Err(); err != nil {
		return &outbox.Error{Class: outbox.Timeout, Op: "settle", Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := s.partition(key).events
	for _, e := range events {
		if stored[e.Seq].ID == e.ID {
			delete(stored, e.Seq)
		}
	}
	return nil
}

// Park implements outbox.Queue.
func (s *MemStore) Park(ctx context.Context, e outbox.Event, f outbox.Fault) error {
	if err := ctx.Err(); err != nil {
		return &outbox.Error{Class: outbox.Timeout, Op: "park", Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.partition(e.Key)
	cur, ok := p.events[e.Seq]
	if !ok || cur.Parked() != e.Parked() || cur.Revision != e.Revision {
		return outbox.ErrConflict
	}
	cur.Fault, cur.Revision = &f, s.next()
	p.events[e.Seq] = cur
	return nil
}

// Waiting implements outbox.Desk, in pages of 100 events.
func (s *MemStore) Waiting(ctx context.Context, parked bool, visit func([]outbox.Event) error) error {
	var all []outbox.Event
	for _, key := range s.Keys() {
		for _, e := range s.Events(key) {
			if e.Parked() == parked {
				e.Envelope, e.Content = nil, nil
				all = append(all, e)
			}
		}
	}
	for page := range slices.Chunk(all, 100) {
		if err := ctx.Err(); err != nil {
			return &outbox.Error{Class: outbox.Timeout, Op: "waiting", Err: err}
		}
		if err := visit(page); err != nil {
			return err
		}
	}
	return nil
}

// Release implements outbox.Desk.
func (s *MemStore) Release(ctx context.Context, e outbox.Event) error {
	return s.change(ctx, "release", e, func(cur *outbox.Event) (done bool) {
		if cur.ID == e.ID && !cur.Parked() {
			return true
		}
		cur.Fault = nil
		return false
	})
}

// Replace implements outbox.Desk.
func (s *MemStore) Replace(ctx context.Context, e, marker outbox.Event) error {
	return s.change(ctx, "replace", e, func(cur *outbox.Event) (done bool) {
		if cur.ID == marker.ID {
			return true
		}
		*cur = marker
		return false
	})
}

// change changes a parked event under its revision, unless that is done.
func (s *MemStore) change(ctx context.Context, op string, e outbox.Event, to func(cur *outbox.Event) (done bool)) error {
	if err := ctx.Err(); err != nil {
		return &outbox.Error{Class: outbox.Timeout, Op: op, Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.partition(e.Key)
	was, ok := p.events[e.Seq]
	cur := was
	if ok && to(&cur) {
		return nil
	}
	if !ok || was.Revision != e.Revision {
		return outbox.ErrConflict
	}
	cur.Revision = s.next()
	p.events[e.Seq] = cur
	return nil
}

// Record implements outbox.Desk.
func (s *MemStore) Record(ctx context.Context, a outbox.Act) error {
	if err := ctx.Err(); err != nil {
		return &outbox.Error{Class: outbox.Timeout, Op: "record", Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.record(a)
	return nil
}

func (s *MemStore) record(a outbox.Act) {
	if at := slices.IndexFunc(s.acts, func(known outbox.Act) bool { return known.ID == a.ID }); at >= 0 {
		s.acts[at] = a
		return
	}
	s.acts = append(s.acts, a)
}

// Halts implements outbox.Desk.
func (s *MemStore) Halts(ctx context.Context) (outbox.Halts, error) {
	if err := ctx.Err(); err != nil {
		return outbox.Halts{}, &outbox.Error{Class: outbox.Timeout, Op: "halts", Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.halts, nil
}

// SetHalts implements outbox.Desk.
func (s *MemStore) SetHalts(ctx context.Context, h outbox.Halts, a outbox.Act) error {
	if err := ctx.Err(); err != nil {
		return &outbox.Error{Class: outbox.Timeout, Op: "set halts", Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.Revision != s.halts.Revision {
		return outbox.ErrConflict
	}
	s.halts = outbox.Halts{List: slices.Clone(h.List), Revision: s.next()}
	s.record(a)
	return nil
}

// History implements outbox.Desk, in pages of 100 records.
func (s *MemStore) History(ctx context.Context, visit func([]outbox.Act) error) error {
	s.mu.Lock()
	acts := slices.Clone(s.acts)
	s.mu.Unlock()
	slices.SortStableFunc(acts, func(a, b outbox.Act) int { return b.At.Compare(a.At) })
	for page := range slices.Chunk(acts, 100) {
		if err := ctx.Err(); err != nil {
			return &outbox.Error{Class: outbox.Timeout, Op: "history", Err: err}
		}
		if err := visit(page); err != nil {
			return err
		}
	}
	return nil
}

// Keys returns every key that was ever written, sorted.
func (s *MemStore) Keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.partitions))
}

// Events returns the key's stored events, pending and parked, in order.
func (s *MemStore) Events(key string) []outbox.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.partitions[key]; ok {
		return p.ordered()
	}
	return nil
}

// Receipts returns how many receipts the key has.
func (s *MemStore) Receipts(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.partitions[key]; ok {
		return len(p.receipts)
	}
	return 0
}
