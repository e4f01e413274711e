package door

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpserver"
)

// Door is one for all of a server's listeners.
type Door struct {
	amqp *amqpserver.Server
	web  func(net.Listener) error // serves HTTP
	tls  func() (*tls.Config, error)
	busy sync.WaitGroup // connections that have not said what they are, and web

	mu       sync.Mutex // guards what follows
	closed   bool
	entrance map[net.Listener]struct{}
	silent   map[net.Conn]struct{} // have not said what they are
	visitors *visitors             // HTTP; nil before the first
}

// sayWithin is how long a client may take to say what it is, or to agree on TLS.
const sayWithin = 30 * time.Second

const firstOfTLS = 0x16 // handshake (RFC 8446, 5.1)

// New makes a door to a server of AMQP and to web, which serves HTTP on a listener. config is asked when a client
// wants TLS.
func New(amqp *amqpserver.Server, web func(net.Listener) error, config func() (*tls.Config, error)) *Door {
	return &Door{amqp: amqp, web: web, tls: config, entrance: map[net.Listener]struct{}{}, silent: map[net.Conn]struct{}{}}
}

// Serve lets in whoever connects until close and returns nil then. It closes the listener.
func (d *Door) Serve(l net.Listener) error {
	defer l.Close()
	if !d.add(l) {
		return nil
	}
	for {
		nc, err := l.Accept()
		if err != nil {
			d.mu.Lock()
			defer d.mu.Unlock()
			delete(d.entrance, l)
			if d.closed || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		d.admit(nc)
	}
}

func (d *Door) add(l net.Listener) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.entrance[l] = struct{}{}
	return true
}

// admit finds out what a client speaks without holding up others. The goroutine ends within sayWithin, or with close.
func (d *Door) admit(nc net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		_ = nc.Close() // the client learns it from the cut
		return
	}
	d.silent[nc] = struct{}{}
	d.busy.Go(func() {
		known, err := d.ask(nc)
		d.mu.Lock()
		delete(d.silent, nc)
		d.mu.Unlock()
		if err != nil {
			_ = nc.Close() // there is nobody to tell
			return
		}
		d.seat(known)
	})
}

// ask reads the first byte, through TLS if the client wants it.
func (d *Door) ask(nc net.Conn) (known *begun, err error) {
	if err := nc.SetDeadline(time.Now().Add(sayWithin)); err != nil {
		return nil, err
	}
	if known, err = begin(nc); err != nil {
		return nil, err
	}
	if known.first == firstOfTLS {
		config, err := d.tls()
		if err != nil {
			return nil, err
		}
		if known, err = begin(tls.Server(known, config)); err != nil {
			return nil, err
		}
	}
	return known, nc.SetDeadline(time.Time{})
}

// seat hands a connection to the server of its protocol. What is neither is told by amqpserver what would be.
func (d *Door) seat(nc *begun) {
	if nc.first < 'B' || nc.first > 'Z' {
		d.amqp.Take(nc)
		return
	}
	d.mu.Lock()
	if d.visitors == nil && !d.closed {
		d.visitors = newVisitors(nc.LocalAddr())
		d.busy.Go(func() { _ = d.web(d.visitors) }) // ends with close; it has no other way to fail
	}
	v := d.visitors
	d.mu.Unlock()
	if v == nil || !v.enter(nc) {
		_ = nc.Close() // as in admit
	}
}

// Close turns everybody away who is not in yet. Who is in, is the servers' matter; after they have been closed, wait
// returns.
func (d *Door) Close() {
	d.mu.Lock()
	d.closed = true
	for l := range d.entrance {
		_ = l.Close() // its Serve ends, which is all that is wanted
	}
	for nc := range d.silent {
		_ = nc.Close()
	}
	if d.visitors != nil {
		_ = d.visitors.Close()
	}
	d.mu.Unlock()
}

// Wait returns when no goroutine of the door is left.
func (d *Door) Wait() { d.busy.Wait() }
