// Package natsserver runs the real NATS server with JetStream inside a process, for the stack and
// for tests. It is never part of the handler.
//
// It promises what the server itself does with a file store that is synced with each write: what
// was acknowledged is there after kill -9 and a new Open on the same folder. It has no users: it
// is for loopback addresses.
//
// The server listens nowhere itself. Serve hands it the connections of a listener, so that tests
// and demos have a network of their own in between.
package natsserver

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// ErrNotReady: the server did not take connections in time. Its log says why.
var ErrNotReady = errors.New("the nats server does not take connections")

// startTime is how long a start may take, which reads the streams of its folder.
const startTime = time.Minute

// Options tunes a Server.
type Options struct {
	// Dir keeps the streams; it must be named.
	Dir string
	// Logger hears of the server's warnings and errors; default: nobody does.
	Logger *slog.Logger
}

// Server is a running server.
type Server struct {
	inner *server.Server
	conns sync.WaitGroup

	mu        sync.Mutex
	closed    bool                  // guarded by mu
	listeners map[net.Listener]bool // guarded by mu
}

// Open starts a server. It returns when clients can connect.
func Open(o Options) (*Server, error) {
	if o.Dir == "" {
		return nil, errors.New("Options.Dir is not set: name the folder that keeps the streams")
	}
	inner, err := server.NewServer(&server.Options{
		ServerName: "relaybox", DontListen: true, NoSigs: true,
		JetStream: true, StoreDir: o.Dir, SyncAlways: true, MaxPayload: 1 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("nats server: %w", err)
	}
	if o.Logger != nil {
		inner.SetLoggerV2(logger{o.Logger}, false, false, false)
	}
	inner.Start()
	s := &Server{inner: inner, listeners: map[net.Listener]bool{}}
	if !inner.ReadyForConnections(startTime) {
		return nil, errors.Join(ErrNotReady, s.Close())
	}
	return s, nil
}

// InProcessConn is a connection to the server without a network: nats.InProcessServer takes the
// server for it.
func (s *Server) InProcessConn() (net.Conn, error) { return s.inner.InProcessConn() }

// Serve gives the server the connections of l, until l or the server is closed.
func (s *Server) Serve(l net.Listener) error {
	if !s.open(l) {
		return nil
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || s.over() {
				return nil
			}
			return err
		}
		inside, err := s.InProcessConn()
		if err != nil {
			_ = conn.Close()
			continue // it is being closed
		}
		s.conns.Go(func() { join(conn, inside) })
	}
}

// open notes a listener to close, unless the server is closed already.
func (s *Server) open(l net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.listeners[l] = true
	return true
}

func (s *Server) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// join carries bytes both ways until either side has gone.
func join(a, b net.Conn) {
	var both sync.WaitGroup
	carry := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // the end of a connection, however it ends
		_ = a.Close()
		_ = b.Close()
	}
	both.Go(func() { carry(a, b) })
	both.Go(func() { carry(b, a) })
	both.Wait()
}

// Close ends the server, its listeners and connections. What it has acknowledged is stored.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	listeners := s.listeners
	s.listeners = nil
	s.mu.Unlock()
	for l := range listeners {
		_ = l.Close() // another may have
	}
	s.inner.Shutdown()
	s.inner.WaitForShutdown()
	s.conns.Wait()
	return nil
}

// logger is the server's log.
type logger struct{ to *slog.Logger }

// Noticef is for what happens at every start.
func (l logger) Noticef(format string, v ...any) { l.to.Info(fmt.Sprintf(format, v...)) }

// Warnf is for what an operator may want to know.
func (l logger) Warnf(format string, v ...any) { l.to.Warn(fmt.Sprintf(format, v...)) }

// Fatalf is for what ends the server.
func (l logger) Fatalf(format string, v ...any) { l.to.Error(fmt.Sprintf(format, v...)) }

// Errorf is for what the server could not do.
func (l logger) Errorf(format string, v ...any) { l.to.Error(fmt.Sprintf(format, v...)) }

// Debugf is off.
func (l logger) Debugf(string, ...any) {}

// Tracef is off.
func (l logger) Tracef(string, ...any) {}
