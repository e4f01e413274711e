package chaos

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/relaybox/relaybox/local/netsim"
)

// link is the way of one client to one server, wherever that listens at the moment. It can
// be cut (connections are reset), held (nothing passes, and nobody is told) and slowed down.
type link struct {
	front  *netsim.Listener
	target func() string // host:port, "" while the server is away

	mu   sync.Mutex    // guards hold
	hold chan struct{} // closed when bytes may pass again; nil while they may
}

// dialTime bounds a connection to a server that is frozen with a full backlog.
const dialTime = 2 * time.Second

func newLink(target func() string) (*link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return &link{front: netsim.Wrap(listener), target: target}, nil
}

func (l *link) addr() string { return l.front.Addr().String() }

// run passes connections on until ctx ends.
func (l *link) run(ctx context.Context) {
	go func() {
		<-ctx.Done()
		_ = l.front.Close()
		l.front.Cut()
		l.heal()
	}()
	for {
		client, err := l.front.Accept()
		if err != nil {
			return
		}
		go l.pass(client)
	}
}

func (l *link) pass(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.DialTimeout("tcp", l.target(), dialTime)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	ended := make(chan struct{}, 2)
	go l.copy(server, client, ended)
	go l.copy(client, server, ended)
	<-ended
}

func (l *link) copy(to, from net.Conn, ended chan<- struct{}) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			l.wait()
			if _, err := to.Write(buffer[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	ended <- struct{}{}
}

// wait returns when bytes may pass.
func (l *link) wait() {
	l.mu.Lock()
	hold := l.hold
	l.mu.Unlock()
	if hold != nil {
		<-hold
	}
}

func (l *link) cut() { l.front.Cut() }

// stall lets nothing pass; what is sent meanwhile arrives later, or never.
func (l *link) stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hold == nil {
		l.hold = make(chan struct{})
	}
}

// slow gives connections a latency; those that are there are reset.
func (l *link) slow(d time.Duration) {
	l.front.Delay(d)
	l.front.Cut()
	l.front.Heal()
}

// heal ends whatever is wrong with it.
func (l *link) heal() {
	l.front.Delay(0)
	l.front.Heal()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hold != nil {
		close(l.hold)
		l.hold = nil
	}
}
