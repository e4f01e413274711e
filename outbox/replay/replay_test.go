package replay_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
	"github.com/relaybox/relaybox/outbox/replay"
)

// store breaks a MemStore on purpose: before and after an operation.
type store struct {
	*outboxtest.MemStore
	before, after func(op string) error // nil: nothing
	stale         atomic.Bool           // the next read of where a run stands shows nothing
}

func (s *store) around(op string, do func() error) error {
	if s.before != nil {
		if err := s.before(op); err != nil {
			return err
		}
	}
	err := do()
	if err == nil && s.after != nil {
		err = s.after(op)
	}
	return err
}

func (s *store) Load(ctx context.Context, key string) (e outbox.Entity, err error) {
	err = s.around("load", func() error { e, err = s.MemStore.Load(ctx, key); return err })
	return e, err
}

func (s *store) Commit(ctx context.Context, c outbox.Commit) (r outbox.Revisions, err error) {
	err = s.around("commit", func() error { r, err = s.MemStore.Commit(ctx, c); return err })
	return r, err
}

func (s *store) Entities(ctx context.Context, kind, from string) (page []replay.Found, next string, err error) {
	err = s.around("entities", func() error { page, next, err = s.MemStore.Entities(ctx, kind, from); return err })
	return page, next, err
}

func (s *store) Backlog(ctx context.Context, most int) (n int, err error) {
	err = s.around("backlog", func() error { n, err = s.MemStore.Backlog(ctx, most); return err })
	return n, err
}

func (s *store) Replay(ctx context.Context, kind, subscription string) (run replay.Run, err error) {
	if s.stale.CompareAndSwap(true, false) {
		return replay.Run{}, nil
	}
	return s.MemStore.Replay(ctx, kind, subscription)
}

func (s *store) KeepReplay(ctx context.Context, r replay.Run) (revision string, err error) {
	err = s.around("keep", func() error { revision, err = s.MemStore.KeepReplay(ctx, r); return err })
	return revision, err
}

// write changes an entity as a client does; "" deletes it.
func write(t *testing.T, s outbox.Store, key, text string) {
	t.Helper()
	w := outbox.NewWriter(s, outbox.WriterOptions{Source: "/test"})
	_, err := w.Write(t.Context(), outbox.Request{
		Key: key,
		Decide: func(outbox.Entity) (outbox.Decision, error) {
			data, err := json.Marshal(text)
			return outbox.Decision{Data: data, Deleted: text == "", Events: []outbox.Draft{{Type: "test.changed", Data: text}}}, err
		},
		Render: func(outbox.Entity, int) outbox.Answer { return outbox.Answer{} },
	})
	require.NoError(t, err)
}

// refuse answers a request about what never was, as a 404 does.
func refuse(t *testing.T, s outbox.Store, key string) {
	t.Helper()
	_, err := outbox.NewWriter(s, outbox.WriterOptions{Source: "/test"}).Write(t.Context(), outbox.Request{
		Key:    key,
		Decide: func(outbox.Entity) (outbox.Decision, error) { return outbox.Decision{Status: 404}, nil },
		Render: func(_ outbox.Entity, status int) outbox.Answer { return outbox.Answer{Status: status} },
	})
	require.NoError(t, err)
}

// data is what an event says of e.
func data(e outbox.Entity) string {
	if e.Deleted {
		return "null"
	}
	return string(e.Data)
}

// entities makes n of them, docs:0 and on, with two events each.
func entities(t *testing.T, s outbox.Store, n int) (keys []string) {
	t.Helper()
	for i := range n {
		key := fmt.Sprint("doc:", i)
		write(t, s, key, "first")
		write(t, s, key, fmt.Sprint("state of ", i))
		keys = append(keys, key)
	}
	return keys
}

// settle sends what is pending, to nobody.
func settle(t *testing.T, s *outboxtest.MemStore) {
	t.Helper()
	for _, key := range s.Keys() {
		require.NoError(t, s.Settle(t.Context(), key, s.Events(key)))
	}
}

