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
// paused it waits as long as the budget allows, but looks once at what is pending: the
// age of the oldest event must rise in an outage. It fails only when the store cannot be
// searched; keys that fail are reported to the Observer and found again.
func (d *Dispatcher) Sweep(ctx context.Context) (Report, error) {
	until := time.Now().Add(d.opts.Budget)
	seen := map[string]struct{}{}
	var total Report
	for {
		r, more, err := d.pass(ctx, until, seen)
		total.add(r)
		if err != nil {
			return total, err
		}
		if d.gate.closed() > 0 {
			if err := d.gate.wait(ctx, until); errors.Is(err, errPaused) {
				return total, nil
			} else if err != nil {
				return total, err
			}
			continue
		}
		if !more && r.Settled+r.Parked == 0 || time.Now().After(until) {
			return total, nil
		}
		if !more {
			clear(seen) // keys may have work again; those that block make no progress
		}
	}
}

// pass drains once what one search finds and no earlier one has. The search waits
// while all drains are busy, so no more than a page of keys is held. more means that it
// was ended before it had shown every key.
func (d *Dispatcher) pass(ctx context.Context, until time.Time, seen map[string]struct{}) (_ Report, more bool, _ error) {
	p := sweepPass{d: d, until: until, began: time.Now(), seen: seen}
	p.group.SetLimit(d.opts.Parallel)
	err := d.queue.Find(ctx, func(heads []Head) error { return p.visit(ctx, heads) })
	_ = p.group.Wait() // the drains have told the Observer
	for _, key := range p.again {
		delete(seen, key)
	}
	if more = errors.Is(err, errEnough); more {
		err = nil
	}
	return p.report, more, err
}

// sweepPass is one pass under way. visit runs in one goroutine; mu guards report.
type sweepPass struct {
	d     *Dispatcher
	until time.Time
	began time.Time
	seen  map[string]struct{} // keys of this sweep, owned by visit while the pass runs
	keys  int                 // new keys of this pass
	group errgroup.Group

	mu     sync.Mutex
	report Report
	again  []string // keys whose drain met the pause
}

func (p *sweepPass) visit(ctx context.Context, heads []Head) error {
	p.age(heads)
	for _, h := range heads {
		if _, ok := p.seen[h.Key]; ok || p.young(h) {
			continue
		}
		if p.keys >= maxKeysPerPass || p.d.gate.closed() > 0 || time.Now().After(p.until) {
			return errEnough
		}
		p.seen[h.Key] = struct{}{}
		p.keys++
		p.group.Go(func() error {
			r, err := p.d.Drain(ctx, h.Key, time.Until(p.until))
			p.mu.Lock()
			defer p.mu.Unlock()
			p.report.add(r)
			if errors.Is(err, errPaused) {
				p.again = append(p.again, h.Key)
			}
			return nil
		})
	}
	return ctx.Err()
}

// age notes how long the events have waited.
func (p *sweepPass) age(heads []Head) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range heads {
		p.report.Oldest = max(p.report.Oldest, p.began.Sub(h.CreatedAt))
	}
}

// young says whether the fast path may still be at work on the event. One from the
// future was written by a clock ahead of ours and is not left alone.
func (p *sweepPass) young(h Head) bool {
	return h.CreatedAt.After(p.began.Add(-p.d.opts.MinAge)) && !h.CreatedAt.After(p.began)
}
