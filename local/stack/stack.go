package stack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/minihost"
	"github.com/relaybox/relaybox/local/natsserver"
	"github.com/relaybox/relaybox/local/netsim"
)

// Stack is a running stack. Fields of parts that do not run are zero.
type Stack struct {
	// CosmosURL and HostURL begin with the scheme; BusAddr and BusAdminAddr are host:port.
	CosmosURL, BusAddr, BusAdminAddr, HostURL string
	// CosmosConnection and BusConnection are the connection strings of the stand-ins.
	CosmosConnection, BusConnection string
	// BusCertificate is the file with which clients trust the bus over TLS; "" without a data folder.
	BusCertificate string
	// CosmosNet and BusNet are the networks in front of the stand-ins: cut them.
	CosmosNet, BusNet *netsim.Listener
	// StreamURL is where the NATS server listens, if that is the broker.
	StreamURL string
	// Cosmos and Bus are the stand-ins themselves, for a look behind their protocol, and NATS is the
	// server in place of Bus.
	Cosmos *minicosmos.Server
	Bus    *minibus.Server
	NATS   *natsserver.Server
	// Settings are the application settings that the host runs with.
	Settings map[string]string

	cfg    Config
	cancel context.CancelFunc
	closer []func() error // in order of creation; Close runs them backwards
	host   atomic.Pointer[minihost.Host]

	work  sync.WaitGroup
	ended chan struct{} // closed when a part has failed
	once  sync.Once
	fault error // written before ended is closed
}

