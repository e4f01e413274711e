package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// pageBytes is the size of envelopes above which a short page is not taken for the
// last one: stores cut pages by bytes too (Cosmos DB at 4 MB).
const pageBytes = 1 << 20

// DispatcherOptions configures a Dispatcher; the zero value works.
type DispatcherOptions struct {
	// Page is how many events of a key are read, sent and settled in one step;
	// default 50, the size of a settling batch that a small container bears.
	Page int
	// Parallel bounds how many keys a sweep drains at once; default 16.
	Parallel int
	// MinAge is the age under which a sweep leaves events to the fast path; default
	// 0: it takes them all.
	MinAge time.Duration
	// Budget is how long a sweep may start new work; default 25 s.
	Budget time.Duration
	// SkipParked lets a key go on past a parked event. By default it waits.
	SkipParked bool
	// Policy decides about failed sends; default ParkAfter(3).
	Policy   Policy
	Observer Observer
}

// Dispatcher moves pending events to the broker. It keeps nothing but the pause of
// its destination; any number of dispatchers may work on the same store.
type Dispatcher struct {
	queue Queue
	pub   Publisher
	opts  DispatcherOptions
	gate  gate
}

// NewDispatcher returns a Dispatcher from q to p.
func NewDispatcher(q Queue, p Publisher, opts DispatcherOptions) *Dispatcher {
	if opts.Page <= 0 {
		opts.Page = 50
	}
	if opts.Parallel <= 0 {
		opts.Parallel = 16
	}
	if opts.Budget <= 0 {
		opts.Budget = 25 * time.Second
	}
	if opts.Policy == nil {
		opts.Policy = ParkAfter(3)
	}
	return &Dispatcher{queue: q, pub: p, opts: opts, gate: gate{notify: opts.Observer}}
}

// Drain sends the key's pending events in order until none is left, the first
// failure, or the budget's end, and reports how many it settled and parked. It
// starts nothing after the budget; what it has started it finishes under ctx.
func (d *Dispatcher) Drain(ctx context.Context, key string, budget time.Duration) (Report, error) {
	w := drain{d: d, key: key, until: time.Now().Add(budget)}
	err := w.run(ctx)
	w.report.Keys = 1
	if err != nil && !errors.Is(err, errPaused) {
		d.opts.Observer.tell(DrainFailed{Key: key, Err: err})
	}
	return w.report, err
}

// Report counts what drains did.
type Report struct {
	// Oldest is the age of the oldest pending event that a sweep's search has shown, before
	// it was drained; 0 when nothing was pending.
	Oldest  time.Duration
	Keys    int // keys looked at
	Settled int // events sent and removed
	Parked  int // events taken out of the flow
	Blocked int // keys that wait behind a parked event
}

func (r *Report) add(o Report) {
	r.Oldest = max(r.Oldest, o.Oldest)
	r.Keys += o.Keys
	r.Settled += o.Settled
	r.Parked += o.Parked
	r.Blocked += o.Blocked
}

// drain is one Drain under way. Owned by one goroutine.
type drain struct {
	d     *Dispatcher
	key   string
	until time.Time
	// reached is the newest Seq this drain has dealt with: a lagging replica may show
	// it again.
	reached int64
	// after is where the next page starts: behind parked events that fill a page of
	// their own, when they are skipped.
	after int64
	// attempts counts the refusals of event refused.
	refused  int64
	attempts int
	report   Report
}

func (w *drain) run(ctx context.Context) error {
	for {
		if err := w.d.gate.wait(ctx, w.until); err != nil {
			return err
		}
		page, err := w.d.queue.Pending(ctx, w.key, w.after, w.d.opts.Page)
		if err != nil {
			return err
		}
		done, err := w.step(ctx, page)
		if err != nil || done {
			return err
		}
		if time.Now().After(w.until) {
			return nil
		}
	}
}

