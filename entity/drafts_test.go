package entity

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

// TestUndeclaredEvent: a change whose event nobody could consume is not stored.
func TestUndeclaredEvent(t *testing.T) {
	t.Parallel()
	type lamp struct{}
	k := Kind[lamp, None]{Name: "lamp", Changes: func(_, _ *lamp) []Event { return []Event{{Name: "lit"}} }}
	_, err := k.drafts("hall", nil, &lamp{}, nil)
	require.EqualError(t, err, `kind "lamp": Changes returns the event "lit", which Events does not declare: add it to the kind's Events`)
	k.Events = map[string]any{"lit": nil}
	drafts, err := k.drafts("hall", nil, &lamp{}, nil)
	require.NoError(t, err)
	require.Equal(t, "relaybox.lamp.lit", drafts[0].Type)
}

// TestSnapshotsAreOfReplays: no kind names an event so, and no change makes one.
func TestSnapshotsAreOfReplays(t *testing.T) {
	t.Parallel()
	type lamp struct{}
	k := Kind[lamp, None]{Name: "lamp", Events: map[string]any{Snapshot: nil}}
	_, err := NewKinds(k)
	require.ErrorContains(t, err, `event "snapshot": every kind has it`)
	k = Kind[lamp, None]{Name: "lamp", Changes: func(_, _ *lamp) []Event { return []Event{{Name: Snapshot}} }}
	_, err = k.drafts("hall", nil, &lamp{}, nil)
	require.ErrorContains(t, err, `the event "snapshot", which replays alone make`)
	d := SnapshotOf(outbox.Entity{Key: "lamp:hall", Data: []byte(`{"a":1}`)}, "late")
	require.Equal(t, outbox.Draft{Type: "relaybox.lamp.snapshot", Data: eventData{ID: "hall", State: []byte(`{"a":1}`)}, ReplayFor: "late"}, d)
	d = SnapshotOf(outbox.Entity{Key: "lamp:hall", Version: 2, Deleted: true}, "late")
	text, err := json.Marshal(d.Data)
	require.NoError(t, err)
	require.JSONEq(t, `{"id":"hall","state":null}`, string(text), "it is gone")
}
