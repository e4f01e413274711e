package servicebus

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"golang.org/x/sync/singleflight"
)

const (
	// hangUpTime bounds the polite end of a retired session.
	hangUpTime = 2 * time.Second
	// stallTime is how long a send must have waited in vain before the session is blamed,
	// and stallCount how many in a row if callers have less patience than that.
	stallTime  = 2 * time.Second
	stallCount = 3
)

// Options tunes a Client; the zero value works.
type Options struct {
	// ConnectTimeout bounds connecting and attaching; default 5 s.
	ConnectTimeout time.Duration
	// SendTimeout bounds one send; default 10 s. The callers' deadlines always hold.
	SendTimeout time.Duration
	// IdleTimeout is how long a connection is kept that nothing is sent over; default 5
	// minutes. The service ends idle links after ten.
	IdleTimeout time.Duration
	// Dial replaces the TCP (and TLS) connection, for tests.
	Dial func(context.Context) (net.Conn, error)
	// Credential replaces the one that the Connection asks for.
	Credential azcore.TokenCredential
	// Logger hears of sessions that end; default: nobody does.
	Logger *slog.Logger
}

// Client is one connection to a namespace, for all goroutines of a process.
type Client struct {
	conn   Connection
	opts   Options
	flight singleflight.Group
	busy   sync.WaitGroup // connects, and retired sessions on their way out

	mu         sync.Mutex
	current    *session     // nil: none; guarded by mu
	publishers []*Publisher // guarded by mu
	closed     bool         // no new publishers; guarded by mu
	over       bool         // no new sessions; guarded by mu
}

// session is an SDK client with its senders. It is used until the first doubt.
type session struct {
	sdk     *azservicebus.Client
	senders map[string]*azservicebus.Sender // attached ones by topic; guarded by Client.mu
	silent  atomic.Int32                    // sends in a row without an answer
	idle    *time.Timer                     // retires it when nothing is sent
}

// Open returns a client without any I/O. A faulty Connection shows at the first call;
// Validate tells earlier.
func Open(conn Connection, opts Options) *Client {
	if opts.ConnectTimeout <= 0 {
		opts.ConnectTimeout = 5 * time.Second
	}
	if opts.SendTimeout <= 0 {
		opts.SendTimeout = 10 * time.Second
	}
	if opts.IdleTimeout <= 0 {
		opts.IdleTimeout = 5 * time.Minute
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Client{conn: conn, opts: opts}
}

// Close ends the publishers (what they have begun or queued they finish, while ctx
// allows) and hangs up.
func (c *Client) Close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	publishers := c.publishers
	c.mu.Unlock()
	var errs []error
	for _, p := range publishers {
		errs = append(errs, p.stop(ctx))
	}
	c.mu.Lock()
	c.over = true
	s := c.current
	c.mu.Unlock()
	c.retire(s, nil)
	gone := make(chan struct{})
	go func() { c.busy.Wait(); close(gone) }() // ends: each of them is bounded
	select {
	case <-gone:
	case <-ctx.Done():
		errs = append(errs, context.Cause(ctx))
	}
	return errors.Join(errs...)
}

// attach returns a sender with a live link to the topic. All callers share one
// attempt, and none waits longer than its own context.
func (c *Client) attach(ctx context.Context, topic string) (link, error) {
	if l, ok := c.attached(topic); ok {
		return l, nil
	}
	select {
	case r := <-c.flight.DoChan(topic, func() (any, error) { return c.connect(topic) }):
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(link), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *Client) attached(topic string) (link, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil || c.current.senders[topic] == nil {
		return nil, false
	}
	c.current.idle.Reset(c.opts.IdleTimeout) // not between here and the send
	return &azLink{c, c.current, c.current.senders[topic]}, true
}

func (c *Client) connect(topic string) (link, error) {
	if l, ok := c.attached(topic); ok {
		return l, nil
	}
	s, err := c.session()
	if err != nil {
		return nil, err
	}
	defer c.busy.Done()
	ctx, cancel := context.WithTimeout(context.Background(), c.opts.ConnectTimeout)
	defer cancel()
	sender, err := s.sdk.NewSender(topic, nil)
	if err == nil {
		_, err = sender.NewMessageBatch(ctx, nil) // the SDK attaches on first use
	}
	c.mu.Lock()
	if err == nil && c.over {
		err = errClosed
	}
	if err == nil {
		s.senders[topic] = sender
		s.idle.Reset(c.opts.IdleTimeout)
	}
	c.mu.Unlock()
	if err != nil {
		c.retire(s, err)
		return nil, err
	}
	return &azLink{c, s, sender}, nil
}

// Reach says whether the broker can be reached now. It attaches a link of its own to the topic:
// one that stands says little about now.
func (c *Client) Reach(ctx context.Context, topic string) error {
	s, err := c.session()
	if err != nil {
		return err
	}
	defer c.busy.Done()
	ctx, cancel := context.WithTimeout(ctx, c.opts.ConnectTimeout)
	defer cancel()
	s.idle.Reset(c.opts.IdleTimeout) // not while it attaches
	sender, err := s.sdk.NewSender(topic, nil)
	if err != nil {
		return err
	}
	if _, err := sender.NewMessageBatch(ctx, nil); err != nil { // the SDK attaches on first use
		c.retire(s, err)
		return err
	}
	return sender.Close(ctx)
}

// session returns the current session, or a new one, and counts its caller as busy
// unless there is an error. It does no I/O.
func (c *Client) session() (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return nil, errClosed
	}
	if c.current == nil {
		sdk, err := c.open()
		if err != nil {
			return nil, err
		}
		s := &session{sdk: sdk, senders: map[string]*azservicebus.Sender{}}
		s.idle = time.AfterFunc(c.opts.IdleTimeout, func() { c.retire(s, nil) })
		c.current = s
	}
	c.busy.Add(1)
	return c.current, nil
}

