// Package inboxtest holds a store in memory for tests of consumers, and the
// conformance suite that every inbox.Store must pass.
package inboxtest

import (
	"context"
	"strconv"
	"sync"

	"github.com/relaybox/relaybox/inbox"
)

// MemStore is an inbox.Store in memory. The zero value is empty and ready.
type MemStore struct {
	// Before and After may fail an operation (load, apply) before it is done, or
	// behind it: applied, but the answer was lost.
	Before, After func(ctx context.Context, op string) error

	mu       sync.Mutex
	models   map[string]inbox.Model
	receipts map[[2]string]bool
	revision int
}

// Load implements inbox.Store.
func (s *MemStore) Load(ctx context.Context, key, eventID string) (m inbox.Model, seen bool, err error) {
	err = s.around(ctx, "load", func() error {
		m = s.models[key]
		m.Key = key
		seen = s.receipts[[2]string{key, eventID}]
		return nil
	})
	return m, seen, err
}

// Apply implements inbox.Store.
func (s *MemStore) Apply(ctx context.Context, m inbox.Model, eventID string) error {
	return s.around(ctx, "apply", func() error {
		receipt := [2]string{m.Key, eventID}
		switch {
		case s.receipts[receipt]:
			return inbox.ErrDuplicate
		case s.models[m.Key].Revision != m.Revision:
			return inbox.ErrConflict
		case s.models == nil:
			s.models, s.receipts = map[string]inbox.Model{}, map[[2]string]bool{}
		}
		s.revision++
		m.Revision = strconv.Itoa(s.revision)
		s.models[m.Key], s.receipts[receipt] = m, true
		return nil
	})
}

// Forget drops the receipts, as their time to live does.
func (s *MemStore) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.receipts)
}

func (s *MemStore) around(ctx context.Context, op string, do func() error) error {
	if err := ctx.Err(); err != nil {
		return &inbox.Transient{Op: op, Err: err}
	}
	if s.Before != nil {
		if err := s.Before(ctx, op); err != nil {
			return err
		}
	}
	if err := s.locked(do); err != nil || s.After == nil {
		return err
	}
	return s.After(ctx, op)
}

func (s *MemStore) locked(do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return do()
}
