package inboxtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
)

// TestStore is the conformance suite of inbox.Store. open returns a store for one
// subtest; it may be shared, because keys are named after the test.
func TestStore(t *testing.T, open func(t *testing.T) inbox.Store) {
	for name, test := range map[string]func(*testing.T, inbox.Store, string){
		"Missing":      missing,
		"RoundTrip":    roundTrip,
		"Duplicate":    duplicate,
		"Conflict":     conflict,
		"CreateTwice":  createTwice,
		"OneWinner":    oneWinner,
		"KeysApart":    keysApart,
		"EndedContext": endedContext,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t), strings.ReplaceAll(t.Name(), "/", "_"))
		})
	}
}

func load(t *testing.T, s inbox.Store, key, id string) (inbox.Model, bool) {
	t.Helper()
	m, seen, err := s.Load(t.Context(), key, id)
	require.NoError(t, err)
	return m, seen
}

// apply moves key on by one event and returns the model as stored.
func apply(t *testing.T, s inbox.Store, key string) inbox.Model {
	t.Helper()
	m, _ := load(t, s, key, "none")
	m.LastSeq++
	m.Data = json.RawMessage(fmt.Sprintf(`{"seq":%d}`, m.LastSeq))
	require.NoError(t, s.Apply(t.Context(), m, fmt.Sprintf("%s-%d", key, m.LastSeq)))
	m, _ = load(t, s, key, "none")
	return m
}

func missing(t *testing.T, s inbox.Store, key string) {
	m, seen := load(t, s, key, "e-1")
	require.Equal(t, inbox.Model{Key: key}, m)
	require.False(t, seen)
}

func roundTrip(t *testing.T, s inbox.Store, key string) {
	want := inbox.Model{
		Key: key, LastSeq: 7, Gaps: 2, Data: json.RawMessage(`{"text":"Ærø 日本 😀"}`),
		Incarnation: inbox.Incarnation{ID: "i-2", First: 5, Since: time.Date(2026, 8, 7, 10, 0, 0, 0, time.UTC), Drawn: time.Date(2026, 8, 7, 11, 0, 0, 5000, time.UTC)},
	}
	require.NoError(t, s.Apply(t.Context(), want, "e-7"))
	got, seen := load(t, s, key, "e-7")
	require.True(t, seen)
	require.NotEmpty(t, got.Revision)
	require.JSONEq(t, string(want.Data), string(got.Data))
	got.Revision, got.Data = "", want.Data
	require.Equal(t, want, got)
	_, seen = load(t, s, key, "e-8")
	require.False(t, seen)
}

func duplicate(t *testing.T, s inbox.Store, key string) {
	m := apply(t, s, key)
	next := m
	next.LastSeq, next.Data = 2, json.RawMessage(`{"wrong":true}`)
	require.ErrorIs(t, s.Apply(t.Context(), next, key+"-1"), inbox.ErrDuplicate)
	got, _ := load(t, s, key, "none")
	require.Equal(t, m, got, "a duplicate changes nothing")
}

func conflict(t *testing.T, s inbox.Store, key string) {
	old := apply(t, s, key)
	now := apply(t, s, key)
	old.LastSeq = 9
	require.ErrorIs(t, s.Apply(t.Context(), old, "e-9"), inbox.ErrConflict)
	got, seen := load(t, s, key, "e-9")
	require.False(t, seen, "a refused batch leaves no receipt")
	require.Equal(t, now, got)
}

func createTwice(t *testing.T, s inbox.Store, key string) {
	apply(t, s, key)
	err := s.Apply(t.Context(), inbox.Model{Key: key, LastSeq: 1, Data: json.RawMessage(`{}`)}, "other")
	require.ErrorIs(t, err, inbox.ErrConflict)
}

func oneWinner(t *testing.T, s inbox.Store, key string) {
	m := apply(t, s, key)
	m.LastSeq = 2
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = s.Apply(t.Context(), m, "same") })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		require.True(t, errIsAny(err, inbox.ErrDuplicate, inbox.ErrConflict), "%v", err)
	}
	require.Equal(t, 1, won)
}

func keysApart(t *testing.T, s inbox.Store, key string) {
	apply(t, s, key+"-a")
	m, _ := load(t, s, key+"-b", "none")
	require.Zero(t, m.LastSeq)
}

func endedContext(t *testing.T, s inbox.Store, key string) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := s.Load(ctx, key, "e")
	require.Error(t, err)
	require.Error(t, s.Apply(ctx, inbox.Model{Key: key, LastSeq: 1}, "e"))
	m, _ := load(t, s, key, "e")
	require.Zero(t, m.LastSeq)
}

func errIsAny(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}
