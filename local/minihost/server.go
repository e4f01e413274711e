package minihost

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// request is what a client sent.
type request struct {
	method, target string
	path, query    string // path decoded; query raw
	fields         wire.Fields
	length         int64 // 0 without a body or with a chunked one
	chunked        bool
	old            bool // HTTP/1.0
	conn           *clientConn
	bodyRead       bool
}

// response is what the client gets. The server adds Date, Server, the length
// and Connection.
type response struct {
	status int
	reason string // "" for the usual one
	fields wire.Fields
	body   []byte
	// length overrides the length of body for answers without one (HEAD).
	length string
}

// server is the HTTP front: one goroutine per connection, one request at a
// time, keep-alive.
type server struct {
	serve func(*request) response
	log   *slog.Logger

	mu    sync.Mutex
	conns map[*clientConn]struct{}
	done  bool // no further request is read
	all   sync.WaitGroup
}

// Limits of the real host's web server.
const (
	maxHead     = 32 << 10
	maxTarget   = 8 << 10
	maxBody     = 104857600 // FUNCTIONS_REQUEST_BODY_SIZE_LIMIT
	headTimeout = 30 * time.Second
	idleTimeout = 130 * time.Second
	maxDrain    = 1 << 20 // unread body that is still read to keep a connection
)

type clientConn struct {
	net.Conn
	r    *bufio.Reader
	out  []byte // owner: the connection's goroutine
	head []byte
	busy bool // server.mu: a request is being served
}

// run accepts until the listener is closed, which stop does.
func (s *server) run(ln net.Listener) error {
	var pause time.Duration
	for {
		c, err := ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			var ne net.Error
			if !errors.As(err, &ne) || pause > time.Second {
				return err
			}
			// Out of descriptors, most likely: wait for some to come back.
			pause = max(2*pause, 5*time.Millisecond)
			time.Sleep(pause)
			continue
		}
		pause = 0
		cc := &clientConn{Conn: c, r: bufio.NewReaderSize(c, 8<<10)}
		if !s.enter(cc) {
			_ = c.Close()
			continue
		}
		go s.loop(cc)
	}
}

func (s *server) enter(c *clientConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		return false
	}
	s.conns[c] = struct{}{}
	s.all.Add(1)
	return true
}

// stop ends idle connections at once and waits for requests being served until
// ctx ends, then cuts them.
func (s *server) stop(ctx context.Context) {
	s.mu.Lock()
	s.done = true
	for c := range s.conns {
		if !c.busy {
			_ = c.Close()
		}
	}
	s.mu.Unlock()
	finished := make(chan struct{})
	go func() { s.all.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-ctx.Done():
		s.mu.Lock()
		for c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		<-finished
	}
}

// setBusy marks the span of one request; false: the server is stopping.
func (s *server) setBusy(c *clientConn, busy bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.busy = busy
	return !s.done
}

func (s *server) loop(c *clientConn) {
	defer func() {
		_ = c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		s.all.Done()
	}()
	for {
		_ = c.SetReadDeadline(time.Now().Add(idleTimeout))
		if _, err := c.r.Peek(1); err != nil {
			return
		}
		if !s.setBusy(c, true) {
			return
		}
		more := s.exchange(c)
		if !s.setBusy(c, false) || !more {
			return
		}
	}
}

// exchange serves one request and reports whether another may follow.
func (s *server) exchange(c *clientConn) bool {
	_ = c.SetReadDeadline(time.Now().Add(headTimeout))
	req, err := readRequest(c)
	if err != nil {
		var status wire.StatusError
		if errors.As(err, &status) {
			_ = c.write(&request{}, response{status: int(status)}, true)
		}
		return false
	}
	_ = c.SetReadDeadline(time.Now().Add(idleTimeout)) // for the body
	res := s.serve(req)
	last := req.fields.Token("Connection", "close") || (req.old && !req.fields.Token("Connection", "keep-alive"))
	last = last || !req.drain()
	return c.write(req, res, last) == nil && !last
}

