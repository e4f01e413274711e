package outboxtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

// Counter is a store at which operators work.
type Counter interface {
	Storage
	outbox.Desk
}

// TestDesk is the conformance suite of outbox.Desk, on a store that passes TestStore. open
// returns a store for one subtest; it may be shared.
func TestDesk(t *testing.T, open func(t *testing.T) Counter) {
	for name, test := range map[string]func(*testing.T, Counter, string){
		"Waiting":              deskWaiting,
		"WaitingStops":         deskWaitingStops,
		"Release":              deskRelease,
		"ReleaseTwice":         deskReleaseTwice,
		"ReleaseIsConditional": deskReleaseIsConditional,
		"Replace":              deskReplace,
		"ReplaceIsConditional": deskReplaceIsConditional,
		"ParkedMeanwhile":      deskParkedMeanwhile,
		"SettledByItsSender":   deskSettledByItsSender,
		"Records":              deskRecords,
		"HistoryStops":         deskHistoryStops,
		"Odd":                  deskOdd,
		"Halts":                deskHalts,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t), strings.ReplaceAll(t.Name(), "/", "_"))
		})
	}
}

// parked writes a key whose first event of n is parked, and returns that.
func parked(t *testing.T, s Storage, key string, n int) outbox.Event {
	t.Helper()
	write(t, s, key, n)
	require.NoError(t, s.Park(t.Context(), pending(t, s, key, 1)[0], fault))
	e := pending(t, s, key, 1)[0]
	require.True(t, e.Parked())
	return e
}

// inPlaceOf is a marker as package outbox makes them.
func inPlaceOf(e outbox.Event) outbox.Event {
	e.ID, e.Type, e.Envelope, e.Content, e.Fault, e.Revision = e.ID+"-skipped", outbox.SkippedType, json.RawMessage(`{"id":"`+e.ID+`-skipped"}`), nil, nil, ""
	return e
}

func waiting(t *testing.T, s Counter, key string, parked bool) (found []outbox.Event) {
	t.Helper()
	require.NoError(t, s.Waiting(t.Context(), parked, func(page []outbox.Event) error {
		for _, e := range page {
			require.Equal(t, parked, e.Parked())
			if e.Key == key {
				found = append(found, e)
			}
		}
		return nil
	}))
	return found
}

func deskWaiting(t *testing.T, s Counter, key string) {
	whole := parked(t, s, key, 7)
	blocked := waiting(t, s, key, true)
	require.Len(t, blocked, 1)
	require.Nil(t, blocked[0].Envelope)
	whole.Envelope, whole.Content = nil, nil
	require.True(t, whole.CreatedAt.Equal(blocked[0].CreatedAt))
	whole.CreatedAt = blocked[0].CreatedAt
	require.Equal(t, whole, blocked[0], "everything else is there")
	behind := map[int64]string{}
	for _, e := range waiting(t, s, key, false) {
		behind[e.Seq] = e.ID
	}
	require.Len(t, behind, 6, "each, not only the oldest of its key")
	for _, e := range pending(t, s, key, 7)[1:] {
		require.Equal(t, e.ID, behind[e.Seq])
	}
}

func deskWaitingStops(t *testing.T, s Counter, key string) {
	parked(t, s, key, 2)
	enough := errors.New("enough")
	for _, which := range []bool{true, false} {
		require.ErrorIs(t, s.Waiting(t.Context(), which, func([]outbox.Event) error { return enough }), enough)
	}
}

func deskRelease(t *testing.T, s Counter, key string) {
	e := parked(t, s, key, 3)
	require.NoError(t, s.Release(t.Context(), e))
	now := pending(t, s, key, 5)
	require.Equal(t, []int64{1, 2, 3}, seqs(now))
	require.False(t, now[0].Parked())
	require.Equal(t, e.ID, now[0].ID)
	require.JSONEq(t, string(e.Envelope), string(now[0].Envelope))
	require.NotEqual(t, e.Revision, now[0].Revision, "who has read it parked must not park it again")
	require.Empty(t, waiting(t, s, key, true))
	require.Contains(t, find(t, s), key, "dispatchers find it")
}

