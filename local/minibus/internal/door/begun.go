package door

import (
	"errors"
	"io"
	"net"
	"sync"
)

// begun is a connection whose first byte has been looked at; Read gives it again.
type begun struct {
	net.Conn
	first byte
	read  bool // owner: the one caller of Read
}

func begin(nc net.Conn) (*begun, error) {
	var first [1]byte
	if _, err := io.ReadFull(nc, first[:]); err != nil {
		return nil, err
	}
	return &begun{Conn: nc, first: first[0]}, nil
}

func (b *begun) Read(p []byte) (int, error) {
	if b.read || len(p) == 0 {
		return b.Conn.Read(p)
	}
	b.read = true
	p[0] = b.first
	return 1, nil
}

// CloseWrite tells the client that nothing more comes, where the connection can.
func (b *begun) CloseWrite() error {
	if half, ok := b.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// visitors is a listener of connections that have been accepted elsewhere.
type visitors struct {
	addr  net.Addr
	queue chan net.Conn
	gone  chan struct{}
	once  sync.Once
}

func newVisitors(addr net.Addr) *visitors {
	return &visitors{addr: addr, queue: make(chan net.Conn), gone: make(chan struct{})}
}

// enter reports whether the server has taken the connection.
func (v *visitors) enter(nc net.Conn) bool {
	select {
	case v.queue <- nc:
		return true
	case <-v.gone:
		return false
	}
}

// Accept implements net.Listener.
func (v *visitors) Accept() (net.Conn, error) {
	select {
	case nc := <-v.queue:
		return nc, nil
	case <-v.gone:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (v *visitors) Close() error {
	v.once.Do(func() { close(v.gone) })
	return nil
}

// Addr implements net.Listener.
func (v *visitors) Addr() net.Addr { return v.addr }
