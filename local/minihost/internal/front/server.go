package front

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/relaybox/relaybox/local/hostname"
	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// server is the HTTP front: one goroutine per connection, one request at a
// time, keep-alive.
type server struct {
	names hostname.Names
	serve func(*Request) Response

	mu    sync.Mutex
	conns map[*clientConn]struct{}
	done  bool // no further request is read
	all   sync.WaitGroup
}

// Time-outs of the real host's web server.
const (
	headTimeout = 30 * time.Second
	idleTimeout = 130 * time.Second
)

type clientConn struct {
	net.Conn
	r    *bufio.Reader
	out  []byte // owner: the connection's goroutine
	head []byte
	busy bool // server.mu: a request is being served
}

// NewServer prepares a server that answers with what serve returns, under localhost,
// addresses and the given names only.
func NewServer(names []string, serve func(*Request) Response) *server {
	return &server{names: names, serve: serve, conns: map[*clientConn]struct{}{}}
}

// Run accepts until the listener is closed, which the caller does before stop.
func (s *server) Run(ln net.Listener) error {
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

// Stop ends idle connections at once and waits for requests being served until
// ctx ends, then cuts them.
func (s *server) Stop(ctx context.Context) {
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
			_ = c.write(&Request{}, Response{Status: int(status)}, true)
		}
		return false
	}
	_ = c.SetReadDeadline(time.Now().Add(idleTimeout)) // for the body
	res := s.answer(c, req)
	last := req.closes || req.Fields.Token("Connection", "close") || (req.old && !req.Fields.Token("Connection", "keep-alive"))
	last = last || !req.drain()
	return c.write(req, res, last) == nil && !last
}

// answer is what serve returns, but for a web page that pretends to be this server.
func (s *server) answer(c *clientConn, req *Request) Response {
	host, _ := req.Fields.Get("Host")
	if s.names.Admit(c.LocalAddr(), host) {
		return s.serve(req)
	}
	return Response{Status: http.StatusForbidden, Fields: wire.Fields{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}, Body: []byte(hostname.Refusal(host))}
}
