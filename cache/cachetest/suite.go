// Package cachetest is the conformance suite of cache.Store.
package cachetest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cache"
	"github.com/relaybox/relaybox/outbox"
)

// Life is how long the store under test keeps an entry.
const Life = time.Minute

// Subject is a store under test.
type Subject struct {
	cache.Store
	// Pass lets the time pass by which entries expire.
	Pass func(d time.Duration)
}

// TestStore is the conformance suite. open returns a store whose keys nobody else has; run wraps each
// test, in a bubble of fake time for example.
func TestStore(t *testing.T, open func(t *testing.T) Subject, run func(t *testing.T, test func(t *testing.T))) {
	for name, test := range map[string]func(*testing.T, Subject){
		"Nothing":    nothing,
		"Fields":     fields,
		"Order":      order,
		"Tombstone":  tombstone,
		"OddKeys":    oddKeys,
		"LargeOnes":  largeOnes,
		"Concurrent": concurrent,
		"Expires":    expires,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, func(t *testing.T) { test(t, open(t)) })
		})
	}
}

var base = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// entry is version n of key, read n seconds after base, in a life that began by the hour.
func entry(key string, life int, version int64, seconds int) cache.Entry {
	return cache.Entry{
		Entity: outbox.Entity{
			Key: key, Version: version, LastSeq: version + 1, UpdatedAt: base.Add(time.Duration(version)*time.Minute + 5*time.Microsecond),
			Incarnation: outbox.Incarnation{ID: fmt.Sprint("life-", life), First: 1, Since: base.Add(time.Duration(life) * time.Hour), Drawn: base.Add(time.Duration(life) * time.Minute)},
			Data:        []byte(fmt.Sprintf(`{"name":"Zoë <&> \u2028","version":%d}`, version)),
		},
		At: base.Add(time.Duration(seconds)*time.Second + 7*time.Nanosecond),
	}
}

func requireKept(t *testing.T, s Subject, want cache.Entry) {
	t.Helper()
	got, ok, err := s.Get(t.Context(), want.Entity.Key)
	require.NoError(t, err)
	require.True(t, ok)
	require.True(t, want.At.Equal(got.At), "read at %v, not %v", got.At, want.At)
	require.True(t, want.Entity.UpdatedAt.Equal(got.Entity.UpdatedAt))
	require.True(t, want.Entity.Incarnation.Since.Equal(got.Entity.Incarnation.Since))
	require.True(t, want.Entity.Incarnation.Drawn.Equal(got.Entity.Incarnation.Drawn))
	for _, e := range []*outbox.Entity{&want.Entity, &got.Entity} {
		e.UpdatedAt, e.Incarnation.Since, e.Incarnation.Drawn = time.Time{}, time.Time{}, time.Time{}
	}
	require.Equal(t, string(want.Entity.Data), string(got.Entity.Data), "byte for byte")
	want.Entity.Data, got.Entity.Data = nil, nil
	require.Equal(t, want.Entity, got.Entity)
}

func put(t *testing.T, s Subject, all ...cache.Entry) {
	t.Helper()
	for _, e := range all {
		require.NoError(t, s.Put(t.Context(), e))
	}
}

func nothing(t *testing.T, s Subject) {
	_, ok, err := s.Get(t.Context(), "k:1")
	require.NoError(t, err)
	require.False(t, ok)
}

func fields(t *testing.T, s Subject) {
	put(t, s, entry("k:1", 0, 7, 3))
	requireKept(t, s, entry("k:1", 0, 7, 3))
}

// order: the later in this list is newer, whoever comes first.
func order(t *testing.T, s Subject) {
	drawn := entry("", 0, 1, 0)
	drawn.Entity.Incarnation.ID = "other"
	drawn.Entity.Incarnation.Drawn = drawn.Entity.Incarnation.Drawn.Add(time.Second)
	inOrder := []cache.Entry{
		entry("", 0, 1, 9), entry("", 0, 2, 8), entry("", 0, 2, 10), entry("", 0, 9, 1), entry("", 0, 10, 0), entry("", 0, 1<<40, 0),
		drawn, entry("", 1, 1, 0), entry("", 1, 3, 0), entry("", 12, 1, 0),
	}
	for i := range inOrder {
		for j := range inOrder {
			first, second, newest := inOrder[i], inOrder[j], inOrder[max(i, j)]
			key := fmt.Sprintf("k:%d-%d", i, j)
			first.Entity.Key, second.Entity.Key, newest.Entity.Key = key, key, key
			put(t, s, first, second)
			requireKept(t, s, newest)
		}
	}
}

func tombstone(t *testing.T, s Subject) {
	gone := entry("k:1", 0, 3, 3)
	gone.Entity.Deleted, gone.Entity.Data = true, nil
	put(t, s, entry("k:1", 0, 2, 2), gone, entry("k:1", 0, 2, 9))
	requireKept(t, s, gone)
	put(t, s, entry("k:1", 0, 4, 4))
	requireKept(t, s, entry("k:1", 0, 4, 4))
}

func oddKeys(t *testing.T, s Subject) {
	keys := []string{"k:a", "k:A", "k:~", "k:.", "k:a.b", "k2:a", "k-2:a", "k:" + strings.Repeat("x", 128)}
	for i, key := range keys {
		put(t, s, entry(key, 0, int64(i+1), i))
	}
	for i, key := range keys {
		requireKept(t, s, entry(key, 0, int64(i+1), i))
	}
}

func largeOnes(t *testing.T, s Subject) {
	e := entry("k:1", 0, 1, 1)
	e.Entity.Data = []byte(`{"text":"` + strings.Repeat("x", 240<<10) + `"}`)
	put(t, s, e)
	requireKept(t, s, e)
}

func concurrent(t *testing.T, s Subject) {
	const versions = 40
	var wg sync.WaitGroup
	for range 4 {
		all := rand.Perm(versions)
		wg.Go(func() {
			for _, v := range all {
				if err := s.Put(t.Context(), entry("k:1", 0, int64(v+1), 0)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	requireKept(t, s, entry("k:1", 0, versions, 0))
}

func expires(t *testing.T, s Subject) {
	put(t, s, entry("k:1", 0, 5, 5))
	s.Pass(Life * 3 / 4)
	requireKept(t, s, entry("k:1", 0, 5, 5))
	put(t, s, entry("k:1", 0, 5, 6)) // which begins a new life
	s.Pass(Life * 3 / 4)
	requireKept(t, s, entry("k:1", 0, 5, 6))
	s.Pass(Life)
	_, ok, err := s.Get(t.Context(), "k:1")
	require.NoError(t, err)
	require.False(t, ok)
	put(t, s, entry("k:1", 0, 1, 7)) // there is nothing newer any more
	requireKept(t, s, entry("k:1", 0, 1, 7))
}