func deskReleaseTwice(t *testing.T, s Counter, key string) {
	e := parked(t, s, key, 1)
	require.NoError(t, s.Release(t.Context(), e))
	require.NoError(t, s.Release(t.Context(), e), "what was to be is so")
}

func deskReleaseIsConditional(t *testing.T, s Counter, key string) {
	e := parked(t, s, key, 2)
	later := fault
	later.Attempts++
	require.NoError(t, s.Park(t.Context(), e, later))
	require.ErrorIs(t, s.Release(t.Context(), e), outbox.ErrConflict, "refused again meanwhile")
	require.Equal(t, later, *pending(t, s, key, 1)[0].Fault)
	require.NoError(t, s.Settle(t.Context(), key, pending(t, s, key, 1)))
	require.ErrorIs(t, s.Release(t.Context(), e), outbox.ErrConflict, "gone")
	require.Equal(t, []int64{2}, seqs(pending(t, s, key, 5)))
	require.ErrorIs(t, s.Release(t.Context(), outbox.Event{Key: key + "-never", Seq: 1, Revision: "r"}), outbox.ErrConflict)
}

func deskReplace(t *testing.T, s Counter, key string) {
	e := parked(t, s, key, 3)
	marker := inPlaceOf(e)
	require.NoError(t, s.Replace(t.Context(), e, marker))
	require.NoError(t, s.Replace(t.Context(), e, marker), "what was to be is so")
	now := pending(t, s, key, 5)
	require.Equal(t, []int64{1, 2, 3}, seqs(now))
	got := now[0]
	require.NotEqual(t, e.Revision, got.Revision)
	require.True(t, marker.CreatedAt.Equal(got.CreatedAt))
	got.Revision, got.CreatedAt = "", marker.CreatedAt
	require.Equal(t, marker, got)
	require.NoError(t, s.Settle(t.Context(), key, now[:1]))
	require.Equal(t, []int64{2, 3}, seqs(pending(t, s, key, 5)))
}

func deskReplaceIsConditional(t *testing.T, s Counter, key string) {
	e := parked(t, s, key, 2)
	require.NoError(t, s.Release(t.Context(), e))
	require.ErrorIs(t, s.Replace(t.Context(), e, inPlaceOf(e)), outbox.ErrConflict, "somebody has put it back")
	require.Equal(t, e.ID, pending(t, s, key, 1)[0].ID)
	require.NoError(t, s.Settle(t.Context(), key, pending(t, s, key, 1)))
	require.ErrorIs(t, s.Replace(t.Context(), e, inPlaceOf(e)), outbox.ErrConflict, "gone")
	require.Equal(t, []int64{2}, seqs(pending(t, s, key, 5)), "a marker must not come back")
}

// deskParkedMeanwhile: a dispatcher that has read the event before an operator put it back must
// not take it out again, nor note it as skipped.
func deskParkedMeanwhile(t *testing.T, s Counter, key string) {
	e := parked(t, s, key, 2)
	require.NoError(t, s.Release(t.Context(), e))
	skipped := fault
	skipped.Skipped = true
	require.ErrorIs(t, s.Park(t.Context(), e, skipped), outbox.ErrConflict)
	require.False(t, pending(t, s, key, 1)[0].Parked())
}

// deskSettledByItsSender: whoever was sending the event when it was put back has sent it.
func deskSettledByItsSender(t *testing.T, s Counter, key string) {
	e := parked(t, s, key, 2)
	require.NoError(t, s.Release(t.Context(), e))
	require.NoError(t, s.Settle(t.Context(), key, []outbox.Event{e}))
	require.Equal(t, []int64{2}, seqs(pending(t, s, key, 5)))
}

