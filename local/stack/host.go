package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/relaybox/relaybox/local/minihost"
)

// Pauses of the platform before it starts the host again.
const (
	firstPause = time.Second
	longPause  = 30 * time.Second
	// steady is how long a host must have run to be started again at once.
	steady = time.Minute
)

func (s *Stack) startHost(ctx context.Context) error {
	host, err := s.loadHost()
	if err != nil {
		return err
	}
	addr := s.cfg.HostAddr
	listener, err := s.listen(Host, addr)
	if err != nil {
		return err
	}
	addr = listener.Addr().String() // a restart must find the same port
	s.HostURL = "http://" + addr
	// Not a closer: the host must have ended before the bus and the store do.
	stopped := make(chan struct{})
	s.closer = append(s.closer, func() error { <-stopped; return nil })
	s.work.Go(func() {
		defer close(stopped)
		if err := s.platform(ctx, host, listener, addr); err != nil {
			s.fail(fmt.Errorf("%s: %w", Host, err))
		}
	})
	return nil
}

func (s *Stack) loadHost() (*minihost.Host, error) {
	host, err := minihost.Load(minihost.Options{
		App: s.cfg.App, Settings: s.Settings, DataDir: s.folder("host"), Hosts: s.cfg.Hosts,
		Logger: s.cfg.Logger.With("part", "host"), HandlerOutput: s.cfg.HandlerOutput,
	})
	if err == nil {
		s.host.Store(host)
	}
	return host, err
}

// platform runs the host and starts it again when it has given its handler up.
func (s *Stack) platform(ctx context.Context, host *minihost.Host, listener net.Listener, addr string) error {
	pause, answered := firstPause, false
	for {
		began := time.Now()
		err := host.Run(ctx, listener)
		answered = answered || !errors.Is(err, minihost.ErrHandlerNeverReady)
		switch {
		case ctx.Err() != nil:
			return nil
		case !mends(err), !answered: // what has not worked once is not helped by patience
			return err
		}
		if time.Since(began) > steady {
			pause = firstPause
		}
		s.cfg.Notice(fmt.Sprintf("%v; playing the platform: starting the host again in %v", err, pause))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
		pause = min(2*pause, longPause)
		if host, err = s.loadHost(); err != nil {
			return err
		}
		if listener, err = relisten(ctx, addr); err != nil {
			return &AddressError{Part: Host, Addr: addr, Err: err}
		}
		s.cfg.Notice("the host runs again")
	}
}

// mends says whether the platform would start the host again.
func mends(err error) bool {
	return errors.Is(err, minihost.ErrHandlerCrashed) || errors.Is(err, minihost.ErrHandlerNotReady)
}

// relisten takes the host's address again, which the old listener may free a moment late.
func relisten(ctx context.Context, addr string) (net.Listener, error) {
	var listener net.Listener
	var err error
	for range 20 {
		if listener, err = net.Listen("tcp", addr); err == nil {
			return listener, nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, err
}
