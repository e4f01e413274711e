package inboxtest

import (
	"context"
	"encoding/json"
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
		"Conflict":     conflict,
		"CreateTwice":  createTwice,
		"OneWinner":    oneWinner,
		"KeysApart":    keysApart,
		"Early":        early,
		"EarlyIsOne":   earlyIsOne,
		"Refuse":       refuse,
		"Waiting":      waiting,
		"EndedContext": endedContext,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t), strings.ReplaceAll(t.Name(), "/", "_"))
		})
	}
}

func load(t *testing.T, s inbox.Store, key string) inbox.Model {
	t.Helper()
	m, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	return m
}

// apply moves key on by one event and returns the model as stored.
func apply(t *testing.T, s inbox.Store, key string) inbox.Model {
	t.Helper()
	m := load(t, s, key)
	m.LastSeq++
	m.Data = json.RawMessage(fmt.Sprintf(`{"seq":%d}`, m.LastSeq))
	commit(t, s, inbox.Change{Model: m})
	return load(t, s, key)
}

// commit stores a change that must succeed.
func commit(t *testing.T, s inbox.Store, c inbox.Change) {
	t.Helper()
	revision, err := s.Commit(t.Context(), c)
	require.NoError(t, err)
	require.Equal(t, load(t, s, c.Model.Key).Revision, revision)
}

// waits is an early event.
func waits(key string, seq int64, since time.Time) inbox.Early {
	in := inbox.Incarnation{ID: "i-2", First: 1, Since: since, Drawn: since}
	return inbox.Early{Since: since, Event: inbox.Event{
		Key: key, Seq: seq, Incarnation: in, ID: fmt.Sprint("e-", seq), Type: "t", Source: "/s", Subject: "o/ø", Time: since,
		Data: json.RawMessage(`{"text":"Ærø 日本 😀"}`), TraceParent: "00-1-2-01", TraceState: "a=b",
	}}
}

func seqs(t *testing.T, s inbox.Store, key string, limit int) (all []int64) {
	t.Helper()
	list, err := s.Early(t.Context(), key, limit)
	require.NoError(t, err)
	for _, e := range list {
		all = append(all, e.Event.Seq)
	}
	return all
}

var day = time.Date(2026, 8, 7, 10, 0, 0, 0, time.UTC)

func missing(t *testing.T, s inbox.Store, key string) {
	require.Equal(t, inbox.Model{Key: key}, load(t, s, key))
	require.Empty(t, seqs(t, s, key, 10))
}

func roundTrip(t *testing.T, s inbox.Store, key string) {
	want := inbox.Model{
		Key: key, LastSeq: 7, Gaps: 2, Data: json.RawMessage(`{"text":"Ærø 日本 😀"}`),
		Missed: inbox.Numbers{}.With(3, 4), Early: inbox.Numbers{}.With(9, 9).With(12, 15), Gone: inbox.Numbers{}.With(6, 7),
		Incarnation: inbox.Incarnation{ID: "i-2", First: 5, Since: day, Drawn: day.Add(time.Hour + 5000)},
	}
	commit(t, s, inbox.Change{Model: want})
	got := load(t, s, key)
	require.NotEmpty(t, got.Revision)
	require.JSONEq(t, string(want.Data), string(got.Data))
	got.Revision, got.Data = "", want.Data
	require.Equal(t, want, got)
}

func conflict(t *testing.T, s inbox.Store, key string) {
	old := apply(t, s, key)
	now := apply(t, s, key)
	old.LastSeq = 9
	_, err := s.Commit(t.Context(), inbox.Change{Model: old, Add: []inbox.Early{waits(key, 11, day)}})
	require.ErrorIs(t, err, inbox.ErrConflict)
	require.Equal(t, now, load(t, s, key))
	require.Empty(t, seqs(t, s, key, 10), "a refused batch leaves nothing")
}

func createTwice(t *testing.T, s inbox.Store, key string) {
	apply(t, s, key)
	_, err := s.Commit(t.Context(), inbox.Change{Model: inbox.Model{Key: key, LastSeq: 1, Data: json.RawMessage(`{}`)}})
	require.ErrorIs(t, err, inbox.ErrConflict)
}

func oneWinner(t *testing.T, s inbox.Store, key string) {
	m := apply(t, s, key)
	m.LastSeq = 2
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = s.Commit(t.Context(), inbox.Change{Model: m}) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, inbox.ErrConflict)
	}
	require.Equal(t, 1, won)
}

func keysApart(t *testing.T, s inbox.Store, key string) {
	m := apply(t, s, key+"-a")
	m.Early = m.Early.With(5, 5)
	commit(t, s, inbox.Change{Model: m, Add: []inbox.Early{waits(key+"-a", 5, day)}})
	require.Zero(t, load(t, s, key+"-b").LastSeq)
	require.Empty(t, seqs(t, s, key+"-b", 10))
}

