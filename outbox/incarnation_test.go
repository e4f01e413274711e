package outbox_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

func write(t *testing.T, w *outbox.Writer, key, text string) {
	t.Helper()
	_, err := w.Write(t.Context(), put(key, text))
	require.NoError(t, err)
}

func TestAnIncarnationLastsAsLongAsTheContainer(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	w := outbox.NewWriter(s, outbox.WriterOptions{Source: "/test"})
	write(t, w, "doc:a", "1")
	write(t, w, "doc:a", "2")
	write(t, w, "doc:b", "1")
	a, b := entity(t, s, "doc:a"), entity(t, s, "doc:b")
	require.Len(t, a.Incarnation.ID, 16)
	require.EqualValues(t, 1, a.Incarnation.First)
	require.NotEqual(t, a.Incarnation.ID, b.Incarnation.ID, "each entity draws its own")
	for _, e := range s.Events("doc:a") {
		require.Equal(t, a.Incarnation.ID, e.Incarnation)
	}
}

func TestAContainerMadeAnewRepeatsNoEvent(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	w := outbox.NewWriter(s, outbox.WriterOptions{Source: "/test"})
	write(t, w, "doc:a", "1")
	before, first := entity(t, s, "doc:a"), s.Events("doc:a")[0]
	s.Anew()
	write(t, w, "doc:a", "1")
	after, again := entity(t, s, "doc:a"), s.Events("doc:a")[0]
	require.Equal(t, first.Seq, again.Seq)
	require.NotEqual(t, first.ID, again.ID, "the broker would drop it as a copy")
	require.True(t, after.Incarnation.Since.After(before.Incarnation.Since))
}

func TestARestoredContainerGoesOnUnderANewIncarnation(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	var moved []outbox.Moved
	w := outbox.NewWriter(s, outbox.WriterOptions{Source: "/test", Observer: func(sig outbox.Signal) {
		if m, ok := sig.(outbox.Moved); ok {
			moved = append(moved, m)
		}
	}})
	write(t, w, "doc:a", "1")
	write(t, w, "doc:a", "2")
	backup := s.Copy()
	write(t, w, "doc:a", "3")
	lost := s.Events("doc:a")[2]
	old := entity(t, s, "doc:a")

	s.Restore(backup)
	require.True(t, entity(t, s, "doc:a").Moved)
	write(t, w, "doc:a", "other")
	now := entity(t, s, "doc:a")
	require.False(t, now.Moved)
	require.EqualValues(t, 3, now.Version)
	require.Equal(t, outbox.Incarnation{ID: now.Incarnation.ID, First: 3, Since: now.Incarnation.Since, Drawn: now.Incarnation.Drawn}, now.Incarnation)
	require.NotEqual(t, old.Incarnation.ID, now.Incarnation.ID)
	require.Equal(t, []outbox.Moved{{Key: "doc:a", From: old.Incarnation, To: now.Incarnation}}, moved)
	events := s.Events("doc:a")
	require.Equal(t, lost.Seq, events[2].Seq)
	require.NotEqual(t, lost.ID, events[2].ID)
	require.Equal(t, old.Incarnation.ID, events[1].Incarnation, "what was pending in the backup stays what it was")

	write(t, w, "doc:a", "and on")
	require.Equal(t, now.Incarnation, entity(t, s, "doc:a").Incarnation)
	require.Len(t, moved, 1)
}

func TestKeysOfKinds(t *testing.T) {
	t.Parallel()
	require.Equal(t, "order:a:b", outbox.Key("order", "a:b"))
	kind, id := outbox.SplitKey("order:a:b")
	require.Equal(t, []string{"order", "a:b"}, []string{kind, id})
	kind, id = outbox.SplitKey("plain")
	require.Equal(t, []string{"", "plain"}, []string{kind, id})
}

func TestSessionsFollowFromKeys(t *testing.T) {
	t.Parallel()
	short := "order:" + strings.Repeat("i", 122)
	require.Equal(t, short, outbox.Session(short))
	long := "order:" + strings.Repeat("é", 100)
	require.LessOrEqual(t, len(outbox.Session(long)), 128)
	require.Equal(t, outbox.Session(long), outbox.Session(long))
	require.NotEqual(t, outbox.Session(long), outbox.Session(long+"x"))
	require.True(t, strings.HasPrefix(outbox.Session(long), "order:é"))
}