const snapshotType = "test.snapshot"

func process(s *store, change ...func(*replay.Options)) *replay.Replay {
	o := replay.Options{
		Kind: "doc", Subscription: "late", Author: "ada", Rate: 1_000_000, Backlog: 1_000_000,
		Draft: func(e outbox.Entity) outbox.Draft {
			return outbox.Draft{Type: snapshotType, Data: e.Data, ReplayFor: "late"}
		},
	}
	for _, c := range change {
		c(&o)
	}
	return replay.New(outbox.NewWriter(s, outbox.WriterOptions{Source: "/test", CacheBytes: -1}), s, o)
}

// snapshots are those of a key that are stored.
func snapshots(s *outboxtest.MemStore, key string) (all []outbox.Event) {
	for _, e := range s.Events(key) {
		if e.Type == snapshotType {
			all = append(all, e)
		}
	}
	return all
}

func load(t *testing.T, s outbox.Store, key string) outbox.Entity {
	t.Helper()
	e, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	return e
}

// TestEveryEntityHasASnapshot, under its next number, and is for clients what it was.
func TestEveryEntityHasASnapshot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{MemStore: &outboxtest.MemStore{}}
		keys := entities(t, s, 35)
		write(t, s, "doc:3", "")
		write(t, s, "other:1", "of another kind")
		refuse(t, s, "doc:never")
		settle(t, s.MemStore)
		was := map[string]outbox.Entity{}
		for _, key := range s.Keys() {
			was[key] = load(t, s, key)
		}
		time.Sleep(time.Hour)

		run, err := process(s, func(o *replay.Options) { o.Charge = func() float64 { return 7 } }).Do(t.Context())
		require.NoError(t, err)
		require.True(t, run.Done)
		require.Equal(t, replay.Counts{Entities: 35, Snapshots: 35, Gone: 1}, run.Counts)
		require.EqualValues(t, 7, run.Charge)
		require.Equal(t, "ada", run.Author)
		for _, key := range keys {
			e, got := load(t, s, key), snapshots(s.MemStore, key)
			before := was[key]
			require.Len(t, got, 1)
			require.Equal(t, before.LastSeq+1, got[0].Seq)
			require.Equal(t, "late", got[0].ReplayFor)
			require.WithinDuration(t, time.Now(), got[0].CreatedAt, time.Second, "it is young, however old the entity is")
			require.Contains(t, string(got[0].Envelope), `"replayfor":"late"`)
			require.Contains(t, string(got[0].Envelope), `"data":`+data(e))
			require.Equal(t, run.ID, e.Replay)
			before.LastSeq, before.Replay, before.Revision, before.Batch = got[0].Seq, e.Replay, e.Revision, e.Batch
			require.Equal(t, before, e, "version, content, deletion, time and incarnation stay")
		}
		require.True(t, load(t, s, "doc:3").Deleted)
		for _, key := range []string{"other:1", "doc:never"} {
			require.Equal(t, was[key], load(t, s, key))
		}

		again, err := process(s).Do(t.Context())
		require.NoError(t, err)
		require.Equal(t, run, again, "it is done")
		require.Len(t, snapshots(s.MemStore, "doc:1"), 1)
		again, err = process(s, func(o *replay.Options) { o.Again = true }).Do(t.Context())
		require.NoError(t, err)
		require.NotEqual(t, run.ID, again.ID)
		require.Equal(t, 35, again.Snapshots)
		require.Len(t, snapshots(s.MemStore, "doc:1"), 2)
	})
}

// errKilled is what a process meets that is dead.
var errKilled = errors.New("killed")