func early(t *testing.T, s inbox.Store, key string) {
	m := inbox.Model{Key: key, Incarnation: waits(key, 1, day).Event.Incarnation, Early: inbox.Numbers{}.With(3, 12)}
	var add []inbox.Early
	for seq := int64(12); seq >= 3; seq-- {
		add = append(add, waits(key, seq, day.Add(time.Duration(seq)*time.Minute)))
	}
	commit(t, s, inbox.Change{Model: m, Add: add})
	require.Equal(t, []int64{3, 4, 5, 6}, seqs(t, s, key, 4), "by number, also across digits")
	require.Len(t, seqs(t, s, key, 100), 10)
	list, err := s.Early(t.Context(), key, 1)
	require.NoError(t, err)
	want := add[9]
	require.JSONEq(t, string(want.Event.Data), string(list[0].Event.Data))
	list[0].Event.Data = want.Event.Data
	require.Equal(t, want, list[0])

	m = load(t, s, key)
	m.LastSeq, m.Early, m.Data = 4, m.Early.Above(4), json.RawMessage(`4`)
	commit(t, s, inbox.Change{Model: m, Remove: add[8:]})
	require.Equal(t, []int64{5, 6}, seqs(t, s, key, 2))
	m = load(t, s, key)
	_, err = s.Commit(t.Context(), inbox.Change{Model: m, Remove: add[8:]})
	require.ErrorIs(t, err, inbox.ErrConflict, "they are gone")
}

func earlyIsOne(t *testing.T, s inbox.Store, key string) {
	commit(t, s, inbox.Change{Model: inbox.Model{Key: key}, Add: []inbox.Early{waits(key, 3, day)}})
	_, err := s.Commit(t.Context(), inbox.Change{Model: load(t, s, key), Add: []inbox.Early{waits(key, 3, day)}})
	require.ErrorIs(t, err, inbox.ErrConflict)
	later := waits(key, 3, day.Add(time.Hour))
	later.Event.Incarnation.ID = "i-3"
	commit(t, s, inbox.Change{Model: load(t, s, key), Add: []inbox.Early{later}})
	require.Equal(t, []int64{3, 3}, seqs(t, s, key, 10), "one of each incarnation")
}

func refuse(t *testing.T, s inbox.Store, key string) {
	a, b := waits(key, 3, day), waits(key, 4, day)
	commit(t, s, inbox.Change{Model: inbox.Model{Key: key}, Add: []inbox.Early{a, b}})
	commit(t, s, inbox.Change{Model: load(t, s, key), Refuse: []inbox.Refused{{Early: a, Reason: "no such thing"}}})
	require.Equal(t, []int64{4}, seqs(t, s, key, 10))
	_, err := s.Commit(t.Context(), inbox.Change{Model: load(t, s, key), Add: []inbox.Early{b}})
	require.ErrorIs(t, err, inbox.ErrConflict)
}

func waiting(t *testing.T, s inbox.Store, key string) {
	now := time.Now().UTC().Truncate(time.Second)
	commit(t, s, inbox.Change{Model: inbox.Model{Key: key + "-old"}, Add: []inbox.Early{waits(key+"-old", 3, now.Add(-time.Hour)), waits(key+"-old", 5, now)}})
	commit(t, s, inbox.Change{Model: inbox.Model{Key: key + "-new"}, Add: []inbox.Early{waits(key+"-new", 3, now)}})
	gone := waits(key+"-gone", 3, now.Add(-time.Hour))
	commit(t, s, inbox.Change{Model: inbox.Model{Key: key + "-gone"}, Add: []inbox.Early{gone}})
	commit(t, s, inbox.Change{Model: load(t, s, key+"-gone"), Refuse: []inbox.Refused{{Early: gone, Reason: "no such thing"}}})
	found := map[string]bool{}
	require.NoError(t, s.Waiting(t.Context(), now.Add(-time.Minute), func(keys []string) error {
		for _, k := range keys {
			found[k] = true
		}
		return nil
	}))
	require.True(t, found[key+"-old"])
	require.False(t, found[key+"-new"])
	require.False(t, found[key+"-gone"], "nobody waits for a refused one")
	enough := fmt.Errorf("enough")
	require.ErrorIs(t, s.Waiting(t.Context(), now.Add(-time.Minute), func([]string) error { return enough }), enough)
}

func endedContext(t *testing.T, s inbox.Store, key string) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Load(ctx, key)
	require.Error(t, err)
	_, err = s.Commit(ctx, inbox.Change{Model: inbox.Model{Key: key, LastSeq: 1}})
	require.Error(t, err)
	_, err = s.Early(ctx, key, 1)
	require.Error(t, err)
	require.Error(t, s.Waiting(ctx, time.Now(), func([]string) error { return nil }))
	require.Zero(t, load(t, s, key).LastSeq)
	require.True(t, slices.Equal([]int64(nil), seqs(t, s, key, 1)))
}
