package outbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// maxKeysPerPass bounds what one pass remembers. A longer backlog takes more passes.
const maxKeysPerPass = 10_000

// errEnough ends a Find that has shown a whole pass of keys.
var errEnough = errors.New("a pass is full")

// Sweep drains every key that has pending events, until a pass makes no progress or
// the budget ends; what is left is found by the next sweep. While the destination is
// paused it waits as long as the budget allows. It fails only when the store cannot
// be searched; keys that fail are reported to the Observer and found again.
func (d *Dispatcher) Sweep(ctx context.Context) (Report, error) {
	until := time.Now().Add(d.opts.Budget)
	var total Report
	for {
		if err := d.gate.wait(ctx, until); err != nil {
			if errors.Is(err, errPaused) {
				return total, nil
			}
			return total, err
		}
		r, err := d.pass(ctx, until)
		total.add(r)
		if err != nil {
			return total, err
		}
		if d.gate.closed() > 0 {
			continue
		}
		if r.Settled+r.Parked == 0 || time.Now().After(until) {
			return total, nil
		}
	}
}

// pass drains once what one search finds. The search waits while all drains are
// busy, so no more than a page of keys is held.
func (d *Dispatcher) pass(ctx context.Context, until time.Time) (Report, error) {
	p := sweepPass{d: d, until: until, young: time.Now().Add(-d.opts.MinAge), seen: map[string]struct{}{}}
	p.group.SetLimit(d.opts.Parallel)
	err := d.queue.Find(ctx, func(heads []Head) error { return p.visit(ctx, heads) })
	_ = p.group.Wait() // the drains have told the Observer
	if errors.Is(err, errEnough) {
		err = nil
	}
	return p.report, err
}

// sweepPass is one pass under way. visit runs in one goroutine; mu guards report.
type sweepPass struct {
	d     *Dispatcher
	until time.Time
	young time.Time
	seen  map[string]struct{}
	group errgroup.Group

	mu     sync.Mutex
	report Report
}

func (p *sweepPass) visit(ctx context.Context, heads []Head) error {
	for _, h := range heads {
		if _, ok := p.seen[h.Key]; ok || h.CreatedAt.After(p.young) {
			continue
		}
		if len(p.seen) >= maxKeysPerPass || p.d.gate.closed() > 0 || time.Now().After(p.until) {
			return errEnough
		}
		p.seen[h.Key] = struct{}{}
		p.group.Go(func() error {
			r, _ := p.d.Drain(ctx, h.Key, time.Until(p.until))
			p.mu.Lock()
			defer p.mu.Unlock()
			p.report.add(r)
			return nil
		})
	}
	return ctx.Err()
}
