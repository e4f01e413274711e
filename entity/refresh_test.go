package entity_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// hearer notes what it is told, or fails.
type hearer struct {
	heard []outbox.Entity
	at    []time.Time
	err   error
}

func (h *hearer) Hear(_ context.Context, e outbox.Entity, at time.Time) error {
	h.heard, h.at = append(h.heard, e), append(h.at, at)
	return h.err
}

// TestAnEventTellsWhatAReadWouldShow: version, tag, data and deletion, event by event.
func TestAnEventTellsWhatAReadWouldShow(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	var heard hearer
	refresh := h.kinds.Refresh("event", &heard, slog.New(slog.DiscardHandler))
	for _, step := range []struct {
		status             int
		method, path, body string
	}{
		{201, "PUT", "doors/d", `{"name":"<Front> & \\\\u003c \\\" \u2028"}`},
		{200, "POST", "doors/d/lock", `{"code":"1"}`},
		{200, "POST", "doors/d/open", ""},
		{204, "DELETE", "doors/d", ""},
		{201, "PUT", "doors/d", `{"name":"Again"}`},
	} {
		h.must(step.status, step.method, step.path, step.body)
		want, err := h.store.Load(t.Context(), "door:d")
		require.NoError(t, err)
		events := h.store.Events("door:d")
		require.Equal(t, 200, delivered(t, refresh, string(events[len(events)-1].Envelope), 1).Code)
		got := heard.heard[len(heard.heard)-1]
		require.True(t, want.UpdatedAt.Equal(got.UpdatedAt))
		require.True(t, want.UpdatedAt.Equal(heard.at[len(heard.at)-1]), "it was so when it was written")
		require.True(t, want.Incarnation.Since.Equal(got.Incarnation.Since))
		require.True(t, want.Incarnation.Drawn.Equal(got.Incarnation.Drawn))
		if !want.Deleted {
			require.Equal(t, string(want.Data), string(got.Data), "byte for byte, as the tag says")
		}
		for _, e := range []*outbox.Entity{&want, &got} {
			e.UpdatedAt, e.Data, e.Incarnation.Since, e.Incarnation.Drawn = time.Time{}, nil, time.Time{}, time.Time{}
		}
		want.Revision, want.Batch, want.Place, want.Moved = "", "", "", false // of writers
		require.Equal(t, want, got)
	}
	require.Len(t, heard.heard, 5)
}

// TestWhatIsNotForTheCacheIsLeft to the consumer's subscription, which has it, too: it costs no
// delivery here.
func TestWhatIsNotForTheCacheIsLeft(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	for name, body := range map[string]string{
		"no envelope":     "hello",
		"other kind":      string(event(t, map[string]any{"partitionkey": "cat:d", "type": "relaybox.cat.created", "source": "/test/cat"})),
		"bad data":        string(event(t, map[string]any{"data": map[string]any{"id": "x"}})),
		"a marker":        string(event(t, map[string]any{"type": inbox.SkippedType})),
		"a snapshot":      string(event(t, map[string]any{"type": "relaybox.door.snapshot", "entityversion": "00000000000000000001"})),
		"one of the gone": string(event(t, map[string]any{"type": "relaybox.door.snapshot", "entityversion": "00000000000000000002", "data": map[string]any{"id": "d", "state": nil}})),
		"a bad number":    string(event(t, map[string]any{"entityversion": "none"})),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var heard hearer
			require.Equal(t, 200, delivered(t, h.kinds.Refresh("event", &heard, slog.New(slog.DiscardHandler)), body, 1).Code)
			require.Empty(t, heard.heard)
		})
	}
	require.Equal(t, 200, delivered(t, h.kinds.Refresh("event", nil, slog.New(slog.DiscardHandler)), string(event(t, nil)), 1).Code, "without a cache")
}

// TestACacheThatDoesNotWorkGetsTheEventAgain: the message goes back.
func TestACacheThatDoesNotWorkGetsTheEventAgain(t *testing.T) {
	t.Parallel()
	h := build(t, map[string]resource{"doors": door()})
	synctest.Test(t, func(t *testing.T) {
		heard := hearer{err: errors.New("out of order")}
		w := delivered(t, h.kinds.Refresh("event", &heard, slog.New(slog.DiscardHandler)), string(event(t, map[string]any{
			"incarnationsince": "1999-01-01T00:00:00Z", "incarnationdrawn": "1999-01-01T00:00:00Z", // the bubble's clock begins in 2000
		})), 1)
		require.Equal(t, 500, w.Code)
		require.Contains(t, w.Body.String(), "door:d: out of order")
	})
}

var _ entity.Hearer = (*hearer)(nil)
