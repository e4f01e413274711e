package outbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/relaybox/relaybox/internal/pace"
)

// maxKeysPerPass bounds what one pass remembers. A longer backlog takes more passes.
const maxKeysPerPass = 10_000

// maxVain is how many keys try alone, one after another, and tell nothing, before the others
// don't wait for that any more.
const maxVain = 3

// errEnough ends a Find that has shown a whole pass of keys.
var errEnough = errors.New("a pass is full")

// suspectPatience is how long a sweep that has nothing else to do waits for a key whose
// event was refused. Who waits longer is found by the next sweep.
const suspectPatience = 5 * time.Second

// Sweep drains every key that has pending events, or a parked one that is due, until a
// pass makes no progress or the budget ends; what is left is found by the next sweep.
// While the destination is paused it waits as long as the budget allows, but looks once at
// what is pending and parked: the age of the oldest event must rise in an outage. It fails
// only when the store cannot be searched; keys that fail are reported to the Observer and
// found again.
func (d *Dispatcher) Sweep(ctx context.Context) (Report, error) {
	s := d.newSweep(d.opts.Budget)
	parked := s.parked(ctx)
	err := s.run(ctx)
	if err = errors.Join(err, parked); err == nil {
		d.opts.Observer.tell(Swept{s.total})
	}
	return s.total, err
}

// sweepKeys drains the keys once, as a sweep does.
func (d *Dispatcher) sweepKeys(ctx context.Context, keys []string, budget time.Duration) {
	p := d.newSweep(budget).begin()
	defer p.end()
	for _, key := range keys {
		if p.visit(ctx, []Head{{Key: key}}) != nil {
			return
		}
	}
}

func (d *Dispatcher) newSweep(budget time.Duration) *sweep {
	until := time.Now().Add(budget)
	return &sweep{d: d, until: until, crowd: newCrowd(d, until), seen: map[string]struct{}{}}
}

// sweep is one Sweep under way. Owned by one goroutine.
type sweep struct {
	d     *Dispatcher
	until time.Time
	crowd *crowd
	seen  map[string]struct{} // keys that passes have drained, and are not drained again for now
	due   []Head              // parked events to try again
	// blocked are keys that wait behind a parked event, or are paused: one drain of a sweep finds that out.
	blocked []string
	total   Report
}

// parked counts the parked events and notes those that are due.
func (s *sweep) parked(ctx context.Context) error {
	now := time.Now()
	return s.d.queue.Parked(ctx, func(heads []Head) error {
		s.total.Standing += len(heads)
		for _, h := range heads {
			if !h.Due.IsZero() && !h.Due.After(now) && len(s.due) < maxKeysPerPass {
				s.due = append(s.due, h)
			}
		}
		return ctx.Err()
	})
}

func (s *sweep) run(ctx context.Context) error {
	for {
		p, err := s.pass(ctx)
		if err == nil {
			err = ctx.Err() // which its drains do not tell of
		}
		if err != nil {
			return err
		}
		s.total.add(p.report)
		wait := s.d.gate.closed()
		if wait == 0 && !p.progress() {
			wait = p.deferred(suspectPatience)
		}
		switch {
		case wait > 0:
			if time.Now().Add(wait).After(s.until) {
				return nil
			}
			if err := pace.Sleep(ctx, wait); err != nil {
				return err
			}
		case !p.progress() || time.Now().After(s.until):
			return nil
		case !p.more: // keys may have work again, but those that block
			clear(s.seen)
			for _, key := range s.blocked {
				s.seen[key] = struct{}{}
			}
		}
	}
}

// pass drains once the parked events that are due, and what one search finds and no
// earlier one has. The search waits while all drains are busy, so no more than a page of
// keys is held.
func (s *sweep) pass(ctx context.Context) (*sweepPass, error) {
	p := s.begin()
	full, err := p.search(ctx)
	s.blocked = append(s.blocked, p.stuck...)
	for _, key := range p.again {
		delete(s.seen, key)
	}
	if errors.Is(err, errEnough) {
		full, err = true, nil
	}
	p.more = full
	return p, err
}

// search drains what it finds, and returns when the drains have ended. full: it has not come
// to the end of what was due.
func (p *sweepPass) search(ctx context.Context) (full bool, err error) {
	defer p.end()
	err = p.visit(ctx, p.due)
	full = errors.Is(err, errEnough)
	if err == nil {
		p.due = nil
	}
	if err == nil || full { // how old the oldest is has to be seen all the same
		err = p.d.queue.Find(ctx, func(heads []Head) error { return p.pending(ctx, heads) })
	}
	return full, err
}