func deskRecords(t *testing.T, s Counter, key string) {
	at := time.Date(2026, 8, 7, 10, 0, 0, 0, time.UTC)
	acts := make([]outbox.Act, 120)
	for i := range acts {
		acts[i] = outbox.Act{
			ID: fmt.Sprintf("%s-%d", key, i), At: at.Add(time.Duration(i/2) * time.Millisecond), Author: "ann", Reason: `it's "mended"`, Verb: outbox.VerbSkip,
			State: outbox.ActBegun, Key: key, Seq: int64(i) + 1, Event: "e", Type: "t", Fault: &fault, Envelope: json.RawMessage(`{"id":"e"}`),
		}
		require.NoError(t, s.Record(t.Context(), acts[i]))
	}
	acts[7].State, acts[7].Error = outbox.ActFailed, "no"
	require.NoError(t, s.Record(t.Context(), acts[7]))
	var last time.Time
	found := map[string]outbox.Act{}
	require.NoError(t, s.History(t.Context(), func(page []outbox.Act) error {
		for _, a := range page {
			if a.Key != key {
				continue
			}
			require.NotContains(t, found, a.ID, "each once")
			require.True(t, last.IsZero() || !a.At.After(last), "the newest first")
			last, found[a.ID] = a.At, a
		}
		return nil
	}))
	require.Len(t, found, len(acts))
	for _, a := range acts {
		require.Equal(t, a, found[a.ID])
	}
}

func deskHistoryStops(t *testing.T, s Counter, key string) {
	require.NoError(t, s.Record(t.Context(), outbox.Act{ID: key, At: time.Now().UTC(), Verb: outbox.VerbRedrive, State: outbox.ActDone, Key: key}))
	enough := errors.New("enough")
	require.ErrorIs(t, s.History(t.Context(), func([]outbox.Act) error { return enough }), enough)
}

// deskOdd: an event that a foreign hand has parked without a reason can be put back as well.
func deskOdd(t *testing.T, s Counter, key string) {
	write(t, s, key, 1)
	require.NoError(t, s.Park(t.Context(), pending(t, s, key, 1)[0], outbox.Fault{}))
	require.NoError(t, s.Release(t.Context(), pending(t, s, key, 1)[0]))
	require.False(t, pending(t, s, key, 1)[0].Parked())
}

// deskHalts: the list is replaced whole, under its revision and with the act, or not at all. It
// is one for all that share the store, so it is put back.
func deskHalts(t *testing.T, s Counter, key string) {
	found, err := s.Halts(t.Context())
	require.NoError(t, err)
	act := outbox.Act{ID: key, At: time.Date(2026, 8, 7, 10, 0, 0, 0, time.UTC), Author: "ann", Verb: outbox.VerbPause, State: outbox.ActDone}
	act.Halt = &outbox.Halt{Scope: outbox.ScopeKind, Name: "cat", At: act.At, Author: "ann", Reason: `it's "late"`, Act: act.ID}
	next := outbox.Halts{List: []outbox.Halt{*act.Halt}, Revision: found.Revision}
	require.NoError(t, s.SetHalts(t.Context(), next, act))
	got, err := s.Halts(t.Context())
	require.NoError(t, err)
	require.Equal(t, next.List, got.List)
	require.NotEqual(t, found.Revision, got.Revision)

	late := act
	late.ID += "-late"
	require.ErrorIs(t, s.SetHalts(t.Context(), outbox.Halts{Revision: found.Revision}, late), outbox.ErrConflict, "another operator was faster")
	require.ErrorIs(t, s.SetHalts(t.Context(), outbox.Halts{Revision: "r"}, late), outbox.ErrConflict)
	end := act
	end.ID, end.Verb = key+"-end", outbox.VerbResume
	require.NoError(t, s.SetHalts(t.Context(), outbox.Halts{Revision: got.Revision}, end))
	got, err = s.Halts(t.Context())
	require.NoError(t, err)
	require.Empty(t, got.List)
	kept := map[string]outbox.Act{}
	require.NoError(t, s.History(t.Context(), func(page []outbox.Act) error {
		for _, a := range page {
			if strings.HasPrefix(a.ID, key) {
				kept[a.ID] = a
			}
		}
		return nil
	}))
	require.Equal(t, map[string]outbox.Act{act.ID: act, end.ID: end}, kept)
	_, err = s.Halts(ended(t))
	require.Error(t, err)
	require.Error(t, s.SetHalts(ended(t), got, late))
}

func ended(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
