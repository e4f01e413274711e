package jetstream

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

const (
	stream = "EVENTS"
	window = 2 * time.Minute // JetStream's own default
)

// broker is the real server, in this process.
type broker struct {
	*server.Server
	stream js.Stream
	js     js.JetStream
}

// run starts a server with the stream.
func run(t *testing.T, change ...func(*server.Options)) *broker {
	b := bare(t, change...)
	var err error
	b.stream, err = b.js.CreateStream(t.Context(), streamConfig())
	require.NoError(t, err)
	return b
}

func streamConfig() js.StreamConfig {
	return js.StreamConfig{Name: stream, Subjects: []string{"events.>"}, Duplicates: window, Storage: js.FileStorage, MaxMsgSize: 256 << 10}
}

// bare starts a server without the stream.
func bare(t *testing.T, change ...func(*server.Options)) *broker {
	o := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true}
	for _, f := range change {
		f(o)
	}
	s, err := server.NewServer(o)
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	require.True(t, s.ReadyForConnections(time.Minute))
	nc, err := nats.Connect("", nats.InProcessServer(s), nats.UserInfo("admin", "admin"))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	b := &broker{Server: s}
	b.js, err = js.New(nc)
	require.NoError(t, err)
	return b
}

// received is what the stream holds for key, in its order.
func (b *broker) received(t *testing.T, key string) []outbox.Event {
	var got []outbox.Event
	subject := Subject("events", key)
	for seq := uint64(1); ; {
		m, err := b.stream.GetMsg(t.Context(), seq, js.WithGetMsgSubject(subject))
		if err != nil {
			require.ErrorIs(t, err, js.ErrMsgNotFound)
			return got
		}
		e := outbox.Event{Key: key, ID: m.Header.Get(js.MsgIDHeader), Type: m.Header.Get(headerType), Envelope: m.Data}
		e.Seq, err = strconv.ParseInt(m.Header.Get(headerSeq), 10, 64)
		require.NoError(t, err)
		e.ReplayFor = m.Header.Get(headerReplay)
		e.Trace = outbox.Trace{Parent: m.Header.Get(headerParent), State: m.Header.Get(headerState)}
		got = append(got, e)
		seq = m.Sequence + 1
	}
}

// closed closes c with the test, and finds that this leaves nothing open.
func closed(t *testing.T, c *Client) *Client {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		require.NoError(t, c.Close(ctx))
		require.Zero(t, c.waits.count())
	})
	return c
}

func (b *broker) open(t *testing.T, opts Options) *Client {
	return closed(t, Open(Connection{URLs: b.ClientURL()}, opts))
}

// wire is the way to the server: it can be cut, and it can hold what comes back.
type wire struct {
	mu    sync.Mutex
	conns map[*wireConn]bool
	cut   bool
	held  chan struct{} // closed when nothing is held
}

func newWire() *wire {
	free := make(chan struct{})
	close(free)
	return &wire{conns: map[*wireConn]bool{}, held: free}
}

type wireConn struct {
	net.Conn
	w    *wire
	gone chan struct{}
	once sync.Once

	frozen bool // guarded by w.mu
}

func (w *wire) Dial(network, address string) (net.Conn, error) {
	c, err := net.DialTimeout(network, address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		_ = c.Close()
		return nil, net.ErrClosed
	}
	wc := &wireConn{Conn: c, w: w, gone: make(chan struct{})}
	w.conns[wc] = true
	return wc, nil
}

func (w *wire) Cut() {
	w.mu.Lock()
	w.cut = true
	conns := w.conns
	w.conns = map[*wireConn]bool{}
	w.mu.Unlock()
	for c := range conns {
		_ = c.Close()
	}
}

func (w *wire) Heal() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
}

// Freeze holds what comes back over the connections that there are, for good. New ones are sound.
func (w *wire) Freeze() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		c.frozen = true
	}
}

func (w *wire) Hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = make(chan struct{})
}

func (w *wire) Release() {
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.held)
}

// Read hands out what has come when nothing is held.
func (c *wireConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.w.mu.Lock()
	held := c.w.held
	if c.frozen {
		held = nil
	}
	c.w.mu.Unlock()
	select {
	case <-held:
		return n, err
	case <-c.gone:
		return 0, net.ErrClosed
	}
}

func (c *wireConn) Close() error {
	c.once.Do(func() { close(c.gone) })
	return c.Conn.Close()
}
