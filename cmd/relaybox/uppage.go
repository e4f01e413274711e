package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/relaybox/relaybox/cmd/relaybox/page"
	"github.com/relaybox/relaybox/local/hostname"
	"github.com/relaybox/relaybox/local/stack"
)

// usualPage is the address of the page that nobody has moved.
const usualPage = "127.0.0.1:7075"

// checkPage refuses an address that the page cannot or may not have: it changes things, and asks
// for no password.
func (f *upFlags) checkPage() error {
	if f.noPage() {
		return nil
	}
	host, text, err := net.SplitHostPort(f.page)
	_, bad := strconv.ParseUint(text, 10, 16)
	switch {
	case err != nil || bad != nil:
		return fmt.Errorf("--page-addr %q is no address: write HOST:PORT, such as %s, with a port from 0, for a free one, to 65535, or off", f.page, usualPage)
	case !hostname.Loopback(host):
		return fmt.Errorf("--page-addr %q: the page is for this machine only; write %s, or another port of it", f.page, usualPage)
	}
	return nil
}

func (f *upFlags) noPage() bool { return f.page == "" || f.page == "off" }

// livePage is the page of a stack; nil: there is none.
type livePage struct {
	listener net.Listener
	heard    *follower
	stop     context.CancelFunc
	work     sync.WaitGroup
}

// openPage takes the page's address, before anything runs. The usual one is not insisted on: a
// second up, on other ports, has a page, too.
func (f *upFlags) openPage(cfg *stack.Config) (*livePage, error) {
	if f.noPage() || cfg.Broker == stack.JetStream || !f.runs(stack.Cosmos) || !f.runs(stack.Bus) {
		return nil, nil
	}
	l, err := net.Listen("tcp", f.page)
	if err == nil && f.page == usualPage && slices.Contains([]string{cfg.HostAddr, cfg.CosmosAddr, cfg.BusAddr, cfg.BusAdminAddr}, usualPage) {
		_ = l.Close() // it was asked for by name, by somebody else
		err = syscall.EADDRINUSE
	}
	if f.page == usualPage && errors.Is(err, syscall.EADDRINUSE) {
		cfg.Notice(usualPage + " is taken: the page has a free port")
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("the page cannot listen on %s: %w; %s another with --page-addr 127.0.0.1:PORT, or do without it with --page-addr off", f.page, err, cureOf(err))
	}
	p := &livePage{listener: l, heard: newFollower(page.NewTrail(time.Now()), cfg.Planned()), stop: func() {}}
	cfg.BusWatch, cfg.Page = p.heard.hear, p.url()
	return p, nil
}

// around runs the stack until ctx ends or a part fails, and the page with it: that begins after the
// stack, and ends before it.
func (p *livePage) around(ctx context.Context, cfg stack.Config, stdout, stderr io.Writer) error {
	defer p.close()
	s, err := stack.Start(cfg)
	if err != nil {
		return err
	}
	p.serve(ctx, s, cfg, stderr)
	welcome(stdout, s, cfg, p.url())
	select {
	case <-ctx.Done():
	case <-s.Done():
	}
	p.close()
	return errors.Join(s.Close(), s.Err())
}

// serve serves the page of a stack that runs, until close. What fails here is told: the stack is
// of use without a page.
func (p *livePage) serve(ctx context.Context, s *stack.Stack, cfg stack.Config, stderr io.Writer) {
	if p == nil {
		return
	}
	source, err := newPageSource(s, cfg.Data, p.heard, stderr)
	if err != nil {
		cfg.Notice(fmt.Sprintf("there is no page: %v", err))
		_ = p.listener.Close() // nobody has come yet
		p.listener = nil
		return
	}
	ctx, p.stop = context.WithCancel(ctx)
	p.work.Go(func() {
		defer source.desk.Close()
		if err := page.Serve(ctx, p.listener, source); err != nil {
			cfg.Notice(fmt.Sprintf("the page has ended: %v", err))
		}
	})
}

// url is where the page is, "" if there is none.
func (p *livePage) url() string {
	if p == nil || p.listener == nil {
		return ""
	}
	return "http://" + p.listener.Addr().String() + "/"
}

// close ends the page. The second call does nothing.
func (p *livePage) close() {
	if p == nil {
		return
	}
	p.stop()
	p.work.Wait()
	p.heard.close()
	if p.listener != nil {
		_ = p.listener.Close() // of a stack that never ran; else it is closed
	}
}
