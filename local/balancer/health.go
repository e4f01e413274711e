package balancer

import (
	"context"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Run asks every instance for its health until ctx ends.
func (p *Proxy) Run(ctx context.Context) {
	defer p.transport.CloseIdleConnections()
	ticker := time.NewTicker(p.opts.Every)
	defer ticker.Stop()
	for {
		p.look(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// look asks all at once, so that one that hangs keeps nobody waiting but itself.
func (p *Proxy) look(ctx context.Context) {
	p.mu.Lock()
	all := slices.Clone(p.instances)
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, p.opts.Patience)
	defer cancel()
	var asking sync.WaitGroup
	for _, i := range all {
		asking.Go(func() {
			well := p.well(ctx, i)
			p.mu.Lock()
			defer p.mu.Unlock()
			i.up = well && !i.removed
		})
	}
	asking.Wait()
}

func (p *Proxy) well(ctx context.Context, i *instance) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.url.JoinPath(p.opts.Health).String(), nil)
	if err != nil {
		return false
	}
	resp, err := p.transport.RoundTrip(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<16)) // the connection can be used again
	return err == nil && resp.StatusCode/100 == 2
}