func (c *Client) open() (*azservicebus.Client, error) {
	opts := &azservicebus.ClientOptions{
		ApplicationID: "relaybox",
		RetryOptions:  azservicebus.RetryOptions{MaxRetries: -1}, // see the package comment
	}
	if dial := c.opts.Dial; dial != nil {
		opts.NewWebSocketConn = func(ctx context.Context, _ azservicebus.NewWebSocketConnArgs) (net.Conn, error) { return dial(ctx) }
	}
	return c.conn.open(c.opts.Credential, opts)
}

// retire drops a session, unless that has happened, and hangs up in the background:
// a peer that does not answer can make that last.
func (c *Client) retire(s *session, reason error) {
	c.mu.Lock()
	if s == nil || c.current != s {
		c.mu.Unlock()
		return
	}
	c.current = nil
	c.busy.Add(1)
	c.mu.Unlock()
	s.idle.Stop()
	if reason != nil {
		c.opts.Logger.Warn("service bus session dropped", "error", reason)
	}
	go func() {
		defer c.busy.Done()
		ctx, cancel := context.WithTimeout(context.Background(), hangUpTime)
		defer cancel()
		_ = s.sdk.Close(ctx) // nobody is left who could do anything about an error
	}()
}

// link is where a lane sends: an attached sender, or a stand-in in tests.
type link interface {
	batch(ctx context.Context) (packet, error)
	// single sends a message that fits into no batch.
	single(ctx context.Context, m *azservicebus.Message) error
	// failed tells the link how a send that took some time went wrong.
	failed(f fault, took time.Duration)
}

// packet is a message batch under construction.
type packet interface {
	// add returns azservicebus.ErrMessageTooLarge when m does not fit any more.
	add(m *azservicebus.Message) error
	send(ctx context.Context) error
}

type azLink struct {
	client  *Client
	session *session
	sender  *azservicebus.Sender
}

func (l *azLink) batch(ctx context.Context) (packet, error) {
	b, err := l.sender.NewMessageBatch(ctx, nil)
	if err != nil {
		return nil, err
	}
	return &azPacket{l, b}, nil
}

func (l *azLink) single(ctx context.Context, m *azservicebus.Message) error {
	return l.heard(l.sender.SendMessage(ctx, m, nil))
}

func (l *azLink) heard(err error) error {
	if err == nil {
		l.session.silent.Store(0)
		l.session.idle.Reset(l.client.opts.IdleTimeout)
	}
	return err
}

func (l *azLink) failed(f fault, took time.Duration) {
	if !f.broken {
		return
	}
	if errors.Is(f.err, errNoAnswer) && took < stallTime && l.session.silent.Add(1) < stallCount {
		return // an impatient caller, not a stalled broker
	}
	l.client.retire(l.session, f.err)
}

type azPacket struct {
	link *azLink
	b    *azservicebus.MessageBatch
}

func (p *azPacket) add(m *azservicebus.Message) error { return p.b.AddMessage(m, nil) }
func (p *azPacket) send(ctx context.Context) error {
	return p.link.heard(p.link.sender.SendMessageBatch(ctx, p.b, nil))
}
