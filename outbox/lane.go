package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// conflictPause parts writers of different processes that collide.
var conflictPause = pace.Backoff{First: 2 * time.Millisecond, Max: 256 * time.Millisecond}

// grace is how much longer a round may work than its members wait: who leaves knows best why.
const grace = time.Second

// lane carries out the requests for one key, in batches, one batch at a time.
type lane struct {
	w   *Writer
	key string

	// Guarded by w.mu.
	waiting   []*call            // in order of arrival
	callers   int                // that wait for an answer
	contended bool               // others have been faster since our last commit
	cut       context.CancelFunc // ends the round under way

	// The rest belongs to the lane's goroutine.

	// members are the calls that the next batch is made of, as far as they fit.
	members []*call
	// cur is the entity that the next batch is made against; known says whether it was read,
	// or committed by us. bet: it is neither, but what was kept from an earlier request.
	cur   Entity
	known bool
	bet   bool
	// begun: the lane's first entity was looked for. Only that is bet on.
	begun bool
	// lost: the bet was. conflicts counts the other batches in a row that failed on their
	// condition, and refused is the revision that the last of all was made against.
	lost      bool
	conflicts int
	refused   string
	// alone is how many batches more are made of one call each, because one of them makes
	// the batch invalid.
	alone int
}

// run ends when nobody waits any more.
func (l *lane) run(ctx context.Context) {
	for l.gather() {
		l.round(ctx)
	}
}

// gather takes what waits into the next batch; false ends the lane.
func (l *lane) gather() bool {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.members = slices.DeleteFunc(l.members, func(c *call) bool { return c.gone || c.finished() })
	n := min(len(l.waiting), max(0, maxOperations-len(l.members)))
	l.members = append(l.members, l.waiting[:n]...)
	l.waiting = slices.Delete(l.waiting, 0, n)
	if len(l.members) == 0 {
		delete(l.w.lanes, l.key)
		return false
	}
	return true
}

// round reads, decides and commits once.
func (l *lane) round(ctx context.Context) {
	ctx, cancel := context.WithDeadline(ctx, l.until().Add(grace))
	defer cancel()
	l.w.mu.Lock()
	if l.cut = cancel; l.callers == 0 {
		cancel()
	}
	l.w.mu.Unlock()
	end := func() {}
	if trace := l.w.opts.Tracer; trace != nil {
		ctx, end = trace(ctx, l.traces())
	}
	defer end()
	if err := l.read(ctx); err != nil {
		l.fail(l.members, err)
		return
	}
	b, err := l.compose(ctx)
	if errors.Is(err, errKept) {
		l.known, l.bet = false, false
		return
	}
	if err != nil {
		l.fail(l.members, err)
		return
	}
	if len(b.members) == 0 || !l.send(b) {
		return
	}
	made, err := l.w.store.Commit(ctx, b.commit)
	if err == nil {
		end() // before the callers go
		l.committed(b, made)
		return
	}
	bet := l.bet
	l.known, l.bet = false, false
	class := ClassOf(err)
	exists, twin := errors.AsType[*ReceiptExistsError](err)
	switch {
	case class == Ambiguous:
		l.settle(ctx, b, err)
	case bet && errors.Is(err, ErrConflict):
		l.unsend(b)
		l.loses(b.against())
	case errors.Is(err, ErrConflict):
		l.unsend(b)
		l.conflict(ctx, b.against())
	case twin:
		l.unsend(b)
		l.repeated(ctx, b, exists.ID)
	case class.Permanent() && bet: // what is stored may make another batch
		l.unsend(b)
	case class.Permanent() && len(b.members) > 1:
		l.unsend(b)
		l.alone = len(b.members)
	case class == Unclassified:
		// Nobody knows what became of it, either.
		l.settle(ctx, b, &Error{Class: Ambiguous, Op: fmt.Sprintf("commit %q", l.key), Err: err})
	default:
		l.fail(b.calls(), err)
	}
}

// traces are those of the requests that the round is for.
func (l *lane) traces() []Trace {
	all := make([]Trace, len(l.members))
	for i, c := range l.members {
		all[i] = c.req.Trace
	}
	return all
}

// until is the end of the call that waits longest.
func (l *lane) until() time.Time {
	var until time.Time
	for _, c := range l.members {
		if c.until.After(until) {
			until = c.until
		}
	}
	return until
}

// read loads the entity unless it is known, or the lane begins with one that was kept. After
// a batch that failed on its condition, a read that shows no progress is a lagging replica's,
// and so may be one that does.
func (l *lane) read(ctx context.Context) (err error) {
	if !l.begun {
		l.begun = true
		l.cur, l.bet = l.w.kept.bet(l.key)
		l.known = l.bet
	}
	if l.known {
		return nil
	}
	if l.conflicts < 2 {
		if l.cur, err = l.load(ctx); err != nil {
			return err
		}
		l.known = !l.lost && l.conflicts == 0 || l.cur.Revision != l.refused
	}
	if !l.known {
		l.cur, err = l.current(ctx)
		l.known = err == nil
	}
	return err
}

