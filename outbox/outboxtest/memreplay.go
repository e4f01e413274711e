package outboxtest

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/replay"
)

// memPage is how many entities a page of a MemStore has.
const memPage = 10

// Entities implements replay.Store: pages in the order of keys, from the one that is named.
func (s *MemStore) Entities(ctx context.Context, kind, from string) (page []replay.Found, next string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", &outbox.Error{Class: outbox.Timeout, Op: "find entities", Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(s.partitions)) {
		e := s.partitions[key].entity
		if !strings.HasPrefix(key, outbox.Key(kind, "")) || key < from || e.Version == 0 {
			continue
		}
		if len(page) == memPage {
			return page, key, nil
		}
		page = append(page, replay.Found{Key: key, Gone: e.Deleted, Replay: e.Replay})
	}
	return page, "", nil
}

// Backlog implements replay.Store.
func (s *MemStore) Backlog(ctx context.Context, most int) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, &outbox.Error{Class: outbox.Timeout, Op: "count events", Err: err}
	}
	return min(most, len(s.heads(false))), nil
}

// Replay implements replay.Store.
func (s *MemStore) Replay(ctx context.Context, kind, subscription string) (replay.Run, error) {
	if err := ctx.Err(); err != nil {
		return replay.Run{}, &outbox.Error{Class: outbox.Timeout, Op: "read a replay", Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replays[[2]string{kind, subscription}], nil
}

// KeepReplay implements replay.Store.
func (s *MemStore) KeepReplay(ctx context.Context, r replay.Run) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", &outbox.Error{Class: outbox.Timeout, Op: "keep a replay", Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := [2]string{r.Kind, r.Subscription}
	if s.replays[name].Revision != r.Revision {
		return "", outbox.ErrConflict
	}
	if s.replays == nil {
		s.replays = map[[2]string]replay.Run{}
	}
	r.Revision = s.next()
	s.replays[name] = r
	return r.Revision, nil
}
