package admin

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Serve answers over plain HTTP, as the official emulator does, until close and returns nil then. It may be called for
// several listeners, and closes them.
func (a *Handler) Serve(l net.Listener) error {
	server := &http.Server{
		Handler: a, MaxHeaderBytes: adminMaxHeader,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: adminMaxTime, WriteTimeout: adminMaxTime, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	if !a.servers.add(server) { // closed already, and perhaps the listener with us
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Close cuts all connections.
func (a *Handler) Close() error { return a.servers.close() }

// servers are the HTTP servers that run.
type servers struct {
	mu     sync.Mutex // guards the rest
	list   []*http.Server
	closed bool
}

// add reports whether the server may still start.
func (s *servers) add(one *http.Server) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = append(s.list, one)
	return !s.closed
}

// close cuts all connections.
func (s *servers) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var faults []error
	for _, one := range s.list {
		faults = append(faults, one.Close())
	}
	return errors.Join(faults...)
}
