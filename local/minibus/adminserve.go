package minibus

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// ServeAdmin serves AdminHandler over plain HTTP, as the official emulator does, until Close and returns nil then. It
// may be called for several listeners, and closes them.
func (s *Server) ServeAdmin(l net.Listener) error {
	server := &http.Server{
		Handler: s.AdminHandler(), MaxHeaderBytes: adminMaxHeader,
		ReadHeaderTimeout: 10 * time.Second, ReadTimeout: adminMaxTime, WriteTimeout: adminMaxTime, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(s.broker.log.Handler(), slog.LevelDebug),
	}
	if !s.admins.add(server) { // closed already, and perhaps the listener with us
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

// adminServers are the HTTP servers that run.
type adminServers struct {
	mu     sync.Mutex // guards the rest
	list   []*http.Server
	closed bool
}

// add reports whether the server may still start.
func (a *adminServers) add(s *http.Server) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, s)
	return !a.closed
}

// close cuts all connections.
func (a *adminServers) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	var faults []error
	for _, s := range a.list {
		faults = append(faults, s.Close())
	}
	return errors.Join(faults...)
}