// Start starts the parts of cfg. The caller must Close the result.
func Start(cfg Config) (*Stack, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Notice == nil {
		log := cfg.Logger
		cfg.Notice = func(s string) { log.Warn(s) }
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Stack{cfg: cfg, cancel: cancel, ended: make(chan struct{}), Settings: cfg.settings()}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// loading tells how many messages have been read of a folder; nil, if nobody wants to know.
func (s *Stack) loading(folder string) func(messages int) {
	if s.cfg.Progress == nil {
		return nil
	}
	return func(messages int) {
		s.cfg.Progress(fmt.Sprintf("the bus reads %s: %d messages so far", folder, messages))
	}
}

// Run runs the parts of cfg until ctx ends or one fails. ready is called when all
// answer; it may be nil.
func Run(ctx context.Context, cfg Config, ready func(*Stack)) error {
	s, err := Start(cfg)
	if err != nil {
		return err
	}
	if ready != nil {
		ready(s)
	}
	select {
	case <-ctx.Done():
	case <-s.Done():
	}
	return errors.Join(s.Close(), s.Err())
}

// Done is closed when a part has failed; Err says how. It stays open when the stack is
// closed.
func (s *Stack) Done() <-chan struct{} { return s.ended }

// Err is the fault of the part that failed first, nil while none has.
func (s *Stack) Err() error {
	select {
	case <-s.ended:
		return s.fault
	default:
		return nil
	}
}

// Functions are what the host has found in the app.
func (s *Stack) Functions() []minihost.Function { return s.host.Load().Functions() }

// HandlerPID is the process id of the handler, 0 while none runs.
func (s *Stack) HandlerPID() int {
	if h := s.host.Load(); h != nil {
		return h.HandlerPID()
	}
	return 0
}

// Close ends the stack and frees its data folder. The second call does nothing.
func (s *Stack) Close() error {
	s.cancel()
	var faults []error
	for i := len(s.closer) - 1; i >= 0; i-- {
		faults = append(faults, s.closer[i]())
	}
	s.closer = nil
	s.work.Wait()
	return errors.Join(faults...)
}

func (s *Stack) start(ctx context.Context) error {
	if err := s.lockData(); err != nil {
		return err
	}
	if s.cfg.runs(Cosmos) {
		if err := s.startCosmos(); err != nil {
			return err
		}
	}
	if s.cfg.runs(Bus) {
		if err := s.startBroker(ctx); err != nil {
			return err
		}
	}
	if s.cfg.runs(Host) {
		if err := s.startHost(ctx); err != nil {
			return err
		}
	}
	return s.leave()
}

func (s *Stack) startCosmos() error {
	listener, err := s.listen(Cosmos, s.cfg.CosmosAddr)
	if err != nil {
		return err
	}
	server, err := minicosmos.Open(minicosmos.Options{Dir: s.folder("cosmos"), AcceptLoss: s.cfg.AcceptLoss, Ranges: s.cfg.CosmosRanges, Serverless: s.cfg.CosmosServerless, Hosts: s.cfg.Hosts, Logger: s.cfg.Logger.With("part", "cosmos")})
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	s.Cosmos, s.CosmosNet = server, netsim.Wrap(listener)
	s.closer = append(s.closer, server.Close)
	var config *tls.Config
	s.CosmosURL = "http://" + reach(listener)
	if s.cfg.CosmosTLS {
		if config, err = s.certificate(); err != nil {
			return err
		}
		s.CosmosURL = "https://" + reach(listener)
	}
	s.CosmosConnection = server.ConnectionString(s.CosmosURL)
	s.connect("COSMOS_CONNECTION", s.CosmosConnection)
	s.serve(Cosmos, s.cosmosServer(config))
	return nil
}

// cosmosServer is what serves the store's network: the store itself, or CosmosFront.
func (s *Stack) cosmosServer(config *tls.Config) func() error {
	if s.cfg.CosmosFront != nil {
		front := &http.Server{Handler: s.cfg.CosmosFront(s.Cosmos), ReadHeaderTimeout: 10 * time.Second, TLSConfig: config}
		s.closer = append(s.closer, front.Close)
		return func() error {
			if config != nil {
				return served(front.ServeTLS(s.CosmosNet, "", ""))
			}
			return served(front.Serve(s.CosmosNet))
		}
	}
	if config != nil {
		return func() error { return s.Cosmos.ServeTLS(s.CosmosNet, config) }
	}
	return func() error { return s.Cosmos.Serve(s.CosmosNet) }
}

// served is the end of an http.Server: being closed is no fault.
func served(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (s *Stack) startBroker(ctx context.Context) error {
	if s.cfg.Broker == JetStream {
		return s.startStream(ctx)
	}
	return s.startBus()
}

func (s *Stack) startBus() error {
	if err := s.cfg.checkTopology(s.Settings); err != nil {
		return err
	}
	topology, err := s.cfg.topology(s.Settings)
	if err != nil {
		return err
	}
	listener, err := s.listen(Bus, s.cfg.BusAddr)
	if err != nil {
		return err
	}
	admin, err := s.listenAdmin()
	if err != nil {
		return err
	}
	server, err := minibus.Open(minibus.Options{
		Dir: s.folder("bus"), AcceptLoss: s.cfg.AcceptLoss, Config: topology, Hosts: s.cfg.Hosts, Premium: s.cfg.BusPremium, MaxEntityBytes: s.cfg.BusEntityBytes,
		Policies: append([]minibus.Policy{minibus.DefaultPolicy}, s.cfg.Policies...), Logger: s.cfg.Logger.With("part", "bus"), Watch: s.cfg.BusWatch,
		Progress: s.loading(s.folder("bus")),
	})
	if err != nil {
		return fmt.Errorf("open the bus: %w", err)
	}
	s.Bus, s.BusNet = server, netsim.Wrap(listener)
	s.closer = append(s.closer, server.Close) // before the listeners: closed by their server, they are no fault
	s.BusAddr = reach(listener)
	s.BusConnection = server.ConnectionString(s.BusAddr)
	s.connect("SERVICEBUS_CONNECTION", s.BusConnection)
	if err := s.writeBusCertificate(); err != nil {
		return err
	}
	s.serve(Bus, func() error { return server.Serve(s.BusNet) })
	if admin != nil {
		s.BusAdminAddr = reach(admin)
		s.serve(BusAdmin, func() error { return server.ServeAdmin(admin) })
	}
	return nil
}

// listenAdmin opens the bus's second port, nil when there shall be none.
func (s *Stack) listenAdmin() (net.Listener, error) {
	if s.cfg.BusAdminAddr == "" {
		return nil, nil
	}
	return s.listen(BusAdmin, s.cfg.BusAdminAddr)
}

// listen opens the address of a part; it is closed with the stack.
func (s *Stack) listen(p Part, addr string) (net.Listener, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, &AddressError{Part: p, Addr: addr, Err: err}
	}
	s.warn(p, listener.Addr())
	s.closer = append(s.closer, func() error {
		if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil // its server has closed it
	})
	return listener, nil
}

// serve runs a server until it is closed; any other end is the stack's end.
func (s *Stack) serve(p Part, serve func() error) {
	s.work.Go(func() {
		if err := serve(); err != nil {
			s.fail(fmt.Errorf("%s: %w", p, err))
		}
	})
}

func (s *Stack) fail(err error) {
	s.once.Do(func() {
		s.fault = err
		close(s.ended)
	})
}

// folder is the data folder of a part, "" for memory.
func (s *Stack) folder(part string) string {
	if s.cfg.Data == "" {
		return ""
	}
	return filepath.Join(s.cfg.Data, part)
}
