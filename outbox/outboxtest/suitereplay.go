package outboxtest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/replay"
)

// Replayed is a store whose entities can be replayed.
type Replayed interface {
	Storage
	replay.Store
}

// TestReplay is the conformance suite of replay.Store, on a store that passes TestStore. open
// returns a store for one subtest; it may be shared.
func TestReplay(t *testing.T, open func(t *testing.T) Replayed) {
	for name, test := range map[string]func(*testing.T, Replayed, string){
		"Entities":      replayEntities,
		"WhileTheyGrow": replayWhileTheyGrow,
		"Marks":         replayMarks,
		"Backlog":       replayBacklog,
		"Runs":          replayRuns,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t), strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")))
		})
	}
}

// everyEntity walks through all pages; between two of them it calls pause.
func everyEntity(t *testing.T, s Replayed, kind string, pause func()) map[string]replay.Found {
	t.Helper()
	all, pages := map[string]replay.Found{}, 0
	for next := ""; ; {
		page, then, err := s.Entities(t.Context(), kind, next)
		require.NoError(t, err)
		for _, f := range page {
			require.NotContains(t, all, f.Key, "no entity comes twice")
			all[f.Key] = f
		}
		pages++
		if then == "" {
			break
		}
		require.NotEqual(t, next, then, "it goes on")
		next = then
		pause()
	}
	require.Greater(t, pages, 1, "what has one page shows nothing")
	return all
}

func replayEntities(t *testing.T, s Replayed, name string) {
	want := map[string]replay.Found{}
	for i := range 25 {
		key := outbox.Key(name, string(rune('a'+i)))
		write(t, s, key, 1)
		want[key] = replay.Found{Key: key}
	}
	write(t, s, outbox.Key(name+"x", "a"), 1) // of another kind
	write(t, s, name+";", 1)                  // of none
	dead := outbox.Key(name, "a")
	e, err := s.Load(t.Context(), dead)
	require.NoError(t, err)
	c := next(e, 1)
	c.Entity.Deleted, c.Entity.Data = true, nil
	_, err = s.Commit(t.Context(), c)
	require.NoError(t, err)
	empty := outbox.Key(name, "nothing/ever")
	_, err = s.Commit(t.Context(), outbox.Commit{Key: empty, Entity: outbox.Entity{Key: empty}})
	require.NoError(t, err)
	want[dead] = replay.Found{Key: dead, Gone: true} // and nothing of the other, which never was
	require.Equal(t, want, everyEntity(t, s, name, func() {}))
}

// replayWhileTheyGrow: what is there from the beginning is found, whatever is written meanwhile.
func replayWhileTheyGrow(t *testing.T, s Replayed, name string) {
	first := map[string]bool{}
	for i := range 25 {
		key := outbox.Key(name, string(rune('b'+i)))
		write(t, s, key, 1)
		first[key] = true
	}
	n := 0
	all := everyEntity(t, s, name, func() {
		n++
		for key := range first {
			write(t, s, key, 1)
		}
		write(t, s, outbox.Key(name, "a"+string(rune('a'+n))), 1)
	})
	for key := range first {
		require.Contains(t, all, key)
	}
}

// replayMarks: what an event and its entity say of a replay is stored.
func replayMarks(t *testing.T, s Replayed, name string) {
	key := outbox.Key(name, "a")
	e := write(t, s, key, 1)
	c := outbox.Commit{Key: key, Entity: e}
	c.Entity.Replay, c.Entity.LastSeq = "run-1", 2
	snapshot := ev(key, 2)
	snapshot.ReplayFor = "late"
	require.NoError(t, snapshot.Fill(*snapshot.Content))
	require.Contains(t, string(snapshot.Envelope), `"replayfor":"late"`)
	c.Events = []outbox.Event{snapshot}
	_, err := s.Commit(t.Context(), c)
	require.NoError(t, err)
	stored, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, "run-1", stored.Replay)
	events := pending(t, s, key, 10)
	require.Len(t, events, 2)
	require.Empty(t, events[0].ReplayFor)
	require.Equal(t, "late", events[1].ReplayFor)
	require.JSONEq(t, string(snapshot.Envelope), string(events[1].Envelope))
	page, _, err := s.Entities(t.Context(), name, "")
	require.NoError(t, err)
	require.Equal(t, []replay.Found{{Key: key, Replay: "run-1"}}, page)
}

func replayBacklog(t *testing.T, s Replayed, name string) {
	write(t, s, outbox.Key(name, "a"), 3)
	write(t, s, outbox.Key(name, "b"), 2)
	for most := range 5 { // others may have some, too
		n, err := s.Backlog(t.Context(), most)
		require.NoError(t, err)
		require.Equal(t, most, n)
	}
}

func replayRuns(t *testing.T, s Replayed, name string) {
	none, err := s.Replay(t.Context(), name, "late")
	require.NoError(t, err)
	require.Zero(t, none)
	at := time.Date(2026, 8, 7, 10, 0, 0, 0, time.UTC)
	run := replay.Run{
		ID: "r", Kind: name, Subscription: "late", Author: "ada", Reason: "new", Began: at, At: at, Holder: "h", Next: `{"a":"b"}`,
		Counts: replay.Counts{Entities: 10, Snapshots: 4, Known: 3, Gone: 2, Failed: 1}, Charge: 1.5,
	}
	run.Revision, err = s.KeepReplay(t.Context(), run)
	require.NoError(t, err)
	got, err := s.Replay(t.Context(), name, "late")
	require.NoError(t, err)
	require.Equal(t, run, got)
	other := run
	other.Revision = ""
	_, err = s.KeepReplay(t.Context(), other)
	require.ErrorIs(t, err, outbox.ErrConflict, "there is one")
	run.Done, run.Next = true, ""
	made, err := s.KeepReplay(t.Context(), run)
	require.NoError(t, err)
	_, err = s.KeepReplay(t.Context(), run)
	require.ErrorIs(t, err, outbox.ErrConflict, "it has been replaced")
	run.Revision = made
	got, err = s.Replay(t.Context(), name, "late")
	require.NoError(t, err)
	require.Equal(t, run, got)
	none, err = s.Replay(t.Context(), name, "other")
	require.NoError(t, err)
	require.Zero(t, none)
}
