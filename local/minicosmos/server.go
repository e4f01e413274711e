package minicosmos

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/relaybox/relaybox/local/disk"
	"github.com/relaybox/relaybox/local/hostname"
	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/fault"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/rest"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
	"golang.org/x/sync/semaphore"
)

// EmulatorKey is the public, well-known key of Microsoft's emulators.
const EmulatorKey = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="

// Options configure a server; the zero value works.
type Options struct {
	// Dir keeps the data; "" keeps it in memory.
	Dir string
	// FS has Dir; nil is the operating system's. Tests that crash the store bring their own.
	FS vfs.FS
	// Key is the account's master key in base64; "" is EmulatorKey.
	Key string
	// Ranges is the number of physical ranges of containers that are created from now
	// on, 1 to 64; 0 means 1.
	Ranges int
	// Serverless makes it a serverless account: nothing has a throughput, or can. Without it a container that is created
	// without one has 400 request units a second, but in a database whose containers share what that has.
	Serverless bool
	// Verifier checks the access tokens of Microsoft Entra ID; nil accepts none. minientra.Issuer is one.
	Verifier Verifier
	// Hosts are names, besides localhost, that clients call the server by; under others it
	// is called by web pages that pretend to be it. Addresses need not be listed.
	Hosts []string
	// AcceptLoss opens a store in Dir that is damaged, if it can be opened, with what is left of it. Without it Open
	// returns an error that says what is gone.
	AcceptLoss bool
	// Logger hears of faults; nil discards them.
	Logger *slog.Logger
}

// Verifier tells whether an access token was issued for an audience and is valid.
type Verifier interface {
	// Verify returns nil for a token that is, and otherwise why it is not.
	Verify(token, audience string) error
}

// maxRanges bounds Options.Ranges.
const maxRanges = 64

// Server is a running account. It is safe for concurrent use.
type Server struct {
	log     *slog.Logger
	names   hostname.Names
	keyText string
	account *account.Account
	faults  fault.Set
	charges wire.Totals
	memory  *semaphore.Weighted // bytes of request bodies held at once

	service  *rest.Service
	controls http.Handler  // what is not the service's
	stop     chan struct{} // closed by Close

	mu     sync.Mutex
	closed bool           // owned by mu
	https  []*http.Server // owned by mu; one per listener
}

// Open opens the store and returns a server that listens nowhere yet.
func Open(o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Key == "" {
		o.Key = EmulatorKey
	}
	if o.Ranges == 0 {
		o.Ranges = 1
	}
	k, err := wire.NewKeys(o.Key, o.Verifier)
	if err != nil {
		return nil, err
	}
	if o.Ranges < 0 || o.Ranges > maxRanges {
		return nil, fmt.Errorf("%d physical ranges: 1 to %d are possible", o.Ranges, maxRanges)
	}
	a, err := account.Open(disk.Options{Dir: o.Dir, FS: o.FS, Log: o.Logger, AcceptLoss: o.AcceptLoss}, o.Ranges)
	if err != nil {
		return nil, err
	}
	a.Serverless = o.Serverless
	s := &Server{log: o.Logger, names: o.Hosts, keyText: o.Key, account: a, memory: semaphore.NewWeighted(wire.MaxBodies), stop: make(chan struct{})}
	s.faults.Keep = a.Remember
	s.service = &rest.Service{Account: a, Keys: k, Faults: &s.faults, Charges: &s.charges, Memory: s.memory, Stop: s.stop, Log: s.log}
	s.controls = s.control()
	return s, nil
}

// Timeouts of a connection. A request of 2 MB has a minute to arrive.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = time.Minute
	writeTimeout      = 2 * time.Minute
	idleTimeout       = 2 * time.Minute
	closeGrace        = 5 * time.Second
	maxHeaderBytes    = 64 << 10
)

// ServeHTTP answers one request of the REST surface.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.names.Allow(w, r) {
		return
	}
	if strings.HasPrefix(r.URL.Path, "/relaybox/") {
		s.controls.ServeHTTP(w, r)
		return
	}
	s.service.ServeHTTP(w, r)
}

// Serve answers requests on l until Close, then returns nil. It may be called for
// several listeners.
func (s *Server) Serve(l net.Listener) error {
	return s.serve(l, func(h *http.Server) error { return h.Serve(l) })
}

// ServeTLS is Serve over TLS; config holds the certificate.
func (s *Server) ServeTLS(l net.Listener, config *tls.Config) error {
	return s.serve(l, func(h *http.Server) error {
		h.TLSConfig = config.Clone()
		return h.ServeTLS(l, "", "")
	})
}

func (s *Server) serve(l net.Listener, run func(*http.Server) error) error {
	h := &http.Server{
		Handler:           s,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		if err := l.Close(); !errors.Is(err, net.ErrClosed) { // its owner may have closed it too
			return err
		}
		return nil
	}
	s.https = append(s.https, h)
	s.mu.Unlock()
	if err := run(h); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	}
	return nil
}

// Close stops listening, lets running requests finish for a moment, and closes the store.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	servers := s.https
	s.mu.Unlock()

	close(s.stop)
	s.account.Hurry()
	ctx, cancel := context.WithTimeoutCause(context.Background(), closeGrace, refusal.Closed)
	defer cancel()
	var all error
	for _, h := range servers {
		if err := h.Shutdown(ctx); err != nil {
			all = errors.Join(all, h.Close())
		}
	}
	return errors.Join(all, s.account.Close())
}

// ConnectionString returns what azcosmos's NewClientFromConnectionString takes for an
// endpoint like http://127.0.0.1:8081.
func (s *Server) ConnectionString(endpoint string) string {
	return "AccountEndpoint=" + endpoint + ";AccountKey=" + s.keyText
}

// Documents returns the documents of a container as a client sees them, in order of
// creation. It is for tests and demonstrations: it returns nil if there is no such
// container or the server is closed, and everything is in memory at once.
func (s *Server) Documents(database, container string) []json.RawMessage {
	return s.account.Documents(database, container)
}

// Backup is what a container held at one moment.
type Backup = account.Backup

// Backup reads all documents of a container, for Restore.
func (s *Server) Backup(database, container string) (*Backup, error) {
	return s.account.Backup(database, container)
}

// Restore puts another container in the place of one, as an operator does who restores it
// from a backup: under another _rid, with what the backup holds, each document under the
// revision that it had. From nil it is empty, as a container that was deleted and made
// anew. It returns what the old one held at that moment; a request meets one or the other.
// Other than the service it takes no time: whoever has read the old one may not have noticed.
func (s *Server) Restore(database, container string, from *Backup) (left *Backup, err error) {
	return s.account.Restore(database, container, from)
}

// Check reads everything that is stored and tells whether it agrees: each document
// with its locator and index entries, each of those with a document, the counters with
// both. It is for tests. On a closed server it returns a 503.
func (s *Server) Check() error { return s.account.Check() }