// sweepPass is one pass under way. visit runs in one goroutine, which owns what mu
// doesn't guard.
type sweepPass struct {
	*sweep
	began time.Time
	keys  int // new keys of this pass
	vain  int // tries that told nothing: their keys have nothing to send, or wait by themselves
	group errgroup.Group
	// more: it was ended before it had shown every key.
	more bool

	mu     sync.Mutex
	report Report   // guarded by mu
	again  []string // keys whose drain met a pause, or waits by itself; guarded by mu
	stuck  []string // keys that wait behind a parked event, or are paused; guarded by mu
	paused bool     // some met a pause, which may be over; guarded by mu
}

// begin starts a pass; it has ended when end returns.
func (s *sweep) begin() *sweepPass {
	s.d.passes.Add(1)
	p := &sweepPass{sweep: s, began: time.Now()}
	p.group.SetLimit(s.d.opts.Wide)
	p.crowd.enter() // the search, which may bring more
	return p
}

func (p *sweepPass) end() {
	p.crowd.leave("")
	_ = p.group.Wait() // the drains have told the Observer
	p.d.passes.Add(-1)
}

// progress says whether another pass may find more to do. Once the drains have ended.
func (p *sweepPass) progress() bool {
	return p.more || p.paused || p.report.Settled+p.report.Parked > 0
}

// deferred is how long the first of the keys waits that wait by themselves, 0 when none
// does within patience. Once the drains have ended.
func (p *sweepPass) deferred(patience time.Duration) (first time.Duration) {
	for _, key := range p.again {
		if wait := p.d.refusals.wait(key); wait > 0 && wait <= patience && (first == 0 || wait < first) {
			first = wait
		}
	}
	return first
}

func (p *sweepPass) pending(ctx context.Context, heads []Head) error {
	p.age(heads)
	return p.visit(ctx, slices.DeleteFunc(heads, func(h Head) bool { return h.young(p.began, p.d.opts.MinAge) }))
}

func (p *sweepPass) visit(ctx context.Context, heads []Head) error {
	for _, h := range heads {
		if _, ok := p.seen[h.Key]; ok {
			continue
		}
		if p.keys >= maxKeysPerPass || p.d.gate.barred() || time.Now().After(p.until) {
			return errEnough
		}
		if !p.d.taken.add(h.Key) {
			p.comeAgain(h.Key)
			continue
		}
		p.seen[h.Key] = struct{}{}
		p.keys++
		if p.vain < maxVain && p.d.gate.doubted() {
			p.try(ctx, h.Key)
			continue
		}
		p.start(ctx, h.Key)
	}
	return ctx.Err()
}

// start drains the key beside others. It returns when there is room for it.
func (p *sweepPass) start(ctx context.Context, key string) {
	work := func() error {
		p.drain(ctx, key, time.Until(p.until))
		return nil
	}
	p.crowd.enter()
	if p.group.TryGo(work) {
		return
	}
	p.crowd.leave("") // neither this drain nor the search brings anything
	p.crowd.leave("") // until another drain has ended
	p.group.Go(func() error {
		p.crowd.enter()
		return work()
	})
	p.crowd.enter()
}

// try sends a page of the key, to learn whether the destination takes anything: after a
// failure one key does, before all come again.
func (p *sweepPass) try(ctx context.Context, key string) {
	p.crowd.leave("") // the search brings nothing until that is known
	defer p.crowd.enter()
	p.crowd.enter()
	if r := p.drain(ctx, key, 0); r.Settled > 0 {
		p.comeAgain(key) // it may have more
	} else if p.d.gate.closed() == 0 && r.Held == 0 {
		p.vain++
	}
}

// comeAgain has the next pass look at the key once more.
func (p *sweepPass) comeAgain(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.again = append(p.again, key)
}

// drain drains a key that has entered the crowd and was added to those that are taken.
func (p *sweepPass) drain(ctx context.Context, key string, budget time.Duration) Report {
	r, err := p.d.drain(ctx, drain{key: key, queue: p.crowd, pub: p.crowd, hasty: true}, budget)
	p.crowd.leave(key)
	p.d.taken.remove(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report.add(r)
	if r.Blocked+r.Held > 0 {
		p.stuck = append(p.stuck, key)
	}
	p.paused = p.paused || errors.Is(err, errPaused)
	if comesAgain(err) && r.Held == 0 {
		p.again = append(p.again, key)
	}
	return r
}

// age notes how long the events have waited.
func (p *sweepPass) age(heads []Head) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range heads {
		p.report.Oldest = max(p.report.Oldest, p.began.Sub(h.CreatedAt))
	}
}

// young says whether at now the writer's own fast path may still be at work on the event.
// One from the future was written by a clock ahead of ours and is not left alone.
func (h Head) young(now time.Time, age time.Duration) bool {
	return h.CreatedAt.After(now.Add(-age)) && !h.CreatedAt.After(now)
}
