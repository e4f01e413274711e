package app

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/handler/telemetry"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/test/collector"
)

// TestTheAppTellsUntilItsEnd: each part of it is heard, and what was not exported yet is when
// the app is told to stop.
func TestTheAppTellsUntilItsEnd(t *testing.T) {
	t.Parallel()
	c := collector.RunT(t)
	store := minicosmos.RunT(t)
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.Config = &minibus.Config{Topics: []minibus.Topic{{Name: "events", Subscriptions: []minibus.Subscription{{Name: "all"}}}}}
	})
	log := slog.New(slog.DiscardHandler)
	tell, err := telemetry.Start(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL}, "v1", log)
	require.NoError(t, err)
	a, err := New(loaded(t, map[string]string{"COSMOS_CONNECTION": store.ConnectionString(), "SERVICEBUS_CONNECTION": bus.ConnectionString()}), log, Options{Telemetry: tell})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.Run(ctx) }()
	r := httptest.NewRequest("PUT", "/api/profiles/p-1", strings.NewReader(`{"displayName":"Ada"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	require.Equal(t, http.StatusCreated, w.Code, w.Body.String())
	require.Eventually(t, func() bool { return len(bus.Peek("events/Subscriptions/all")) == 1 }, time.Minute, 10*time.Millisecond)
	w = httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("POST", "/OutboxDispatcher", strings.NewReader(`{"Data":{"timer":{}},"Metadata":{}}`)))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	cancel()
	<-done
	names := map[string]bool{}
	for _, s := range c.Spans("") {
		names[s.Name] = true
	}
	for _, name := range []string{"PUT /api/profiles/{id}", "commit", "execute_batch entities", "send events", "OutboxDispatcher"} {
		require.True(t, names[name], "%s: %v", name, names)
	}
	clear(names)
	for _, m := range c.Metrics() {
		names[m.Name] = true
	}
	for _, name := range []string{"http.server.request.duration", "db.client.operation.duration", "messaging.client.sent.messages", "relaybox.events.committed", "relaybox.outbox.oldest"} {
		require.True(t, names[name], "%s: %v", name, names)
	}
}

// TestAnEndIsNotHeldUp by a collector that hangs for longer than the app's grace.
func TestAnEndIsNotHeldUp(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	t.Cleanup(func() { close(over); s.Close() })
	log := slog.New(slog.DiscardHandler)
	tell, err := telemetry.Start(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": s.URL}, "v1", log)
	require.NoError(t, err)
	a, err := New(loaded(t, nil), log, Options{Telemetry: tell})
	require.NoError(t, err)
	_, end := tell.Follow(timers())(httptest.NewRequest("POST", "/OutboxDispatcher", nil), "OutboxDispatcher", false)
	end(http.StatusOK, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	began := time.Now()
	a.Run(ctx)
	require.Less(t, time.Since(began), 30*time.Second, "its grace is 5 s, and a busy machine may take its time")
}
