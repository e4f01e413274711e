package jetstream

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/singleflight"

	"github.com/relaybox/relaybox/internal/pace"
)

const (
	// stallTime is how long a send must have waited in vain before the connection is doubted, and how
	// long that has to answer then. A write may take as long.
	stallTime = 2 * time.Second
	// pingEvery finds out that an idle connection is dead, within three of them.
	pingEvery = 20 * time.Second
)

// reconnectPause is between tries in the background. A send has it tried at once.
var reconnectPause = pace.Backoff{First: 50 * time.Millisecond, Max: 15 * time.Second}

// Options tunes a Client; the zero value works.
type Options struct {
	// ConnectTimeout bounds one try to connect; default 5 s.
	ConnectTimeout time.Duration
	// SendTimeout bounds one send; default 10 s. The callers' deadlines always hold.
	SendTimeout time.Duration
	// Dial replaces the TCP connection, for tests.
	Dial func(network, address string) (net.Conn, error)
	// Logger hears of connections that end; default: nobody does.
	Logger *slog.Logger
}

// Client is one connection to a server, for all goroutines of a process.
type Client struct {
	conn    Connection
	opts    Options
	flight  singleflight.Group
	waits   waits
	asking  atomic.Bool           // somebody asks a doubted connection
	why     atomic.Pointer[error] // of the newest try that failed; nil while the connection stands
	closing context.Context
	close   context.CancelCauseFunc
	busy    sync.WaitGroup // connects, and doubts

	mu     sync.Mutex
	line   *line // nil: none yet; guarded by mu
	closed bool  // guarded by mu
}

// line is the connection, which reconnects by itself, and its view of JetStream.
type line struct {
	*nats.Conn
	js js.JetStream
}

// Open returns a client without any I/O. A faulty Connection shows at the first call; Validate
// tells earlier.
func Open(conn Connection, opts Options) *Client {
	if opts.ConnectTimeout <= 0 {
		opts.ConnectTimeout = 5 * time.Second
	}
	if opts.SendTimeout <= 0 {
		opts.SendTimeout = 10 * time.Second
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{conn: conn, opts: opts}
	c.closing, c.close = context.WithCancelCause(context.Background())
	return c
}

// Close hangs up. What is on its way then is in doubt for its callers.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	l := c.line
	c.mu.Unlock()
	c.close(errClosed)
	if l != nil {
		l.Close()
	}
	gone := make(chan struct{})
	go func() { c.busy.Wait(); close(gone) }() // ends: each of them is bounded
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// connected returns the connection if it stands. One that does not is tried again in the
// background, at once, and the error says why it is gone.
func (c *Client) connected(ctx context.Context) (*line, error) {
	c.mu.Lock()
	l, closed := c.line, c.closed
	c.mu.Unlock()
	switch {
	case closed:
		return nil, errClosed
	case l == nil:
		return c.first(ctx)
	}
	return l, c.standing(l)
}

// first connects. All callers share one attempt, and none waits longer than its own context.
func (c *Client) first(ctx context.Context) (*line, error) {
	select {
	case r := <-c.flight.DoChan("", func() (any, error) { return c.connect() }):
		if r.Err != nil {
			return nil, r.Err
		}
		l := r.Val.(*line)
		return l, c.standing(l)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Client) connect() (*line, error) {
	c.mu.Lock()
	if c.line != nil || c.closed {
		defer c.mu.Unlock()
		if c.closed {
			return nil, errClosed
		}
		return c.line, nil
	}
	c.busy.Add(1)
	c.mu.Unlock()
	defer c.busy.Done()
	l, err := c.dial()
	if err != nil {
		return nil, &settingError{err} // what may pass is tried again, in the background
	}
	c.mu.Lock()
	closed := c.closed
	c.line = l
	c.mu.Unlock()
	if closed {
		l.Close()
		return nil, errClosed
	}
	return l, nil
}

func (c *Client) dial() (*line, error) {
	given, err := c.conn.options()
	if err != nil {
		return nil, err
	}
	nc, err := nats.Connect(c.conn.URLs, append(given, c.options()...)...)
	if err != nil {
		return nil, err
	}
	if err := nc.LastError(); err != nil && !nc.IsConnected() {
		c.why.CompareAndSwap(nil, &err)
	}
	stream, err := js.New(nc)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &line{nc, stream}, nil
}

func (c *Client) options() []nats.Option {
	log := c.opts.Logger
	opts := []nats.Option{
		nats.Name("relaybox"), nats.Timeout(c.opts.ConnectTimeout),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(),
		nats.CustomReconnectDelay(func(tries int) time.Duration { return reconnectPause.Wait(tries, 0) }),
		nats.ReconnectBufSize(-1), // see the package's comment
		nats.PingInterval(pingEvery), nats.MaxPingsOutstanding(2),
		nats.FlusherTimeout(stallTime), nats.ReconnectOnFlusherError(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if subject, ok := refusedSubject(err); ok {
				c.waits.refuse(subject)
			}
			log.Warn("the nats server reports an error", "error", err)
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			c.waits.lose()
			if err != nil {
				c.why.CompareAndSwap(nil, &err)
				log.Info("the connection to the nats server is lost", "error", err)
			}
		}),
	}
	stands := func(*nats.Conn) { c.why.Store(nil) }
	opts = append(opts, nats.ConnectHandler(stands), nats.ReconnectHandler(stands),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { c.why.Store(&err) })) // its own last error is gone with the next try
	if c.opts.Dial != nil {
		opts = append(opts, nats.SetCustomDialer(dialer(c.opts.Dial)))
	}
	return opts
}

type dialer func(network, address string) (net.Conn, error)

// Dial implements nats.CustomDialer.
func (d dialer) Dial(network, address string) (net.Conn, error) { return d(network, address) }

// standing says why l can't be used now. It has the next try begin.
func (c *Client) standing(l *line) error {
	if l.IsConnected() {
		return nil
	}
	if err := l.ForceReconnect(); err != nil {
		return errClosed
	}
	if why := c.why.Load(); why != nil {
		return errors.Join(errAway, *why)
	}
	return errAway
}

// doubt asks a connection over which nobody answered whether it is alive, and has it replaced if
// it is deaf. One that answers is left alone: then it is the stream that is slow.
func (c *Client) doubt(l *line) {
	c.mu.Lock()
	if c.closed || !c.asking.CompareAndSwap(false, true) {
		c.mu.Unlock()
		return
	}
	c.busy.Add(1)
	c.mu.Unlock()
	go func() { // ends with the answer, or after stallTime
		defer c.busy.Done()
		defer c.asking.Store(false)
		ctx, cancel := context.WithTimeout(c.closing, stallTime)
		defer cancel()
		if l.FlushWithContext(ctx) != nil && l.IsConnected() {
			_ = l.ForceReconnect() // fails when it is closed
		}
	}()
}
