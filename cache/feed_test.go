package cache_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cache"
	"github.com/relaybox/relaybox/outbox"
)

// moody is a store that fails until it is well, and counts the puts that are under way.
type moody struct {
	cache.Store
	ill  atomic.Bool
	slow time.Duration

	mu              sync.Mutex
	puts, now, most int // guarded by mu
}

var errIll = errors.New("the store is ill")

func (m *moody) Put(ctx context.Context, e cache.Entry) error {
	m.count(1)
	defer m.count(-1)
	time.Sleep(m.slow)
	if m.ill.Load() {
		return errIll
	}
	return m.Store.Put(ctx, e)
}

func (m *moody) count(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now += n
	m.puts += max(n, 0)
	m.most = max(m.most, m.now)
}

func version(n int64) outbox.Entity {
	return outbox.Entity{Key: "k:1", Version: n, Revision: "of a write", Data: []byte(`{}`)}
}

func shows(t *testing.T, s cache.Store) int64 {
	t.Helper()
	e, _, err := s.Get(t.Context(), "k:1")
	require.NoError(t, err)
	require.Empty(t, e.Entity.Revision)
	return e.Entity.Version
}

// TestFeed: only a newer version replaces what is there, whoever comes last.
func TestFeed(t *testing.T) {
	t.Parallel()
	store := cache.NewMemory(1<<20, time.Minute)
	feed := cache.NewFeed(store, cache.FeedOptions{Life: time.Minute})
	for _, n := range []int64{2, 1, 3, 3, 2} {
		require.NoError(t, feed.Hear(t.Context(), version(n), time.Now()))
	}
	require.EqualValues(t, 3, shows(t, store))
	require.NoError(t, feed.Hear(t.Context(), version(0), time.Now()))
	require.EqualValues(t, 3, shows(t, store), "an event of an earlier release names no version")
}

// TestFeedWaits for a store that does not work, as long as it is allowed to.
func TestFeedWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &moody{Store: cache.NewMemory(1<<20, time.Hour)}
		feed := cache.NewFeed(store, cache.FeedOptions{Life: time.Hour, Hold: time.Minute})
		store.ill.Store(true)
		began := time.Now()
		err := feed.Hear(t.Context(), version(1), began)
		require.ErrorIs(t, err, errIll)
		require.Equal(t, time.Minute, time.Since(began))
		require.Less(t, store.puts, 40, "it waits longer each time")

		time.AfterFunc(30*time.Second, func() { store.ill.Store(false) })
		require.NoError(t, feed.Hear(t.Context(), version(2), time.Now()))
		require.EqualValues(t, 2, shows(t, store))
	})
}

// TestFeedForgetsWhatIsOld: when nothing that it could replace is kept any more, an event is as good as
// heard. A message of a long outage then costs nothing, and is no dead letter.
func TestFeedForgetsWhatIsOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &moody{Store: cache.NewMemory(1<<20, time.Minute)}
		store.ill.Store(true)
		feed := cache.NewFeed(store, cache.FeedOptions{Life: time.Minute, Hold: time.Hour})
		at := time.Now()
		require.NoError(t, feed.Hear(t.Context(), version(1), at))
		require.Greater(t, time.Since(at), 2*time.Minute, "the life of an entry, and that of a read which has begun before")
		require.Less(t, time.Since(at), 3*time.Minute)

		tried := store.puts
		require.NoError(t, feed.Hear(t.Context(), version(1), at))
		require.Equal(t, tried, store.puts)
	})
}

// TestFeedLeavesRoom for reads: no more puts are under way than it may have.
func TestFeedLeavesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &moody{Store: cache.NewMemory(1<<20, time.Hour), slow: time.Second}
		feed := cache.NewFeed(store, cache.FeedOptions{Room: 3})
		var wg sync.WaitGroup
		for n := range 20 {
			wg.Go(func() {
				if err := feed.Hear(t.Context(), version(int64(n+1)), time.Now()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 3, store.most)
		require.EqualValues(t, 20, shows(t, store.Store))
	})
}
