package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// swept counts its sweeps, and finds something.
type swept struct {
	*inbox.Inbox
	n *int
}

func (s swept) Sweep(context.Context) (inbox.Swept, error) {
	*s.n++
	return inbox.Swept{Keys: 2}, nil
}

// TestTwoConsumersOfOneEvent have models of their own, and only one of them is swept: the other
// has nothing that waits.
func TestTwoConsumersOfOneEvent(t *testing.T) {
	t.Parallel()
	all, err := functions.Consumers()
	require.NoError(t, err)
	require.Len(t, all, 1)
	list := all[0]
	require.Equal(t, "MailingList", list.Function)
	kinds, err := functions.Kinds()
	require.NoError(t, err)
	views, entries := &inboxtest.MemStore{}, &inboxtest.MemStore{}
	store, bus := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
	var first, second int
	var said bytes.Buffer
	h, err := functions.New(functions.Deps{
		Writer: outbox.NewWriter(store, outbox.WriterOptions{Source: "/test"}), Reader: store, Sweeper: outbox.NewDispatcher(store, bus, outbox.DispatcherOptions{}),
		Inbox:     swept{inbox.New(views, kinds.Apply, inbox.Options{}), &first},
		Consumers: map[string]functions.Inbox{list.Name: swept{inbox.New(entries, list.Kinds.Apply, inbox.Options{Policy: list.Policy}), &second}},
		Logger:    slog.New(slog.NewJSONHandler(&said, nil)),
	})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, call(t, h, "PUT", "/api/profiles/ann", `{"displayName":"Ann","email":"ann@example.com"}`).Code)
	require.Equal(t, http.StatusOK, call(t, h, "PUT", "/api/profiles/ann", `{"displayName":"Ann","email":"ann@example.org"}`).Code)
	require.Equal(t, http.StatusOK, call(t, h, "POST", "/OutboxDispatcher", tick).Code)
	for _, e := range bus.Log() {
		require.Equal(t, http.StatusOK, call(t, h, "POST", "/ConsumeEvent", invocation(e.Envelope, e.ID, e.Key)).Code)
		if list.Wants(e.Type) {
			require.Equal(t, http.StatusOK, call(t, h, "POST", "/MailingList", invocation(e.Envelope, e.ID, e.Key)).Code)
		}
	}
	m, err := entries.Load(t.Context(), "profile:ann")
	require.NoError(t, err)
	require.EqualValues(t, 3, m.LastSeq)
	require.Zero(t, m.Gaps, "the rule has left event 2 out")
	var entry struct{ Address string }
	require.NoError(t, json.Unmarshal(m.Data, &entry))
	require.Equal(t, "ann@example.org", entry.Address)
	v, err := views.Load(t.Context(), "profile:ann")
	require.NoError(t, err)
	require.EqualValues(t, 3, v.LastSeq)

	require.Equal(t, http.StatusOK, call(t, h, "POST", "/InboxSweeper", tick).Code)
	require.Equal(t, []int{1, 0}, []int{first, second})
	require.Contains(t, said.String(), `"keys":2`)
}
