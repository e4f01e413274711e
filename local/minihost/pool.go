package minihost

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// pool holds the keep-alive connections to the handler.
type pool struct {
	addr string

	mu   sync.Mutex
	idle []*handlerConn // most recently used last
}

type handlerConn struct {
	net.Conn
	r    *bufio.Reader
	head []byte
}

// maxIdle bounds the idle connections; more may be in use.
const maxIdle = 256

// maxAnswer bounds the body of an answer, which is buffered whole.
const maxAnswer = 256 << 20

// answer is what the handler sent back.
type answer struct {
	status int
	reason string
	fields fields
	body   []byte
}

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
	c, err := net.DialTimeout("tcp4", p.addr, 5*time.Second)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTransport, err)
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
func (p *pool) send(method string, head, body []byte, timeout time.Duration) (answer, error) {
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
			return answer{}, fmt.Errorf("%w after %s", ErrTimeout, timeout)
		}
		if begun || len(body) > 0 || delivery == maxDeliveries {
			return answer{}, err
		}
	}
}

// deliver sends once. begun: a connection could not be made, or the answer had
// begun: sending again would not be what the real host does.
func (p *pool) deliver(method string, head, body []byte, deadline time.Time) (_ answer, begun bool, err error) {
	c, err := p.get()
	if err != nil {
		return answer{}, true, err
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
		return answer{}, false, fmt.Errorf("%w: %w", errTransport, err)
	}
	a, reuse, err := c.readAnswer(method)
	if err != nil || !reuse {
		_ = c.Close()
	} else {
		p.put(c)
	}
	if err != nil {
		err = fmt.Errorf("%w: the answer is cut short or no HTTP: %w", errTransport, err)
	}
	return a, true, err
}

// readAnswer reads one answer, passing over interim ones.
func (c *handlerConn) readAnswer(method string) (a answer, reuse bool, err error) {
	for {
		var line string
		line, a.fields, c.head, err = readHead(c.r, c.head, 1<<20)
		if err != nil {
			return answer{}, false, err
		}
		proto, rest, _ := strings.Cut(line, " ")
		code, reason, _ := strings.Cut(rest, " ")
		a.reason = reason
		a.status, err = strconv.Atoi(code)
		if err != nil || len(code) != 3 || !strings.HasPrefix(proto, "HTTP/1.") {
			return answer{}, false, fmt.Errorf("%w: %.80q", errMalformedHead, line)
		}
		if a.status >= 200 {
			reuse = proto == "HTTP/1.1" && !a.fields.token("Connection", "close")
			break
		}
	}
	return c.readAnswerBody(method, a, reuse)
}

func (c *handlerConn) readAnswerBody(method string, a answer, reuse bool) (answer, bool, error) {
	var err error
	length, sized := a.fields.get("Content-Length")
	switch {
	case method == "HEAD" || a.status == 204 || a.status == 304:
	case a.fields.token("Transfer-Encoding", "chunked"):
		a.body, err = readChunked(c.r, maxAnswer)
	case sized:
		n, perr := strconv.ParseUint(length, 10, 63)
		if perr != nil || n > maxAnswer {
			return a, false, fmt.Errorf("%w: content length %.40q", errMalformedHead, length)
		}
		a.body, err = readBody(c.r, int64(n))
	default:
		reuse = false
		a.body, err = io.ReadAll(io.LimitReader(c.r, maxAnswer))
	}
	return a, reuse, err
}
