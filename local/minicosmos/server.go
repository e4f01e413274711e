package minicosmos

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/sync/semaphore"
)

// EmulatorKey is the public, well-known key of Microsoft's emulators.
const EmulatorKey = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="

// Options configure a server; the zero value works.
type Options struct {
	// Dir keeps the data; "" keeps it in memory.
	Dir string
	// Key is the account's master key in base64; "" is EmulatorKey.
	Key string
	// Ranges is the number of physical ranges of containers that are created from now
	// on, 1 to 64; 0 means 1.
	Ranges int
	// Verifier checks the access tokens of Microsoft Entra ID; nil accepts none. minientra.Issuer is one.
	Verifier Verifier
	// Logger hears of faults; nil discards them.
	Logger *slog.Logger
}

// Verifier tells whether an access token was issued for an audience and is valid.
type Verifier interface {
	Verify(token, audience string) error
}

// maxRanges bounds Options.Ranges.
const maxRanges = 64

// maxLayout bounds the ranges that a container has had.
const maxLayout = 256

// Server is a running account. It is safe for concurrent use.
type Server struct {
	log     *slog.Logger
	keyText string
	key     []byte
	ranges  int
	tokens  Verifier
	store   *store
	catalog catalog

	faultsMu sync.Mutex // held by what switches faults
	faults   atomic.Pointer[faults]
	charges  charges
	controls http.Handler // what is not the service's

	epoch   uint32        // of this start of the store; with version it makes ETags unique
	version atomic.Uint64 // versions given out since the start

	memory     *semaphore.Weighted // bytes of request bodies held at once
	stop       chan struct{}       // closed by Close
	background sync.WaitGroup      // the purger

	mu     sync.Mutex
	closed bool           // owned by mu
	https  []*http.Server // owned by mu; one per listener

	running sync.RWMutex // held shared by whatever uses the store; Close takes it last
	ended   bool         // owned by running
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
	secret, err := base64.StdEncoding.DecodeString(o.Key)
	if err != nil {
		return nil, fmt.Errorf("the account key is not base64: %w", err)
	}
	if o.Ranges < 0 || o.Ranges > maxRanges {
		return nil, fmt.Errorf("%d physical ranges: 1 to %d are possible", o.Ranges, maxRanges)
	}
	st, err := openStore(o.Dir, o.Logger)
	if err != nil {
		return nil, err
	}
	s := &Server{log: o.Logger, keyText: o.Key, key: secret, ranges: o.Ranges, tokens: o.Verifier, store: st,
		memory: semaphore.NewWeighted(maxBodies), stop: make(chan struct{})}
	s.controls = s.control()
	if err := s.load(); err != nil {
		return nil, errors.Join(err, st.close())
	}
	s.background.Add(1)
	go s.purger()
	return s, nil
}

// load reads the catalog and begins a new epoch of ETags.
func (s *Server) load() (err error) {
	v := s.store.acquire()
	defer func() { err = errors.Join(err, v.release()) }()
	fresh, err := s.nextEpoch(v)
	if err != nil {
		return err
	}
	if err := s.catalog.load(v); err != nil {
		return err
	}
	if fresh {
		// Numbers start somewhere else in every new store, so that a client that outlives
		// a store never takes a new database for an old one with the same name.
		var b [4]byte
		if _, err := rand.Read(b[:]); err != nil {
			return err
		}
		s.catalog.lastNumber = binary.BigEndian.Uint32(b[:]) >> 4
	}
	return nil
}

// storeFormat changes when a store of before cannot be read any more.
const storeFormat = 2

var errFormat = errors.New("the data was written by another version of this program: delete the folder, or use another")

func (s *Server) nextEpoch(v *view) (fresh bool, err error) {
	found, err := v.get(key(0, kindEpoch), func(b []byte) error {
		if len(b) != 5 || b[4] != storeFormat {
			return errFormat
		}
		s.epoch = binary.BigEndian.Uint32(b)
		return nil
	})
	if err != nil {
		return false, err
	}
	s.epoch++
	return !found, s.store.commit(func(b *pebble.Batch) error {
		return b.Set(key(0, kindEpoch), append(binary.BigEndian.AppendUint32(nil, s.epoch), storeFormat), nil)
	}, nil)
}

func (s *Server) now() int64 { return time.Now().Unix() }

// Timeouts of a connection. A request of 2 MB has a minute to arrive.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = time.Minute
	writeTimeout      = 2 * time.Minute
	idleTimeout       = 2 * time.Minute
	closeGrace        = 5 * time.Second
	maxHeaderBytes    = 64 << 10
)

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
	ctx, cancel := context.WithTimeoutCause(context.Background(), closeGrace, errClosed)
	defer cancel()
	var all error
	for _, h := range servers {
		if err := h.Shutdown(ctx); err != nil {
			all = errors.Join(all, h.Close())
		}
	}
	s.background.Wait()
	s.running.Lock()
	defer s.running.Unlock()
	s.ended = true
	return errors.Join(all, s.store.close())
}

// enter keeps the store open until leave; on a closed server it returns false.
func (s *Server) enter() bool {
	s.running.RLock()
	if s.ended {
		s.running.RUnlock()
		return false
	}
	return true
}

func (s *Server) leave() { s.running.RUnlock() }

// ConnectionString returns what azcosmos's NewClientFromConnectionString takes for an
// endpoint like http://127.0.0.1:8081.
func (s *Server) ConnectionString(endpoint string) string {
	return "AccountEndpoint=" + endpoint + ";AccountKey=" + s.keyText
}

// Documents returns the documents of a container as a client sees them, in order of
// creation. It is for tests and demonstrations: it returns nil if there is no such
// container or the server is closed, and everything is in memory at once.
func (s *Server) Documents(database, container string) []json.RawMessage {
	if !s.enter() {
		return nil
	}
	defer s.leave()
	c, bad := s.catalog.container(database, container)
	if bad != nil {
		return nil
	}
	v, now := s.store.acquire(), s.now()
	var list []json.RawMessage
	err := v.scan(key(c.number, kindDocument), nil, func(_, stored []byte) (bool, error) {
		r, err := decodeRecord(stored)
		if err == nil && !r.expired(now) {
			list = append(list, r.appendJSON(nil, c))
		}
		return true, err
	})
	if err = errors.Join(err, v.release()); err != nil {
		s.log.Error("list documents", "container", container, "error", err)
	}
	return list
}