// TestAKillAnywhere: a process dies before, or right after, its nth operation at the store, for
// every n, and the next one goes on. Each entity has one snapshot then.
func TestAKillAnywhere(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		deaths := 0
		for n := int64(1); ; n++ {
			died := false
			synctest.Test(t, func(t *testing.T) {
				s := &store{MemStore: &outboxtest.MemStore{}}
				keys := entities(t, s, 23)
				settle(t, s.MemStore)
				var operations atomic.Int64
				dying := &store{MemStore: s.MemStore}
				dies := func(string) error {
					if operations.Load() >= n {
						return errKilled
					}
					return nil
				}
				dying.before = func(op string) error {
					if err := dies(op); err != nil {
						return err
					}
					if operations.Add(1); late {
						return nil
					}
					return dies(op)
				}
				if late {
					dying.after = dies
				}
				ctx, kill := context.WithCancel(t.Context())
				defer kill()
				first, err := process(dying, func(o *replay.Options) { o.Patience = time.Nanosecond }).Do(ctx)
				kill()
				synctest.Wait()
				if died = err != nil; !died {
					require.True(t, first.Done)
					return
				}
				run, err := process(s).Do(t.Context())
				require.NoError(t, err)
				require.Equal(t, 23, run.Entities, "after %d operations", n)
				require.Equal(t, 23, run.Snapshots+run.Known)
				for _, key := range keys {
					require.Len(t, snapshots(s.MemStore, key), 1, "%s, after %d operations", key, n)
				}
			})
			if !died {
				break
			}
			deaths++
		}
		require.Greater(t, deaths, 50, "it has died in many places")
	}
}

// TestBesideWrites: clients change, delete and make entities during the run. Who has heard nothing
// before it knows what each of them is, from what was sent since.
func TestBesideWrites(t *testing.T) {
	t.Parallel()
	s := &store{MemStore: &outboxtest.MemStore{}}
	keys := entities(t, s, 40)
	settle(t, s.MemStore) // the subscription is made now
	var clients sync.WaitGroup
	for i, key := range keys {
		clients.Go(func() {
			for n := range i % 5 {
				write(t, s, key, fmt.Sprint("live ", n))
			}
			if i%7 == 0 {
				write(t, s, key, "")
			}
			if i%14 == 0 {
				write(t, s, key, "again")
			}
			write(t, s, fmt.Sprint("doc:new-", i), "made meanwhile")
		})
	}
	run, err := process(s).Do(t.Context())
	require.NoError(t, err)
	require.True(t, run.Done)
	clients.Wait()
	for _, key := range s.Keys() {
		e, events := load(t, s, key), s.Events(key)
		require.NotEmpty(t, events, key)
		for i, one := range events {
			require.Equal(t, e.LastSeq-int64(len(events))+int64(i)+1, one.Seq, "no number is missing or twice")
		}
		last := events[len(events)-1]
		var told struct{ Data json.RawMessage }
		require.NoError(t, json.Unmarshal(last.Envelope, &told))
		if e.Deleted {
			require.Contains(t, []string{`""`, `null`}, string(told.Data), "the change, or a snapshot behind it")
			continue
		}
		require.JSONEq(t, string(e.Data), string(told.Data), key)
	}
}

// TestInARestoredContainer: numbers begin another life there, with a snapshot as with any event.
func TestInARestoredContainer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &store{MemStore: &outboxtest.MemStore{}}
		key := entities(t, s, 1)[0]
		settle(t, s.MemStore)
		s.Restore(s.Copy())
		was := load(t, s, key)
		require.True(t, was.Moved)
		time.Sleep(time.Hour)
		_, err := process(s).Do(t.Context())
		require.NoError(t, err)
		e := load(t, s, key)
		require.NotEqual(t, was.Incarnation.ID, e.Incarnation.ID)
		require.Equal(t, time.Now().UTC(), e.Incarnation.Drawn)
		require.EqualValues(t, 3, e.Incarnation.First)
		require.Equal(t, []any{was.Version, was.UpdatedAt}, []any{e.Version, e.UpdatedAt})
	})
}
