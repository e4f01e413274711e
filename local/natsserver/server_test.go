package natsserver_test

import (
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/natsserver"
)

func connect(t *testing.T, url string, opts ...nats.Option) jetstream.JetStream {
	t.Helper()
	conn, err := nats.Connect(url, opts...)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	view, err := jetstream.New(conn)
	require.NoError(t, err)
	return view
}

// TestWhatIsAcknowledgedStays for the next server on the folder, over the network and without.
func TestWhatIsAcknowledgedStays(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := natsserver.Open(natsserver.Options{Dir: dir})
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- first.Serve(l) }()
	view := connect(t, "nats://"+l.Addr().String())
	_, err = view.CreateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}})
	require.NoError(t, err)
	_, err = view.Publish(t.Context(), "s", []byte("one"))
	require.NoError(t, err)
	require.NoError(t, first.Close())
	require.NoError(t, <-served)
	require.NoError(t, first.Serve(l), "a closed one serves nobody")

	second := natsserver.RunT(t, func(o *natsserver.Options) { o.Dir = dir })
	stream, err := connect(t, "", nats.InProcessServer(second)).Stream(t.Context(), "S")
	require.NoError(t, err)
	m, err := stream.GetMsg(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "one", string(m.Data))
}

// TestCloseEndsConnections, and nobody waits for them.
func TestCloseEndsConnections(t *testing.T) {
	t.Parallel()
	s := natsserver.RunT(t)
	lost := make(chan struct{})
	conn, err := nats.Connect(s.URL, nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(lost) }))
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	require.NoError(t, s.Close())
	select {
	case <-lost:
	case <-time.After(time.Minute):
		t.Fatal("the connection stands")
	}
}

func TestAServerNeedsAFolder(t *testing.T) {
	t.Parallel()
	_, err := natsserver.Open(natsserver.Options{})
	require.ErrorContains(t, err, "Options.Dir is not set")
}
