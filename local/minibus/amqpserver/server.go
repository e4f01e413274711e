package amqpserver

import (
	"errors"
	"log/slog"
	"net"
	"sync"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// Server serves one backend on any number of listeners.
type Server struct {
	backend Backend
	log     *slog.Logger

	mu        sync.Mutex // guards the fields below
	closed    bool
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	running   sync.WaitGroup // Serve calls and connections
}

// New makes a server. A nil logger is silent.
func New(backend Backend, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Server{backend: backend, log: log, listeners: map[net.Listener]struct{}{}, conns: map[*conn]struct{}{}}
}

// Serve accepts connections until Close, then returns nil. It closes the listener.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close()
	if !s.track(l) {
		return nil
	}
	defer s.running.Done()
	for {
		nc, err := l.Accept()
		if err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.listeners, l)
			if s.closed || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		s.Take(nc)
	}
}

func (s *Server) track(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.listeners[l] = struct{}{}
	s.running.Add(1)
	return true
}

// Take serves a connection that has been accepted elsewhere, on a goroutine that ends when the peer goes or Close cuts
// it.
func (s *Server) Take(nc net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		nc.Close()
		return
	}
	c := newConn(s, nc)
	s.conns[c] = struct{}{}
	s.running.Add(1)
	go func() {
		defer s.running.Done()
		c.serve()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
}

// Close stops accepting, tells every client that the connection is forced to close, flushes and waits until all have ended.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for l := range s.listeners {
		l.Close()
	}
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	s.mu.Unlock()
	for _, c := range conns {
		if !c.greeted.Load() {
			c.net.Close() // nobody to say anything to
		}
		c.post(func() { c.fail(amqpwire.Errorf(amqpwire.CondConnectionForced, "the broker is shutting down")) })
	}
	s.running.Wait()
	return nil
}

// Links counts the open links of all connections, for tests and dashboards.
func (s *Server) Links() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for c := range s.conns {
		c.mu.Lock()
		for _, ss := range c.sessions {
			n += len(ss.links)
		}
		c.mu.Unlock()
	}
	return n
}