// current reads the entity as it is now, or later.
func (l *lane) current(ctx context.Context) (Entity, error) {
	if err := l.w.store.Barrier(ctx, l.key); err != nil {
		return Entity{}, err
	}
	return l.load(ctx)
}

func (l *lane) load(ctx context.Context) (Entity, error) {
	began := time.Now()
	e, err := l.w.store.Load(ctx, l.key)
	if err == nil {
		l.w.kept.read(e, began)
	}
	return e, err
}

// loses notes that what was kept was old. That is nobody's doing now: the requests are
// decided on a read, at once.
func (l *lane) loses(against string) {
	l.lost, l.refused = true, against
	l.w.kept.lost(l.key)
}

// conflict notes that another process was faster, and lets it pass.
func (l *lane) conflict(ctx context.Context, against string) {
	l.conflicts++
	l.refused = against
	l.w.mu.Lock()
	l.contended = true
	l.w.mu.Unlock()
	_ = pace.Sleep(ctx, conflictPause.Spread(l.conflicts)) // the callers watch their own time
}

// repeated ends the calls whose receipt is there already.
func (l *lane) repeated(ctx context.Context, b *batch, id string) {
	r, err := l.w.store.Receipt(ctx, l.key, id)
	if r == nil && err == nil {
		if err = l.w.store.Barrier(ctx, l.key); err == nil {
			r, err = l.w.store.Receipt(ctx, l.key, id)
		}
	}
	switch {
	case err != nil:
		at := slices.IndexFunc(b.members, func(m member) bool { return m.receiptID == id })
		l.fail(b.calls()[at:at+1], fmt.Errorf("%w: its receipt cannot be read: %v", ErrTwinInFlight, err))
	case r == nil: // it has expired meanwhile
		l.conflict(ctx, b.against())
	default:
		l.replay([]Receipt{*r})
	}
}

// replay gives all calls that one of the receipts belongs to the first answer.
func (l *lane) replay(receipts []Receipt) {
	if len(receipts) == 0 {
		return
	}
	l.w.mu.Lock()
	replayed := 0
	for _, c := range slices.Concat(l.members, l.waiting) {
		at := slices.IndexFunc(receipts, func(r Receipt) bool { return r.ID == c.receiptID })
		if at < 0 || c.finished() {
			continue
		}
		if r := receipts[at]; r.RequestHash != c.req.RequestHash {
			c.err = ErrKeyReused
		} else {
			c.answer = r.Answer
			replayed++
		}
		l.close(c)
	}
	l.waiting = slices.DeleteFunc(l.waiting, (*call).finished)
	l.w.mu.Unlock()
	for range replayed {
		l.w.opts.Observer.tell(Replayed{l.key})
	}
}

// finish gives calls their end, unless they have had it.
func (l *lane) finish(calls []*call, end func(c *call)) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	for _, c := range calls {
		if !c.finished() {
			end(c)
			l.close(c)
		}
	}
}

// close lets the caller go. The caller holds w.mu.
func (l *lane) close(c *call) {
	if !c.gone {
		l.callers--
	}
	close(c.done)
}

// fail ends calls of which nothing was stored, or nobody knows.
func (l *lane) fail(calls []*call, err error) {
	l.finish(calls, func(c *call) { c.err = err })
}

// send marks the members of a batch that is about to leave. It fails when one of them was
// told meanwhile that nothing of it was stored.
func (l *lane) send(b *batch) bool {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	if slices.ContainsFunc(b.members, func(m member) bool { return m.gone }) {
		return false
	}
	for _, m := range b.members {
		m.sent = true
	}
	return true
}

// unsend takes the mark away: the batch was not stored, and never will be.
func (l *lane) unsend(b *batch) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	for _, m := range b.members {
		m.sent = false
	}
}

// committed tells everybody that b was stored. The entity's revision is "" if another write
// has replaced it since; those of the events are not known after a lost answer.
func (l *lane) committed(b *batch, made Revisions) {
	o := l.w.opts
	if len(b.commit.Events) > 0 {
		if b.from.Moved {
			o.Observer.tell(Moved{Key: l.key, From: b.from.Incarnation, To: b.commit.Entity.Incarnation})
		}
		o.Observer.tell(Committed{b.commit.Events})
		o.Committed(l.key, made.of(b.commit.Events)...)
	}
	l.cur, l.known, l.bet = b.commit.Entity, made.Entity != "", false
	l.cur.Revision = made.Entity
	l.w.kept.wrote(l.cur)
	l.conflicts = 0
	if l.alone > 0 {
		l.alone--
	}
	l.w.mu.Lock()
	l.contended = false
	for _, m := range b.members {
		if !m.finished() {
			m.call.answer = m.answer
			l.close(m.call)
		}
	}
	l.w.mu.Unlock()
	l.replay(b.commit.Receipts)
}
