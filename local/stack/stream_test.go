package stack

import (
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// streams is a view of a stack's NATS server over its network.
func streams(t *testing.T, s *Stack) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(s.StreamURL)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	view, err := jetstream.New(conn)
	require.NoError(t, err)
	return view
}

// TestStream: the part Bus is the NATS server, with what the app needs; its settings go over the
// environment's, and what it has acknowledged stays in the data folder.
func TestStream(t *testing.T) {
	t.Parallel()
	cfg := Config{
		Data: t.TempDir(), Only: []Part{Bus}, Broker: JetStream,
		Settings: map[string]string{"EVENTS_BROKER": "servicebus", "NATS_CREDS": "/etc/app.creds", "EVENTS_SUBJECT": "facts"},
	}
	s, err := Start(cfg)
	require.NoError(t, err)
	for name, want := range map[string]string{
		"EVENTS_BROKER": "jetstream", "NATS_URL": s.StreamURL, "NATS_CREDS": "", "EVENTS_SUBJECT": "facts", "AzureWebJobs.ConsumeEvent.Disabled": "true",
	} {
		require.Equal(t, want, s.Settings[name], name)
	}
	left, err := FindRunning(cfg.Data)
	require.NoError(t, err)
	require.Equal(t, s.StreamURL, left.Values["NATS_URL"])
	view := streams(t, s)
	_, err = view.Publish(t.Context(), "facts.profile.p-1", []byte("kept"))
	require.NoError(t, err)
	for _, durable := range []string{"read-models", "mailing-list"} {
		_, err = view.Stream(t.Context(), LettersStream("EVENTS", durable))
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())

	s = RunT(t, func(c *Config) { c.Data, c.Only, c.Broker, c.Settings = cfg.Data, cfg.Only, cfg.Broker, cfg.Settings })
	stream, err := streams(t, s).Stream(t.Context(), "EVENTS")
	require.NoError(t, err)
	durable, err := stream.Consumer(t.Context(), "read-models")
	require.NoError(t, err)
	require.EqualValues(t, 1, durable.CachedInfo().NumPending)
	m, err := stream.GetMsg(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "kept", string(m.Data))
}

func TestParseBroker(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]Broker{"": ServiceBus, "servicebus": ServiceBus, "jetstream": JetStream} {
		got, err := ParseBroker(name)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := ParseBroker("kafka")
	require.EqualError(t, err, `"kafka" is no broker of the stack: use servicebus or jetstream`)
}
