package functions_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// benched is the app on stores in memory, without the checks of call.
func benched(b *testing.B) (http.Handler, *outboxtest.MemStore) {
	b.Helper()
	kinds, err := functions.Kinds()
	require.NoError(b, err)
	store := &outboxtest.MemStore{}
	h, err := functions.New(functions.Deps{
		Writer: outbox.NewWriter(store, outbox.WriterOptions{Source: "/test"}), Reader: store,
		Sweeper: outbox.NewDispatcher(store, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{}),
		Inbox:   inbox.New(&inboxtest.MemStore{}, kinds.Apply, inbox.Options{}),
		Logger:  slog.New(slog.DiscardHandler),
	})
	require.NoError(b, err)
	return h, store
}

// body is a profile of about 500 bytes.
func body(n int) string {
	return fmt.Sprintf(`{"displayName":"Ada %d","email":"ada%d@example.com","bio":%q,"locale":"en-GB","attributes":{"team":"engine","floor":"%d"}}`,
		n, n%3, strings.Repeat("b", 350), n)
}

// BenchmarkPut is what the handler does for a write, the store left out.
func BenchmarkPut(b *testing.B) {
	h, _ := benched(b)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		r := httptest.NewRequest(http.MethodPut, fmt.Sprintf("/api/profiles/p-%d", n%100), strings.NewReader(body(n)))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code > 201 {
			b.Fatal(w.Body)
		}
	}
}

// BenchmarkConsume is what the handler does for an event, the store left out.
func BenchmarkConsume(b *testing.B) {
	h, store := benched(b)
	for n := range 100 {
		for range 2 {
			r := httptest.NewRequest(http.MethodPut, fmt.Sprintf("/api/profiles/p-%d", n), strings.NewReader(body(n)))
			r.Header.Set("Content-Type", "application/json")
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
	}
	var messages []string
	for n := range 100 {
		key := fmt.Sprintf("profile:p-%d", n)
		for _, e := range store.Events(key) {
			messages = append(messages, invocation(e.Envelope, e.ID, key))
		}
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%len(messages) == 0 {
			b.StopTimer()
			h, _ = benched(b) // so that every event is news
			b.StartTimer()
		}
		r := httptest.NewRequest(http.MethodPost, "/ConsumeEvent", strings.NewReader(messages[n%len(messages)]))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
