package sim

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
)

// network connects the processes of a run. Every chunk travels for a time that the seed
// draws, so that fake time, and not the scheduler, decides what arrives first. There is no
// bandwidth and no full window: a writer never waits.
//
// One lock guards all of it; nothing else is taken under it.
type network struct {
	mu        sync.Mutex
	seed      uint64
	listeners map[string]*listener
	nodes     map[string]int // how many there were of each name
	slowest   time.Duration  // of a chunk's way
}

func newNetwork(seed uint64) *network {
	return &network{seed: seed, listeners: map[string]*listener{}, nodes: map[string]int{}, slowest: 2 * time.Millisecond}
}

// node is the network interface of one process. A process that was killed leaves its
// goroutines behind a dead interface: nobody hears of them any more.
type node struct {
	net  *network
	name string
	born int           // the how manieth of its name
	died chan struct{} // closed by kill

	// Guarded by network.mu.
	dead   bool
	frozen time.Time       // nothing comes or goes until then
	cut    map[string]bool // names of listeners that cannot be reached
	conns  map[*conn]struct{}
	dials  int
	writes int // so far
	reads  int
	// killAt is the write at which the process dies, 0 for none; after says whether that
	// write still gets out. killRead is the read, and what it reads nobody gets to see.
	killAt   int
	after    bool
	killRead int
}

func (n *network) node(name string) *node {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nodes[name]++
	return &node{net: n, name: name, born: n.nodes[name], died: make(chan struct{}), cut: map[string]bool{}, conns: map[*conn]struct{}{}}
}

// kill ends the process: its connections are reset, and it makes no new ones.
func (p *node) kill() {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.killed()
}

func (p *node) killed() {
	if p.dead {
		return
	}
	p.dead = true
	close(p.died)
	for c := range p.conns {
		c.reset()
	}
}

func (p *node) alive() bool {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	return !p.dead
}

// dieAt kills the process at one of its next writes.
func (p *node) dieAt(write int, after bool) {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.killAt, p.after = p.writes+write, after
}

// dieReading kills the process at one of its next reads: the other side's words have arrived,
// and are not acted on.
func (p *node) dieReading(read int) {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.killRead = p.reads + read
}

// freeze holds everything that comes and goes for a time. What was written arrives when it
// is over, however long ago its writer has given up.
func (p *node) freeze(d time.Duration) {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.frozen = time.Now().Add(d)
	for c := range p.conns {
		c.wake()
	}
}

// heal wakes the process, and it need not die any more.
func (p *node) heal() {
	p.freeze(0)
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.killAt, p.killRead = 0, 0
}

// part cuts the process off from a server, or heals that.
func (p *node) part(server string, off bool) {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.cut[server] = off
	for c := range p.conns {
		if off && c.server == server {
			c.reset()
		}
	}
}

// resetAll resets the connections that clients have with a server.
func (n *network) resetAll(server string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.listeners[server]; l != nil {
		for c := range l.owner.conns {
			if c.server == server {
				c.reset()
			}
		}
	}
}

// listener is where a process takes connections.
type listener struct {
	owner  *node
	name   string
	queue  chan net.Conn
	closed chan struct{}
	once   sync.Once
	hidden bool // nobody can connect; guarded by network.mu
}

// listen opens a name; who had it before has it no more.
func (p *node) listen(name string) *listener {
	l := &listener{owner: p, name: name, queue: make(chan net.Conn, 256), closed: make(chan struct{})}
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	p.net.listeners[name] = l
	return l
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-l.owner.died:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	n := l.owner.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[l.name] == l {
		delete(n.listeners, l.name)
	}
	return nil
}

func (l *listener) Addr() net.Addr { return address(l.name) }

type address string

func (a address) Network() string { return "sim" }
func (a address) String() string  { return string(a) }

// refusalTime is the way of a refused connection.
const refusalTime = 20 * time.Millisecond

// dialer connects to a name.
func (p *node) dialer(server string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		c, err := p.dial(ctx, server)
		if err == nil {
			return c, nil
		}
		// A refusal travels, too. Without that who dials in a loop would stop the clock.
		select {
		case <-time.After(refusalTime):
		case <-ctx.Done():
			err = ctx.Err()
		}
		return nil, &net.OpError{Op: "dial", Net: "sim", Addr: address(server), Err: err}
	}
}

// dialing and ofNetwork make of it what the SDK and net/http want.
func dialing(dial func(context.Context) (net.Conn, error)) func(context.Context, azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
	return func(ctx context.Context, _ azservicebus.NewWebSocketConnArgs) (net.Conn, error) { return dial(ctx) }
}

func ofNetwork(dial func(context.Context) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
}

func (p *node) dial(ctx context.Context, server string) (net.Conn, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	n := p.net
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.listeners[server]
	if l == nil || l.hidden || p.dead || l.owner.dead || p.cut[server] {
		return nil, syscall.ECONNREFUSED
	}
	here, there := &conn{owner: p, server: server}, &conn{owner: l.owner, server: server}
	here.peer, there.peer = there, here
	p.dials++
	for k, c := range []*conn{here, there} {
		h := fnv.New64a()
		_, _ = fmt.Fprintf(h, "%s %d %s %d %d", p.name, p.born, server, p.dials, k)
		c.random = rand.New(rand.NewPCG(n.seed, h.Sum64()))
		c.news = make(chan struct{}, 1)
		c.owner.conns[c] = struct{}{}
	}
	select {
	case l.queue <- there:
		return here, nil
	default:
		here.reset()
		return nil, syscall.ECONNREFUSED
	}
}

