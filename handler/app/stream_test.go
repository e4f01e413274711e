package app

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/handler/telemetry"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/natsserver"
	"github.com/relaybox/relaybox/test/collector"
)

// streaming is an app's configuration whose events go to a stream of a server of the test's own.
func streaming(t *testing.T, settings map[string]string) (config.Config, js.JetStream) {
	t.Helper()
	server := natsserver.RunT(t)
	conn, err := nats.Connect(server.URL)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	view, err := js.New(conn)
	require.NoError(t, err)
	stream, err := view.CreateStream(t.Context(), js.StreamConfig{Name: "EVENTS", Subjects: []string{"events.>"}, Discard: js.DiscardNew})
	require.NoError(t, err)
	_, err = stream.CreateConsumer(t.Context(), js.ConsumerConfig{Durable: "read-models", AckPolicy: js.AckExplicitPolicy, AckWait: 2 * time.Second, MaxDeliver: -1})
	require.NoError(t, err)
	_, err = view.CreateStream(t.Context(), js.StreamConfig{Name: "DEAD", Subjects: []string{"dead-letters.read-models.>"}})
	require.NoError(t, err)
	all := map[string]string{"EVENTS_BROKER": "jetstream", "NATS_URL": server.URL, "EVENTS_STREAM": "EVENTS", "SERVICEBUS_CONNECTION": "", "EVENTS_TOPIC": ""}
	maps.Copy(all, settings)
	return loaded(t, all), view
}

// instance is an app that runs.
type instance struct{ *App }

// running runs an instance; stop returns when it has ended.
func running(t *testing.T, cfg config.Config, opts Options) (a instance, stop func()) {
	t.Helper()
	made, err := New(cfg, slog.New(slog.DiscardHandler), opts)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); made.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return instance{made}, stop
}

// put writes a profile and returns the status.
func (a instance) put(id, name string) int {
	r := httptest.NewRequest("PUT", "/api/profiles/"+id, strings.NewReader(`{"displayName":"`+name+`"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Code
}

// TestFromTheStartToTheStream: a write's event is in the stream, and telemetry tells of the send.
func TestFromTheStartToTheStream(t *testing.T) {
	t.Parallel()
	c := collector.RunT(t)
	cfg, view := streaming(t, map[string]string{"COSMOS_CONNECTION": minicosmos.RunT(t).ConnectionString()})
	tell, err := telemetry.Start(map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL}, "v1", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	a, stop := running(t, cfg, Options{Telemetry: tell})
	require.Equal(t, http.StatusCreated, a.put("p-1", "Ada"))
	stream, err := view.Stream(t.Context(), "EVENTS")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		m, err := stream.GetLastMsgForSubject(t.Context(), "events.profile.p-1")
		return err == nil && strings.Contains(string(m.Data), "Ada")
	}, time.Minute, 10*time.Millisecond)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/api/health/ready", nil))
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	stop()
	var systems []any
	for _, s := range c.Spans("") {
		if s.Name == "send EVENTS" {
			systems = append(systems, s.Attributes["messaging.system"])
		}
	}
	require.Equal(t, []any{"nats"}, systems)
}
