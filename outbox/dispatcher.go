package outbox

import (
	"context"
	"errors"
	"sync/atomic"
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
	// Parallel bounds how many keys a sweep reads at once, and how many it settles; default 16.
	Parallel int
	// Wide is how many keys a sweep drains at once; default 32 for each of Parallel. Those that
	// have read their events wait up to a tenth of a second for each other's, and fill the sends together.
	Wide int
	// MinAge is the age under which a sweep leaves events to the fast path; default
	// 0: it takes them all.
	MinAge time.Duration
	// Budget is how long a sweep may start new work; default 25 s.
	Budget time.Duration
	// SkipParked lets a key go on past a parked event, which is then never sent. By
	// default the key waits, and the event is tried again, slowly.
	SkipParked bool
	// Halts returns what operators have paused, a Desk's method. It is asked every three seconds while
	// there is something to send. Nil: nothing is.
	Halts func(context.Context) (Halts, error)
	// Policy decides about failed sends; default ParkAfter(3).
	Policy Policy
	// Jitter draws from [0, d), from many goroutines at once; default by chance. With a
	// seed, a run can be repeated.
	Jitter   func(d time.Duration) time.Duration
	Observer Observer
}

// Dispatcher moves pending events to the broker. It keeps nothing but the pause of its
// destination, what was refused, and how far it has come with which key; any number of
// dispatchers may work on the same store.
type Dispatcher struct {
	queue    Queue
	pub      Publisher
	opts     DispatcherOptions
	gate     gate
	refusals refusals
	settled  *settled
	halts    halts
	passes   atomic.Int32 // of sweeps, under way
	taken    keySet       // by passes, and orphans by the fast path
}

// NewDispatcher returns a Dispatcher from q to p.
func NewDispatcher(q Queue, p Publisher, opts DispatcherOptions) *Dispatcher {
	if opts.Page <= 0 {
		opts.Page = 50
	}
	if opts.Parallel <= 0 {
		opts.Parallel = 16
	}
	if opts.Wide <= 0 {
		opts.Wide = crowdFactor * opts.Parallel
	}
	if opts.Budget <= 0 {
		opts.Budget = 25 * time.Second
	}
	if opts.Policy == nil {
		opts.Policy = ParkAfter(3)
	}
	if opts.Jitter == nil {
		opts.Jitter = pace.Jitter
	}
	return &Dispatcher{
		queue: q, pub: p, opts: opts,
		gate: gate{notify: opts.Observer, jitter: opts.Jitter}, refusals: refusals{jitter: opts.Jitter}, settled: newSettled(), halts: halts{read: opts.Halts},
	}
}

// Drain sends the key's events in order, pending ones and parked ones that are due, until
// none is left, the first failure, or the budget's end, and reports how many it settled
// and parked. It starts nothing after the budget; what it has started it finishes under ctx.
func (d *Dispatcher) Drain(ctx context.Context, key string, budget time.Duration) (Report, error) {
	return d.drain(ctx, drain{key: key, queue: d.queue, pub: d.pub}, budget)
}

// drainFresh is Drain that needs no query for events which this process has just committed,
// where nothing can stand before them.
func (d *Dispatcher) drainFresh(ctx context.Context, key string, budget time.Duration, fresh []Event) {
	_, _ = d.drain(ctx, drain{key: key, queue: d.queue, pub: d.pub, fresh: fresh}, budget)
}

func (d *Dispatcher) drain(ctx context.Context, w drain, budget time.Duration) (Report, error) {
	w.d, w.until = d, time.Now().Add(budget)
	err := w.run(ctx)
	cut := w.hasty && ctx.Err() != nil // a sweep says so once, not each of its drains
	if err != nil && !comesAgain(err) && !cut {
		d.opts.Observer.tell(DrainFailed{Key: w.key, Err: err})
	}
	return w.report, err
}

// comesAgain says whether err is about the moment only: the key has work, and is drained again.
func comesAgain(err error) bool {
	return errors.Is(err, errPaused) || errors.Is(err, errDeferred) || errors.Is(err, errLate) || errors.Is(err, errChanged) || errors.Is(err, errHalted)
}

// Report counts what drains did.
type Report struct {
	// Oldest is the age of the oldest pending event that a sweep's search has shown, before
	// it was drained; 0 when nothing was pending.
	Oldest  time.Duration
	Keys    int // drains that looked at their key
	Settled int // events sent and removed
	Parked  int // events taken out of the flow
	Blocked int // keys that wait behind a parked event
	Held    int // drains that found their key paused by an operator
	// Standing is how many events a sweep has found parked, skipped ones included, before
	// it tried those that were due.
	Standing int
}

