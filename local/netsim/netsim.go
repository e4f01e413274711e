// Package netsim puts a network that can be broken between a client and a server of
// this process.
//
// Promise: while a Listener is cut, no byte passes in either direction: live connections
// were reset when the cut began, and a connection that is made during the cut is reset
// before its server sees it. Heal lets new connections through; the reset ones stay dead,
// as they would after a real outage. Delay adds a latency to every connection accepted
// afterwards, in both directions, without limiting its throughput.
//
// No promise: the operating system still completes the TCP handshake during a cut, so a
// client sees "connection reset" and not "connection refused". What the server had
// written before the cut may or may not have reached the client.
//
//	         Cut                     Heal
//	open ───────────→ cut (reset all) ───────────→ open (new connections only)
package netsim

import (
	"net"
	"sync"
	"time"
)

// Listener is a net.Listener whose connections can be cut and slowed down.
// All methods are safe for concurrent use.
type Listener struct {
	net.Listener

	mu    sync.Mutex // guards what follows
	cut   bool
	delay time.Duration
	live  map[*conn]struct{}
	// resets counts the connections that a cut has dropped or turned away.
	resets int
}

// Wrap returns l with switches. Closing the result closes l; connections that are
// open then live on.
func Wrap(l net.Listener) *Listener {
	return &Listener{Listener: l, live: map[*conn]struct{}{}}
}

// Accept waits for a connection that was not made during a cut.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if wrapped := l.admit(c); wrapped != nil {
			return wrapped, nil
		}
		reset(c)
	}
}

// admit registers c, or returns nil while the network is cut.
func (l *Listener) admit(c net.Conn) net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		l.resets++
		return nil
	}
	wrapped := &conn{Conn: c, owner: l}
	l.live[wrapped] = struct{}{}
	if l.delay > 0 {
		return slow(wrapped, l.delay)
	}
	return wrapped
}

// Cut resets every live connection and turns new ones away until Heal. When it
// returns, no accepted connection carries another byte.
func (l *Listener) Cut() {
	l.mu.Lock()
	l.cut = true
	victims := make([]*conn, 0, len(l.live))
	for c := range l.live {
		victims = append(victims, c)
	}
	clear(l.live)
	l.resets += len(victims)
	l.mu.Unlock()
	for _, c := range victims {
		reset(c.Conn)
	}
}

// Heal ends a cut. Without one it does nothing.
func (l *Listener) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = false
}

// IsCut says whether a cut goes on.
func (l *Listener) IsCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

// Delay sets the one-way latency of connections accepted from now on; 0 removes it.
func (l *Listener) Delay(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delay = d
}

// Live returns how many accepted connections are open.
func (l *Listener) Live() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.live)
}

// Resets returns how many connections cuts have dropped or turned away so far.
func (l *Listener) Resets() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.resets
}

// conn is an accepted connection; it leaves its listener's books when it is closed.
type conn struct {
	net.Conn
	owner *Listener
}

func (c *conn) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.live, c)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}

// reset closes c so that a TCP peer sees RST and nothing that is still queued.
func reset(c net.Conn) {
	if tcp, ok := c.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0) // the connection is being destroyed; the close below is what counts
	}
	_ = c.Close()
}
