package inbox

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// maxConflicts in a row are somebody's haste; what is more is held.
const maxConflicts = 20

var (
	// conflictPause parts those who apply events of one key.
	conflictPause = pace.Backoff{First: 2 * time.Millisecond, Max: 128 * time.Millisecond}
	// heldPause is between the tries of an event that is held.
	heldPause = pace.Backoff{First: 20 * time.Millisecond, Max: 5 * time.Second}
	// lookPause is between two looks whether another process has applied the predecessor of
	// an event that waits in memory: five of them in a second. One that comes to this process
	// ends the pause.
	lookPause = pace.Backoff{First: 16 * time.Millisecond, Max: time.Second}
)

// grace is how much longer a round may work than its calls wait: who leaves knows best why.
const grace = time.Second

// lane gives the events of one key their effects, one write at a time.
type lane struct {
	i   *Inbox
	key string

	// Guarded by i.mu.
	calls []*call            // in order of arrival
	cut   context.CancelFunc // ends the round under way
	wake  context.CancelFunc // ends a pause in which nothing but an arrival can help

	// The rest belongs to the lane's goroutine.

	// cur is the model; known says whether it was read, kept or committed by us, and bet that
	// it was only kept, or taken to be missing. must is set when a bet does not do.
	cur              Model
	known, bet, must bool
	// conflicts and failures in a row, and looks at a model whose number has not moved. look is
	// the time of the next one, zero before the first.
	conflicts, failures, looks int
	look                       time.Time
	// alone is how many changes more are made for one event each, because one of them makes
	// the batch invalid; unfit is the early event that cannot be applied for that.
	alone int
	unfit unfit
	// more says that early events are due although nobody waits for them.
	more bool
}

// unfit is an early event that the store will not have applied.
type unfit struct {
	incarnation string
	seq         int64
	err         error
}

// of returns the error if e is that event.
func (u unfit) of(e Event) error {
	if u.incarnation == e.Incarnation.ID && u.seq == e.Seq {
		return u.err
	}
	return nil
}

// run ends when nobody waits any more.
func (l *lane) run(ctx context.Context) {
	for {
		calls, ok := l.gather()
		if !ok {
			return
		}
		l.round(ctx, calls)
	}
}

// gather returns what is in hand; false ends the lane.
func (l *lane) gather() ([]*call, bool) {
	l.i.mu.Lock()
	defer l.i.mu.Unlock()
	if len(l.calls) == 0 && !l.more {
		delete(l.i.lanes, l.key)
		return nil, false
	}
	return append([]*call(nil), l.calls...), true
}

// alonePatience is how long a round may take for which nobody waits.
const alonePatience = 30 * time.Second

// round reads, decides and commits once.
func (l *lane) round(ctx context.Context, calls []*call) {
	until := time.Now().Add(alonePatience)
	for _, c := range calls {
		if c.until.After(until) {
			until = c.until
		}
	}
	ctx, cancel := context.WithDeadline(ctx, until.Add(grace))
	defer cancel()
	l.i.mu.Lock()
	if l.cut = cancel; len(calls) > 0 && len(l.calls) == 0 {
		cancel()
	}
	l.i.mu.Unlock()
	l.more = false
	if t := l.i.opts.Tracer; t != nil && len(calls) > 0 && !calls[0].sweep {
		ctx = t.Reads(ctx, &calls[0].event)
	}
	if err := l.read(ctx, calls); err != nil {
		l.failed(ctx, calls, err)
		return
	}
	b := &batch{lane: l, Change: Change{Model: l.cur}}
	err := b.compose(ctx, calls)
	switch {
	case errors.Is(err, errBet):
		l.known, l.must = false, true
	case err != nil:
		l.failed(ctx, calls, err)
	case b.empty():
		l.idle(ctx, b)
	default:
		l.commit(ctx, b, calls)
	}
}

// errBet says that what was decided needs a read.
var errBet = errors.New("the model was kept, not read")

// read gets the model from memory or from the store, unless it is known. When a key's first
// event of all comes and nothing speaks for a model, there is none yet, most likely.
func (l *lane) read(ctx context.Context, calls []*call) (err error) {
	if l.known {
		return nil
	}
	if !l.must {
		if l.cur, l.bet = l.i.models.Bet(l.key); !l.bet && l.i.models.Missing(l.key) && slices.ContainsFunc(calls, (*call).first) {
			l.cur, l.bet = Model{Key: l.key}, true
		}
		if l.bet {
			l.known = true
			return nil
		}
	}
	if l.cur, err = l.i.store.Load(ctx, l.key); err != nil {
		return err
	}
	l.i.models.Read(l.key, l.cur.Revision, l.cur, len(l.cur.Data))
	l.known, l.bet, l.must = true, false, false
	return nil
}

