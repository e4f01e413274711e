// Package natsserver runs the real NATS server with JetStream inside a process, for the stack and
// for tests. It is never part of the handler.
//
// It promises what the server itself does with a file store that is synced with each write: what
// was acknowledged is there after kill -9 and a new Open on the same folder. It has no users: it
// is for loopback addresses.
package natsserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// ErrNotReady: the server did not take connections in time. Its log says why.
var ErrNotReady = errors.New("the nats server does not take connections")

// startTime is how long a start may take, which reads the streams of its folder.
const startTime = time.Minute

// Options tunes a Server; the zero value listens on a free port of loopback.
type Options struct {
	// Dir keeps the streams; it must be named.
	Dir string
	// Addr is host:port to listen on; default 127.0.0.1 and a free port.
	Addr string
	// Logger hears of the server's warnings and errors; default: nobody does.
	Logger *slog.Logger
}

// Server is a running server.
type Server struct{ inner *server.Server }

// Open starts a server. It returns when clients can connect.
func Open(o Options) (*Server, error) {
	if o.Dir == "" {
		return nil, errors.New("Options.Dir is not set: name the folder that keeps the streams")
	}
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	host, port, err := address(o.Addr)
	if err != nil {
		return nil, err
	}
	inner, err := server.NewServer(&server.Options{
		ServerName: "relaybox", Host: host, Port: port, NoSigs: true,
		JetStream: true, StoreDir: o.Dir, SyncAlways: true, MaxPayload: 1 << 20,
	})
	if err != nil {
		return nil, fmt.Errorf("nats server: %w", err)
	}
	if o.Logger != nil {
		inner.SetLoggerV2(logger{o.Logger}, false, false, false)
	}
	inner.Start()
	s := &Server{inner}
	if !inner.ReadyForConnections(startTime) {
		return nil, errors.Join(ErrNotReady, s.Close())
	}
	return s, nil
}

// address takes host:port apart; port 0 is a free one.
func address(addr string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("address %q: %w; write HOST:PORT", addr, err)
	}
	port, err = strconv.Atoi(text)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("address %q has no port; write HOST:PORT", addr)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// Addr is host:port.
func (s *Server) Addr() string { return s.inner.Addr().String() }

// URL is what clients connect to.
func (s *Server) URL() string { return (&url.URL{Scheme: "nats", Host: s.Addr()}).String() }

// Close ends the server and its connections. What it has acknowledged is stored.
func (s *Server) Close() error {
	s.inner.Shutdown()
	s.inner.WaitForShutdown()
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
