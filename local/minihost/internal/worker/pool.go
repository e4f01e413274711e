package worker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// pool holds the keep-alive connections to the handler.
type pool struct {
	addr string
	dial func(ctx context.Context, addr string) (net.Conn, error)

	mu   sync.Mutex
	idle []*handlerConn // most recently used last
}

type handlerConn struct {
	net.Conn
	r    *bufio.Reader
	head []byte
}

// dialTime bounds the making of a connection.
const dialTime = 5 * time.Second

func dialTCP(ctx context.Context, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "tcp4", addr)
}

// maxIdle bounds the idle connections; more may be in use.
const maxIdle = 256

// get takes an idle connection that the handler has not closed, or dials.
func (p *pool) get() (*handlerConn, error) {
	for {
		p.mu.Lock()
		n := len(p.idle) - 1
		if n < 0 {
			p.mu.Unlock()
			break
		}
		c := p.idle[n]
		p.idle = p.idle[:n]
		p.mu.Unlock()
		if c.r.Buffered() == 0 && alive(c.Conn) {
			return c, nil
		}
		_ = c.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialTime)
	defer cancel()
	c, err := p.dial(ctx, p.addr)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	return newHandlerConn(c), nil
}

func newHandlerConn(c net.Conn) *handlerConn {
	return &handlerConn{Conn: c, r: bufio.NewReaderSize(c, 8<<10)}
}

func (p *pool) put(c *handlerConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == maxIdle {
		_ = c.Close()
		return
	}
	p.idle = append(p.idle, c)
}

// flush drops all idle connections, because the handler is gone.
func (p *pool) flush() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		_ = c.Close()
	}
}

// maxDeliveries is how often a request without a body is sent when the handler
// dies before it answers. One with a body is sent once.
const maxDeliveries = 4

// send delivers one request, given as bytes, and reads the answer.
func (p *pool) send(method string, head, body []byte, timeout time.Duration) (wire.Answer, error) {
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	for delivery := 1; ; delivery++ {
		a, begun, err := p.deliver(method, head, body, deadline)
		if err == nil {
			return a, nil
		}
		var ne net.Error
		if errors.As(err, &ne) && ne.Timeout() {
			return wire.Answer{}, fmt.Errorf("%w after %s", ErrTimeout, timeout)
		}
		if begun || len(body) > 0 || delivery == maxDeliveries {
			return wire.Answer{}, err
		}
	}
}

// deliver sends once. begun: a connection could not be made, or the answer had
// begun: sending again would not be what the real host does.
func (p *pool) deliver(method string, head, body []byte, deadline time.Time) (a wire.Answer, begun bool, err error) {
	c, err := p.get()
	if err != nil {
		return wire.Answer{}, true, err
	}
	_ = c.SetDeadline(deadline)
	if len(body) > 0 {
		buffers := net.Buffers{head, body}
		_, err = buffers.WriteTo(c.Conn)
	} else {
		_, err = c.Write(head)
	}
	if err == nil {
		_, err = c.r.Peek(1)
	}
	if err != nil {
		_ = c.Close()
		return wire.Answer{}, false, fmt.Errorf("%w: %w", ErrTransport, err)
	}
	var reuse bool
	a, reuse, c.head, err = wire.ReadAnswer(c.r, c.head, method)
	if err != nil || !reuse {
		_ = c.Close()
	} else {
		p.put(c)
	}
	if err != nil {
		err = fmt.Errorf("%w: the answer is cut short or no HTTP: %w", ErrTransport, err)
	}
	return a, true, err
}