// conn is one end of a connection. The fields behind news are guarded
// by network.mu.
type conn struct {
	owner  *node
	server string
	peer   *conn
	random *rand.Rand    // of the ways to this end
	news   chan struct{} // has an element when a reader should look again

	in        []chunk // on its way to this end
	last      time.Time
	ended     bool // the peer has closed: in is all that comes
	closed    bool // by this end
	broken    bool // reset
	readTill  time.Time
	writeTill time.Time
}

type chunk struct {
	data []byte
	due  time.Time
}

// reset ends both ends at once; what is on its way is lost.
func (c *conn) reset() {
	for _, end := range []*conn{c, c.peer} {
		end.broken, end.in = true, nil
		delete(end.owner.conns, end)
		end.wake()
	}
}

func (c *conn) wake() {
	select {
	case c.news <- struct{}{}:
	default:
	}
}

func (c *conn) Read(b []byte) (int, error) {
	for {
		n, wait, err := c.take(b)
		if n > 0 || err != nil || len(b) == 0 {
			return n, err
		}
		if wait <= 0 {
			<-c.news
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-c.news:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// take reads what has arrived. With nothing there it says how long to wait; 0 is until news.
func (c *conn) take(b []byte) (n int, wait time.Duration, err error) {
	c.owner.net.mu.Lock()
	defer c.owner.net.mu.Unlock()
	now := time.Now()
	switch {
	case c.closed:
		return 0, 0, net.ErrClosed
	case c.broken:
		return 0, 0, &net.OpError{Op: "read", Net: "sim", Err: syscall.ECONNRESET}
	case !c.readTill.IsZero() && !now.Before(c.readTill):
		return 0, 0, os.ErrDeadlineExceeded
	}
	until := c.readTill
	if len(c.in) > 0 {
		due := c.in[0].due
		for _, p := range []*node{c.owner, c.peer.owner} {
			if p.frozen.After(due) {
				due = p.frozen
			}
		}
		if !now.Before(due) {
			p := c.owner
			if p.reads++; p.killRead > 0 && p.reads >= p.killRead {
				p.killed()
				return 0, 0, &net.OpError{Op: "read", Net: "sim", Err: syscall.ECONNRESET}
			}
			n = copy(b, c.in[0].data)
			if c.in[0].data = c.in[0].data[n:]; len(c.in[0].data) == 0 {
				c.in = c.in[1:]
			}
			return n, 0, nil
		}
		if until.IsZero() || due.Before(until) {
			until = due
		}
	} else if c.ended {
		return 0, 0, io.EOF
	}
	if until.IsZero() {
		return 0, 0, nil
	}
	return 0, until.Sub(now), nil
}

func (c *conn) Write(b []byte) (int, error) {
	p, n := c.owner, c.owner.net
	n.mu.Lock()
	defer n.mu.Unlock()
	p.writes++
	dies := p.killAt > 0 && p.writes >= p.killAt
	if dies && !p.after {
		p.killed()
	}
	switch {
	case c.closed:
		return 0, net.ErrClosed
	case c.broken || c.peer.closed:
		return 0, &net.OpError{Op: "write", Net: "sim", Err: syscall.ECONNRESET}
	case !c.writeTill.IsZero() && !time.Now().Before(c.writeTill):
		return 0, os.ErrDeadlineExceeded
	}
	c.peer.arrive(append([]byte(nil), b...))
	if dies {
		p.killedAfter(c)
		return 0, &net.OpError{Op: "write", Net: "sim", Err: syscall.ECONNRESET}
	}
	return len(b), nil
}

// arrive puts a chunk on its way to this end.
func (c *conn) arrive(data []byte) {
	n := c.owner.net
	due := time.Now().Add(50*time.Microsecond + time.Duration(c.random.Int64N(int64(n.slowest))))
	if due.Before(c.last) {
		due = c.last
	}
	c.last = due
	c.in = append(c.in, chunk{data, due})
	c.wake()
}

// killedAfter is the death right after a write: what the process has sent still arrives,
// and its connections end behind it.
func (p *node) killedAfter(last *conn) {
	peer := last.peer
	delete(p.conns, last)
	p.killed()
	last.closed, peer.ended = true, true
	peer.wake()
}

func (c *conn) Close() error {
	c.owner.net.mu.Lock()
	defer c.owner.net.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed, c.peer.ended = true, true
	delete(c.owner.conns, c)
	c.wake()
	c.peer.wake()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return address(c.owner.name) }
func (c *conn) RemoteAddr() net.Addr { return address(c.peer.owner.name) }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error {
	c.owner.net.mu.Lock()
	defer c.owner.net.mu.Unlock()
	c.readTill = t
	c.wake()
	return nil
}

func (c *conn) SetWriteDeadline(t time.Time) error {
	c.owner.net.mu.Lock()
	defer c.owner.net.mu.Unlock()
	c.writeTill = t
	return nil
}
