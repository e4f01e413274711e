package minibus

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/internal/admin"
	"github.com/relaybox/relaybox/local/minibus/internal/broker"
	"github.com/relaybox/relaybox/local/minibus/internal/door"
	"github.com/relaybox/relaybox/local/minibus/internal/node"
	"github.com/relaybox/relaybox/local/minibus/internal/sas"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
	"github.com/relaybox/relaybox/local/private"
	"github.com/relaybox/relaybox/local/selfsigned"
)

// Options of a broker. The zero value is an empty broker in memory with the emulator's public key.
type Options struct {
	Dir      string   // of the store; "": in memory
	Config   *Config  // nil: no entities
	Policies []Policy // nil: DefaultPolicy
	Logger   *slog.Logger

	// Premium is a namespace of the Premium tier: messages have up to 1 MB and, in an entity whose MaxMessageSizeInKilobytes
	// says so, up to 100 MB. Without it, 256 KB.
	Premium bool

	MaxEntityBytes int  // quota of one entity; 0: 1 GiB
	CacheBytes     int  // with Dir: contents of messages that stay in memory; 0: 64 MiB
	AcceptJWT      bool // accept tokens of Microsoft Entra without looking at them

	Hosts []string // names, besides localhost, that clients of the administration call the server by; others are web pages

	// Watch hears of each message that a topic takes, and how it leaves a subscription or queue, in order. It must not
	// wait, nor call the server: the broker is locked meanwhile. Nil: nobody does, and it costs nothing.
	Watch func(Passage)

	// Progress hears every second, while Open reads a large Dir, how many messages it has read. Nil: nobody does.
	Progress func(messages int)

	AcceptLoss bool // open a damaged Dir, if it can be opened, with what is left of it; without, Open says what is gone

	FS vfs.FS // of Dir; nil: the operating system's. Tests that crash the broker bring their own

	TLS *tls.Config // nil: with a certificate that is made for this server, see CertificatePEM
}

// Server is a broker.
type Server struct {
	broker *broker.Broker
	keys   sas.Keyring
	amqp   *amqpserver.Server
	admin  *admin.Handler
	door   *door.Door

	certificate func() (tls.Certificate, error)

	stop   chan struct{}
	clock  sync.WaitGroup
	closed sync.Once
}

// Open makes a broker and loads what its store holds. Close it.
func Open(o Options) (*Server, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Config == nil {
		o.Config = &Config{}
	}
	if o.Policies == nil {
		o.Policies = []Policy{DefaultPolicy}
	}
	keys := sas.Keyring{}
	for _, p := range o.Policies {
		if p.Name == "" || p.Key == "" {
			return nil, fmt.Errorf("%w: a policy needs a name and a key", ErrConfig)
		}
		keys[p.Name] = p
	}
	if o.FS == nil {
		o.FS = private.FS()
	}
	tier := topology.Standard
	if o.Premium {
		tier = topology.Premium
	}
	b, err := broker.Open(broker.Options{
		Dir: o.Dir, FS: o.FS, AcceptLoss: o.AcceptLoss, Config: o.Config, Logger: o.Logger,
		Tier: tier, MaxEntityBytes: cmp.Or(o.MaxEntityBytes, 1<<30), CacheBytes: cmp.Or(o.CacheBytes, 64<<20), Watch: o.Watch, Progress: o.Progress,
	})
	if err != nil {
		return nil, err
	}
	amqp := amqpserver.New(node.New(b, keys, o.AcceptJWT, o.Logger), o.Logger)
	s := &Server{
		broker: b, keys: keys, amqp: amqp, admin: admin.New(b, keys, o.AcceptJWT, o.Hosts, amqp.Take, o.Logger),
		stop: make(chan struct{}), certificate: newCertificate(),
	}
	s.door = door.New(s.amqp, s.admin.Serve, s.tlsConfig(o.TLS))
	s.clock.Go(func() { b.KeepTime(s.stop) })
	return s, nil
}

// Serve accepts connections until Close and returns nil then. It may be called for several listeners, and closes them.
// Each of them speaks AMQP and HTTP (AdminHandler), both also over TLS.
func (s *Server) Serve(l net.Listener) error { return s.door.Serve(l) }

// Advance moves the broker's clock forward, for tests: what ends within d - locks, lives, schedules, waits, the windows
// of duplicate detection - has ended when it returns, in order, and durably. The clock is right again after a restart.
func (s *Server) Advance(d time.Duration) error { return s.broker.Advance(d) }

// AdminHandler is the administration REST interface (ATOM), as azservicebus/admin uses it, and GET /health as the
// official emulator has it: entities and rules are created, read, changed, listed and deleted. POST, GET and DELETE
// /relaybox/faults switch faults.
func (s *Server) AdminHandler() http.Handler { return s.admin }

// ServeAdmin serves AdminHandler over plain HTTP, as the official emulator does, until Close and returns nil then. It
// may be called for several listeners, and closes them.
func (s *Server) ServeAdmin(l net.Listener) error { return s.admin.Serve(l) }

// Close ends all connections and closes the store.
func (s *Server) Close() error {
	var err error
	s.closed.Do(func() {
		s.door.Close()
		s.broker.Hurry()
		err = errors.Join(s.admin.Close(), s.amqp.Close())
		s.door.Wait()
		close(s.stop)
		s.clock.Wait()
		err = errors.Join(err, s.broker.Close())
	})
	return err
}

// tlsConfig is how clients are met that want TLS.
func (s *Server) tlsConfig(given *tls.Config) func() (*tls.Config, error) {
	return func() (*tls.Config, error) {
		if given != nil {
			return given, nil
		}
		c, err := s.certificate()
		return &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS12}, err
	}
}

// newCertificate makes the certificate when the first client wants TLS, or its text.
func newCertificate() func() (tls.Certificate, error) {
	return sync.OnceValues(func() (tls.Certificate, error) { return selfsigned.Certificate("relaybox minibus") })
}

// CertificatePEM is the certificate that the server shows without Options.TLS, for clients to trust: as RootCAs, or in
// the file that SSL_CERT_FILE names. It is good for localhost, 127.0.0.1 and ::1, and another one at each start.
func (s *Server) CertificatePEM() ([]byte, error) {
	c, err := s.certificate()
	if err != nil {
		return nil, err
	}
	return selfsigned.PEM(c), nil
}

// ConnectionString is what clients need to reach the broker at host:port with a policy; "" is DefaultPolicy's name.
func (s *Server) ConnectionString(addr string) string {
	p, ok := s.keys[DefaultPolicy.Name]
	if !ok {
		for _, p = range s.keys {
			break
		}
	}
	return p.ConnectionString(addr)
}
