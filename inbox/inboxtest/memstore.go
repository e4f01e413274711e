// Package inboxtest holds a store in memory for tests of consumers, and the
// conformance suite that every inbox.Store must pass.
package inboxtest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/relaybox/relaybox/inbox"
)

// MemStore is an inbox.Store in memory. The zero value is empty and ready.
type MemStore struct {
	// Before and After may fail an operation (load, commit, early, waiting) before it is
	// done, or behind it: carried out, but the answer was lost.
	Before, After func(ctx context.Context, op string) error

	mu       sync.Mutex
	models   map[string]inbox.Model
	early    map[string][]inbox.Early
	refused  map[string][]inbox.Refused
	revision int
}

// Load implements inbox.Store.
func (s *MemStore) Load(ctx context.Context, key string) (m inbox.Model, err error) {
	err = s.around(ctx, "load", func() error {
		m = s.models[key]
		m.Key = key
		return nil
	})
	return m, err
}

// Commit implements inbox.Store.
func (s *MemStore) Commit(ctx context.Context, c inbox.Change) (revision string, err error) {
	err = s.around(ctx, "commit", func() error {
		key := c.Model.Key
		if s.models[key].Revision != c.Model.Revision {
			return inbox.ErrConflict
		}
		early := slices.Clone(s.early[key])
		for _, e := range c.Remove {
			n := len(early)
			if early = slices.DeleteFunc(early, same(e)); len(early) == n {
				return inbox.ErrConflict
			}
		}
		for _, e := range c.Refuse {
			n := len(early)
			if early = slices.DeleteFunc(early, same(e.Early)); len(early) == n {
				return inbox.ErrConflict
			}
		}
		for _, e := range c.Add {
			if slices.ContainsFunc(early, same(e)) {
				return inbox.ErrConflict
			}
			e.Event.Decoded = nil
			early = append(early, e)
		}
		if s.models == nil {
			s.models, s.early, s.refused = map[string]inbox.Model{}, map[string][]inbox.Early{}, map[string][]inbox.Refused{}
		}
		s.revision++
		c.Model.Revision = strconv.Itoa(s.revision)
		revision = c.Model.Revision
		s.models[key], s.early[key] = c.Model, early
		s.refused[key] = append(s.refused[key], c.Refuse...)
		return nil
	})
	if err != nil {
		return "", err
	}
	return revision, nil
}

func same(e inbox.Early) func(inbox.Early) bool {
	return func(o inbox.Early) bool {
		return o.Event.Seq == e.Event.Seq && o.Event.Incarnation.ID == e.Event.Incarnation.ID
	}
}

// Early implements inbox.Store.
func (s *MemStore) Early(ctx context.Context, key string, limit int) (all []inbox.Early, err error) {
	err = s.around(ctx, "early", func() error {
		all = slices.Clone(s.early[key])
		slices.SortFunc(all, func(a, b inbox.Early) int { return cmp.Compare(a.Event.Seq, b.Event.Seq) })
		all = all[:min(limit, len(all))]
		return nil
	})
	return all, err
}

// Waiting implements inbox.Store.
func (s *MemStore) Waiting(ctx context.Context, before time.Time, visit func(keys []string) error) error {
	var keys []string
	err := s.around(ctx, "waiting", func() error {
		for key, early := range s.early {
			if slices.ContainsFunc(early, func(e inbox.Early) bool { return e.Since.Before(before) }) {
				keys = append(keys, key)
			}
		}
		return nil
	})
	if err != nil || len(keys) == 0 {
		return err
	}
	slices.Sort(keys)
	return visit(keys)
}

// Refused are the early events of a key that could not be applied.
func (s *MemStore) Refused(key string) []inbox.Refused {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused[key])
}

// Check says what is wrong about what is stored: every model lists the early events that are
// there, and no others.
func (s *MemStore) Check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var faults []error
	for key, m := range s.models {
		var there inbox.Numbers
		for _, e := range s.early[key] {
			if e.Event.Incarnation.ID == m.Incarnation.ID && e.Event.Seq > m.LastSeq {
				there = there.With(e.Event.Seq, e.Event.Seq)
			} else {
				faults = append(faults, fmt.Errorf("%s: nobody waits for early event %d", key, e.Event.Seq))
			}
		}
		if !slices.Equal(there, m.Early) {
			faults = append(faults, fmt.Errorf("%s: early are %v, the model says %v", key, there, m.Early))
		}
		if len(m.Data) > 0 && !json.Valid(m.Data) {
			faults = append(faults, fmt.Errorf("%s: the model is no JSON", key))
		}
	}
	return errors.Join(faults...)
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