func (r *Report) add(o Report) {
	r.Oldest = max(r.Oldest, o.Oldest)
	r.Keys += o.Keys
	r.Settled += o.Settled
	r.Parked += o.Parked
	r.Blocked += o.Blocked
	r.Held += o.Held
	r.Standing += o.Standing
}

// drain is one Drain under way. Owned by one goroutine.
type drain struct {
	d     *Dispatcher
	key   string
	queue Queue
	pub   Publisher
	until time.Time
	// hasty: it ends at a pause, and is begun anew after it.
	hasty bool
	// reached is the newest Seq this drain has dealt with: a lagging replica may show
	// it again.
	reached int64
	// after is where the next page starts: behind skipped events that fill a page of
	// their own.
	after int64
	// fresh are events of this process's own commits that were not looked at yet. asked says
	// that the page under way is the store's.
	fresh []Event
	asked bool
	// suspected: the key's event was refused.
	suspected bool
	// proof says that something else got through between the refusal of the key's event
	// and the send under way.
	proof  bool
	report Report
}

func (w *drain) run(ctx context.Context) error {
	for {
		wait, clean := w.d.refusals.of(w.key)
		if wait > 0 {
			return errDeferred
		}
		w.suspected = !clean
		if halted, err := w.d.halts.of(ctx, w.key); err != nil {
			return err
		} else if halted {
			w.report.Held = 1
			return errHalted
		}
		patience := w.until
		if w.hasty {
			patience = time.Now()
		}
		if err := w.d.gate.wait(ctx, clean, patience); err != nil {
			return err
		}
		w.report.Keys = 1
		page, err := w.page(ctx)
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

// page is what the drain looks at next: fresh events, or what the store shows.
func (w *drain) page(ctx context.Context) ([]Event, error) {
	if w.known() {
		page := w.fresh[:min(len(w.fresh), w.d.opts.Page)]
		w.fresh = w.fresh[len(page):]
		return page, nil
	}
	w.fresh, w.asked = nil, true
	return w.queue.Pending(ctx, w.key, w.after, w.d.opts.Page)
}

// known says whether fresh is all there is of the key: a run of events whose predecessor this
// process itself has settled. Those that a drain has settled meanwhile are left out. Of old ones
// the store has to be asked.
func (w *drain) known() bool {
	if len(w.fresh) == 0 || !w.young(w.fresh[0]) {
		return false
	}
	life := w.fresh[0].Incarnation
	last := w.d.settled.of(w.key, life)
	for i, e := range w.fresh {
		if e.Incarnation != life || e.Seq != w.fresh[0].Seq+int64(i) {
			return false
		}
	}
	for len(w.fresh) > 0 && w.fresh[0].Seq <= last {
		w.fresh = w.fresh[1:]
	}
	return len(w.fresh) == 0 || w.fresh[0].Seq == last+1
}

// freshTime is how long an event goes out from memory. Others may be at work on it as soon as it is
// an orphan's age old, but to ask about each would slow down a process that is late already, and
// what they have sent is sent again once, which the broker drops. Only if they may have skipped it
// they have to be asked.
const freshTime = 5 * time.Second

// young says whether e may go out from memory.
func (w *drain) young(e Event) bool {
	if w.d.opts.SkipParked {
		return time.Since(e.CreatedAt) < orphanAge
	}
	return time.Since(e.CreatedAt) < freshTime
}

// step sends and settles what the page allows. done means that there is nothing
// more to do for this key now.
func (w *drain) step(ctx context.Context, page []Event) (done bool, err error) {
	ready, blocked, err := w.sendable(ctx, page)
	if err != nil {
		return true, err
	}
	if len(ready) == 0 && blocked == 0 && w.skip(page) {
		return false, nil
	}
	w.d.refusals.only(w.key, ready)
	if len(ready) == 0 {
		if blocked != 0 {
			w.report.Blocked = 1
			w.d.opts.Observer.tell(Blocked{Key: w.key, Seq: blocked})
		}
		return true, nil
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
	return blocked == 0 && len(w.fresh) == 0 && !(w.asked && w.full(page)), nil
}

// sendable returns the events that may go out now: not seen before, not skipped, and up
// to the first parked one that is not due, whose Seq it returns.
func (w *drain) sendable(ctx context.Context, page []Event) (ready []Event, blocked int64, err error) {
	for _, e := range page {
		switch {
		case e.Seq <= w.reached || e.Parked() && e.Fault.Skipped:
		case e.Parked() && w.d.opts.SkipParked:
			// Noted before its followers go out: nobody may send it after them.
			if err := w.pass(ctx, e); err != nil {
				return nil, 0, err
			}
		case e.Parked() && e.Fault.Due().After(time.Now()):
			return ready, e.Seq, nil
		default:
			ready = append(ready, e)
		}
	}
	return ready, 0, nil
}

// pass marks an event as skipped that was parked while its key still waited for it.
func (w *drain) pass(ctx context.Context, e Event) error {
	f := *e.Fault
	f.Skipped, f.Next = true, time.Time{}
	return w.mark(ctx, e, f)
}

// mark parks e, or renews its fault. What somebody else has done to it meanwhile ends the drain:
// an operator may have put it back, before its followers.
func (w *drain) mark(ctx context.Context, e Event, f Fault) error {
	err := w.queue.Park(ctx, e, f)
	if errors.Is(err, ErrConflict) {
		return errChanged
	}
	return err
}

// skip moves on to the page behind a full one of skipped events.
func (w *drain) skip(page []Event) bool {
	if !w.full(page) {
		return false
	}
	w.after = page[len(page)-1].Seq
	return true
}

func (w *drain) full(page []Event) bool {
	return len(page) >= w.d.opts.Page || sizeOf(page) > pageBytes
}

// send returns the length of the acknowledged prefix and the error of the event
// behind it.
func (w *drain) send(ctx context.Context, events []Event) (int, error) {
	pub := w.pub
	if c, ok := pub.(*crowd); ok && w.suspected {
		pub = c.apart()
	}
	var send uint64
	send, w.proof = w.d.refusals.begin(w.key)
	for i, err := range publish(ctx, pub, events) {
		if err != nil {
			return i, err
		}
		if i == 0 {
			w.through(send)
		}
		w.d.opts.Observer.tell(Published{events[i]})
	}
	return len(events), nil
}

// through notes that the destination takes events.
func (w *drain) through(send uint64) {
	w.d.refusals.through(w.key, send)
	if w.d.gate.open() {
		w.d.refusals.release()
	}
}

// settleTime bounds a settle that has outlived its caller.
const settleTime = 10 * time.Second

func (w *drain) settle(ctx context.Context, events []Event) error {
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	if err := w.queue.Settle(ctx, w.key, events); err != nil {
		return err
	}
	w.reached = events[len(events)-1].Seq
	w.d.settled.note(events[len(events)-1])
	w.report.Settled += len(events)
	w.d.opts.Observer.tell(Settled{Key: w.key, Count: len(events), Fresh: !w.asked})
	return nil
}

// failed follows the policy for event e.
func (w *drain) failed(ctx context.Context, e Event, failure error) (done bool, err error) {
	if err := ctx.Err(); err != nil {
		// Our own deadline says nothing about the broker.
		return true, errors.Join(failure, err)
	}
	permanent := ClassOf(failure).Permanent()
	if permanent && e.Parked() {
		return true, w.refusedAgain(ctx, e, failure)
	}
	attempt := 0
	if permanent {
		attempt = w.d.refusals.refused(e, ConditionOf(failure), w.proof)
	}
	v := w.d.opts.Policy(e, failure, attempt)
	if v.Action == Park && attempt < proofs {
		v = Verdict{Action: Retry} // whatever the policy says: nothing proves that the message is to blame
	}
	w.d.opts.Observer.tell(Refused{Event: e, Err: failure, Attempt: attempt, Verdict: v})
	switch v.Action {
	case Park:
		return w.park(ctx, e, failure, attempt)
	case Retry:
		if v.After > 0 || !permanent {
			w.d.refusals.postpone(e, v.After)
		}
		return true, errDeferred
	default:
		w.d.gate.shut(v.After, failure)
		if w.hasty {
			return true, errPaused
		}
		return false, nil // the gate lets the drain go on, or ends it
	}
}

// park takes e out of the flow. Its followers go on only if the options say so: the
// drain ends here, because a lagging replica could show e as pending, or not at all.
func (w *drain) park(ctx context.Context, e Event, failure error, attempts int) (done bool, err error) {
	now := time.Now().UTC()
	f := Fault{Reason: failure.Error(), At: now, Attempts: attempts, Skipped: w.d.opts.SkipParked}
	if !f.Skipped {
		f.Next = now.Add(parkedPause.First)
	}
	if err := w.mark(ctx, e, f); err != nil {
		return true, err
	}
	w.d.refusals.forget(w.key)
	w.reached = e.Seq
	w.report.Parked++
	w.d.opts.Observer.tell(Parked{Event: e, Fault: f})
	return !f.Skipped, nil
}

// refusedAgain leaves e parked, for longer. It says nothing new about the message, and
// nothing about the destination.
func (w *drain) refusedAgain(ctx context.Context, e Event, failure error) error {
	f := e.Fault.again(failure.Error(), time.Now().UTC())
	w.report.Blocked = 1
	w.d.opts.Observer.tell(Refused{Event: e, Err: failure, Attempt: f.Attempts, Verdict: Verdict{Action: Park, After: f.Next.Sub(f.At)}})
	return w.mark(ctx, e, f)
}