// step sends and settles what the page allows. done means that there is nothing
// more to do for this key now.
func (w *drain) step(ctx context.Context, page []Event) (done bool, err error) {
	ready, blocked := w.sendable(page)
	if len(ready) == 0 {
		if blocked != 0 {
			w.report.Blocked = 1
			w.d.opts.Observer.tell(Blocked{Key: w.key, Seq: blocked})
		}
		return !w.skip(page), nil
	}
	w.after = 0
	sent, failure := w.send(ctx, ready)
	if sent > 0 {
		// The broker has them: settle even if the budget or the caller is gone, or they go out again.
		if err := w.settle(context.WithoutCancel(ctx), ready[:sent]); err != nil {
			return true, err
		}
	}
	if failure != nil {
		return w.failed(ctx, ready[sent], failure)
	}
	return blocked == 0 && !w.full(page), nil
}

// sendable returns the events that may go out now: not seen before, and up to the
// first parked one, whose Seq it returns, unless parked ones are skipped.
func (w *drain) sendable(page []Event) (ready []Event, blocked int64) {
	for _, e := range page {
		switch {
		case e.Parked() && !w.d.opts.SkipParked:
			return ready, e.Seq
		case e.Parked() || e.Seq <= w.reached:
		default:
			ready = append(ready, e)
		}
	}
	return ready, 0
}

// skip moves on to the page behind a full one of parked events.
func (w *drain) skip(page []Event) bool {
	if !w.d.opts.SkipParked || !w.full(page) {
		return false
	}
	w.after = page[len(page)-1].Seq
	return true
}

func (w *drain) full(page []Event) bool {
	size := 0
	for _, e := range page {
		size += len(e.Envelope)
	}
	return len(page) >= w.d.opts.Page || size > pageBytes
}

// send returns the length of the acknowledged prefix and the error of the event
// behind it.
func (w *drain) send(ctx context.Context, events []Event) (int, error) {
	results := w.d.pub.Publish(ctx, events)
	for i, err := range results {
		if err != nil {
			return i, err
		}
		w.d.gate.open()
		w.d.opts.Observer.tell(Published{events[i]})
	}
	return len(events), nil
}

// settleTime bounds a settle that has outlived its caller.
const settleTime = 10 * time.Second

func (w *drain) settle(ctx context.Context, events []Event) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := w.d.queue.Settle(ctx, w.key, events); err != nil {
		return err
	}
	w.reached = events[len(events)-1].Seq
	w.report.Settled += len(events)
	w.d.opts.Observer.tell(Settled{Key: w.key, Count: len(events)})
	return nil
}

// failed follows the policy for event e.
func (w *drain) failed(ctx context.Context, e Event, failure error) (done bool, err error) {
	if err := ctx.Err(); err != nil {
		// Our own deadline says nothing about the broker.
		return true, errors.Join(failure, err)
	}
	attempt := w.count(e, failure)
	v := w.d.opts.Policy(e, failure, attempt)
	w.d.opts.Observer.tell(Refused{Event: e, Err: failure, Attempt: attempt, Verdict: v})
	switch v.Action {
	case Park:
		return w.park(ctx, e, Fault{Reason: failure.Error(), At: time.Now().UTC(), Attempts: attempt})
	case Retry:
		if time.Now().Add(v.After).After(w.until) {
			return true, errPaused
		}
		return false, pace.Sleep(ctx, v.After)
	default:
		w.d.gate.shut(v.After, failure)
		return false, nil // the gate lets the drain go on, or ends it
	}
}

// count returns how often e was refused for what it is; 0 if this failure is not
// about the message.
func (w *drain) count(e Event, failure error) int {
	if !ClassOf(failure).Permanent() {
		return 0
	}
	if w.refused != e.Seq {
		w.refused, w.attempts = e.Seq, 0
	}
	w.attempts++
	return w.attempts
}

// park takes e out of the flow. Its followers go on only if the options say so: the
// drain ends here, because a lagging replica could show e as pending, or not at all.
func (w *drain) park(ctx context.Context, e Event, f Fault) (done bool, err error) {
	if err := w.d.queue.Park(ctx, e, f); err != nil {
		return true, err
	}
	w.reached = e.Seq
	w.report.Parked++
	w.d.opts.Observer.tell(Parked{Event: e, Fault: f})
	return !w.d.opts.SkipParked, nil
}