func readRequest(c *clientConn) (*request, error) {
	line, fs, buf, err := wire.ReadHead(c.r, c.head, maxHead+maxTarget)
	c.head = buf
	switch {
	case errors.Is(err, wire.ErrMalformedHead):
		return nil, wire.StatusError(http.StatusBadRequest)
	case err != nil:
		return nil, err
	}
	method, rest, _ := strings.Cut(line, " ")
	target, proto, ok := strings.Cut(rest, " ")
	if !ok || !wire.Token(method) {
		return nil, wire.StatusError(http.StatusBadRequest)
	}
	if len(target) > maxTarget {
		return nil, wire.StatusError(http.StatusRequestURITooLong)
	}
	req := &request{method: method, target: target, fields: fs, conn: c}
	switch proto {
	case "HTTP/1.1":
	case "HTTP/1.0":
		req.old = true
	default:
		if strings.HasPrefix(proto, "HTTP/") {
			return nil, wire.StatusError(http.StatusHTTPVersionNotSupported)
		}
		return nil, wire.StatusError(http.StatusBadRequest)
	}
	return req, req.check()
}

// check applies the web server's own rules.
func (req *request) check() error {
	hosts := 0
	for _, f := range req.fields {
		if strings.EqualFold(f.Name, "Host") {
			hosts++
		}
		if !utf8.ValidString(f.Value) || strings.IndexByte(f.Value, 0) >= 0 {
			return wire.StatusError(http.StatusBadRequest)
		}
	}
	if hosts > 1 || (hosts == 0 && !req.old) {
		return wire.StatusError(http.StatusBadRequest)
	}
	if err := req.framing(); err != nil {
		return err
	}
	if req.target == "*" && req.method == http.MethodOptions {
		req.path = "*"
		return nil
	}
	raw, query, ok := splitTarget(req.target)
	if !ok {
		return wire.StatusError(http.StatusBadRequest)
	}
	if req.path, ok = decodePath(raw); !ok {
		return wire.StatusError(http.StatusBadRequest)
	}
	req.query = query
	return nil
}

func (req *request) framing() error {
	if v, ok := req.fields.Get("Transfer-Encoding"); ok {
		if !req.fields.Token("Transfer-Encoding", "chunked") || !strings.HasSuffix(strings.ToLower(v), "chunked") {
			return wire.StatusError(http.StatusBadRequest)
		}
		req.chunked = true
		return nil
	}
	v, ok := req.fields.Get("Content-Length")
	if !ok {
		return nil
	}
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil {
		return wire.StatusError(http.StatusBadRequest)
	}
	if n > maxBody {
		return wire.StatusError(http.StatusRequestEntityTooLarge)
	}
	req.length = int64(n)
	return nil
}

// body reads the body, after the interim answer that a waiting client needs.
func (req *request) body() ([]byte, error) {
	if req.length == 0 || req.bodyRead {
		return nil, nil
	}
	req.bodyRead = true
	if req.fields.Token("Expect", "100-continue") && !req.old {
		if _, err := io.WriteString(req.conn, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return nil, err
		}
	}
	return wire.ReadBody(req.conn.r, req.length)
}

// drain reads what is left of the body; false: the connection must end.
func (req *request) drain() bool {
	_ = req.conn.SetReadDeadline(time.Now().Add(headTimeout))
	switch {
	case req.chunked:
		_, err := wire.ReadChunked(req.conn.r, maxDrain)
		return err == nil
	case req.length == 0 || req.bodyRead:
		return true
	case req.length > maxDrain || req.fields.Has("Expect"):
		return false
	}
	_, err := req.conn.r.Discard(int(req.length))
	return err == nil
}

// write sends an answer with its length.
func (c *clientConn) write(req *request, res response, last bool) error {
	b := append(c.out[:0], "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(res.status), 10)
	b = append(b, ' ')
	if res.reason == "" {
		res.reason = http.StatusText(res.status)
	}
	b = append(append(b, res.reason...), "\r\n"...)
	b = wire.AppendFields(b, res.fields)
	if !res.fields.Has("Server") {
		b = append(b, "Server: Kestrel\r\n"...)
	}
	if !res.fields.Has("Date") {
		b = append(b, "Date: "...)
		b = time.Now().UTC().AppendFormat(b, http.TimeFormat)
		b = append(b, "\r\n"...)
	}
	if res.status != http.StatusNoContent {
		b = append(b, "Content-Length: "...)
		if res.length == "" {
			res.length = strconv.Itoa(len(res.body))
		}
		b = append(append(b, res.length...), "\r\n"...)
	}
	switch {
	case last:
		b = append(b, "Connection: close\r\n"...)
	case req.old:
		b = append(b, "Connection: keep-alive\r\n"...)
	}
	b = append(b, "\r\n"...)
	if req.method != http.MethodHead {
		b = append(b, res.body...)
	}
	_, err := c.Write(b)
	if cap(b) <= 64<<10 {
		c.out = b
	}
	return err
}