// commit stores what was decided.
func (l *lane) commit(ctx context.Context, b *batch, calls []*call) {
	end := func(bool) {}
	if t := l.i.opts.Tracer; t != nil {
		ctx, end = t.Applies(ctx, b.with(Applied), b.with(Stored))
	}
	reached := l.cur.LastSeq
	revision, err := l.i.store.Commit(ctx, b.Change)
	end(err == nil)
	switch {
	case err == nil:
		l.cur = b.Model
		l.cur.Revision = revision
		l.known, l.bet = revision != "", false
		l.conflicts, l.failures = 0, 0
		if l.cur.LastSeq != reached {
			l.looks = 0
		}
		l.alone = max(0, l.alone-1)
		l.more = l.known && l.i.waited(l.cur)
		l.i.models.Wrote(l.key, revision, l.cur, len(l.cur.Data))
		b.succeeded()
		return
	case errors.Is(err, ErrConflict):
		wasBet := l.bet
		l.i.models.Lost(l.key)
		l.known, l.must = false, true
		if wasBet {
			return
		}
		if l.conflicts++; l.conflicts <= maxConflicts {
			_ = pace.Sleep(ctx, conflictPause.Spread(l.conflicts)) // the callers watch their own time
			return
		}
	case passing(err):
		l.i.models.Forget(l.key)
		l.known, l.must = false, true
	case l.bet: // perhaps it was the kept model that did not fit
		l.known, l.must = false, true
		return
	case b.size() > 1: // one of them, and not the others
		l.alone = b.size()
		return
	case b.failed(err):
		l.known = false
		return
	}
	l.failed(ctx, calls, err)
}

// passing says whether err may go away by itself.
func passing(err error) bool {
	_, ok := errors.AsType[*Transient](err)
	return ok || errors.Is(err, ErrConflict)
}

// failed holds calls until the store is well again, or ends them.
func (l *lane) failed(ctx context.Context, calls []*call, err error) {
	if !passing(err) {
		l.finish(calls, func(c *call) { c.err = err })
		return
	}
	l.failures++
	var wish time.Duration
	if t, ok := errors.AsType[*Transient](err); ok {
		wish = t.RetryAfter
	}
	wait := heldPause.Wait(l.failures, wish)
	l.i.mu.Lock()
	for _, c := range calls {
		c.fault = err
	}
	l.i.mu.Unlock()
	back := time.Now().Add(wait)
	l.finish(calls, func(c *call) {
		if back.After(c.until) { // what it waits for would come too late
			c.err = err
		}
	})
	for _, c := range calls {
		if !c.finished() {
			l.i.opts.Observer.tell(Held{c.event, err, wait, l.failures})
			_ = pace.Sleep(ctx, wait)
			return
		}
	}
}

// idle ends calls that need no commit, and waits for the predecessor of the others: it may
// arrive here, or be applied by another process.
func (l *lane) idle(ctx context.Context, b *batch) {
	if len(b.settled) > 0 {
		if l.bet { // no answer without a commit rests on what was kept
			l.known, l.must = false, true
			return
		}
		b.succeeded()
	}
	l.failures = 0
	if b.first.IsZero() {
		return // nobody waits
	}
	if !l.bet { // the store has just shown it
		l.looks++
		l.look = time.Now().Add(lookPause.Ceiling(l.looks))
	}
	until := b.first
	if l.look.Before(until) {
		until = l.look
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l.i.mu.Lock()
	arrived := len(l.calls) > b.waits
	l.wake = cancel
	l.i.mu.Unlock()
	if !arrived {
		_ = pace.Sleep(ctx, max(0, time.Until(until)))
	}
	l.i.mu.Lock()
	l.wake = nil
	l.i.mu.Unlock()
	// Until the next look the model is taken to be what it was. What has arrived most likely
	// fits it, what has waited for long enough is stored under it, and both find out if not.
	l.bet = true
	if !time.Now().Before(l.look) {
		l.known, l.must = false, true
	}
}

// finish gives calls their end, if end sets one.
func (l *lane) finish(calls []*call, end func(c *call)) {
	l.i.mu.Lock()
	defer l.i.mu.Unlock()
	for _, c := range calls {
		if c.finished() {
			continue
		}
		if end(c); c.err != nil || c.panicked != nil {
			l.close(c)
		}
	}
}

// wait says whether c may go on waiting in memory, and until when. The first time it takes
// one of the places; without one it does not wait at all.
func (l *lane) wait(c *call) bool {
	now := time.Now()
	if c.due.IsZero() {
		c.due = now
		l.i.mu.Lock()
		if l.i.waiting < l.i.opts.MaxWaiting && !c.finished() {
			l.i.waiting++
			c.slot, c.due = true, now.Add(l.i.opts.Wait)
		}
		l.i.mu.Unlock()
	}
	return now.Before(c.due)
}
