package inbox

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Limits of one batch, well below those of Cosmos DB (100 operations, 2 MB).
const (
	maxOperations = 90
	maxBytes      = 1 << 20
)

// batch is a change under way, with what is told once it has been stored.
type batch struct {
	Change
	lane    *lane
	applied int      // events whose effect is in it
	noted   int      // events that are gone
	shelved Event    // the last of them that was stored as early before
	earlier []*Event // all of those
	bytes   int      // of what is added
	settled []settled
	signals []Signal
	// waits counts the calls that wait in memory, and first is when the first of them has
	// waited long enough.
	waits int
	first time.Time
	early []Early // as read, while read is set
	read  bool
}

type settled struct {
	*call
	outcome Outcome
}

// empty says whether there is nothing to store.
func (b *batch) empty() bool {
	return b.applied == 0 && b.noted == 0 && b.Operations() == 1
}

// size counts what is in it that could be stored without the rest.
func (b *batch) size() int { return b.applied + b.noted + len(b.Add) + len(b.Refuse) }

func (b *batch) full() bool {
	return b.Operations() >= maxOperations || b.bytes >= maxBytes || b.lane.alone > 0 && b.size() > 0
}

// compose puts the events to the model, in the order of their numbers, and with them the
// early ones that they make due. An event that is not due waits in memory or is stored. It
// sorts calls in place.
func (b *batch) compose(ctx context.Context, calls []*call) error {
	slices.SortStableFunc(calls, func(a, c *call) int {
		switch {
		case a.event.Incarnation.before(c.event.Incarnation):
			return -1
		case c.event.Incarnation.before(a.event.Incarnation):
			return 1
		}
		return cmp.Compare(a.event.Seq, c.event.Seq)
	})
	for {
		left, err := b.hand(calls)
		if err != nil {
			return err
		}
		progress, err := b.shelf(ctx)
		if err != nil {
			return err
		}
		if calls = left; !progress {
			break
		}
	}
	return b.rest(ctx, calls)
}

// hand puts events in hand to the model, and returns the calls that are not due.
func (b *batch) hand(calls []*call) (left []*call, _ error) {
	for n, c := range calls {
		if b.full() {
			return append(left, calls[n:]...), nil
		}
		if c.finished() {
			continue
		}
		if c.sweep {
			left = append(left, c)
			continue
		}
		if c.gone {
			b.note(c)
			continue
		}
		in, lost, stand := b.stand(c.event)
		if stand == ahead && b.free(in, c.event) {
			in, _ = in.jump(c.event.Seq)
			stand = due
		}
		if stand == ahead && b.lane.i.opts.StartAnywhere && b.Model.none() {
			stand = due
		}
		switch stand {
		case superseded:
			b.settle(c, Superseded, Late{c.event, b.Model.Incarnation})
		case copied:
			b.settle(c, Duplicate)
		case tooOld:
			b.settle(c, Stale, TooOld{c.event, b.Model.LastSeq})
		case ahead:
			if in.Early.Has(c.event.Seq) {
				b.settle(c, Duplicate)
				continue
			}
			left = append(left, c)
		case due:
			ended, err := b.apply(c, in, lost)
			if err != nil {
				return nil, err
			}
			if ended {
				return append(left, calls[n:]...), nil
			}
		}
	}
	return left, nil
}

// stand is where e stands to the model by the policy. Under Newest nobody waits, and a gap says
// nothing. A marker is old news there: it has no state, and would make what it has overtaken old.
func (b *batch) stand(e Event) (in Model, lost int64, _ standing) {
	in, lost, stand := b.Model.stand(e)
	switch {
	case b.lane.i.opts.Policy != Newest, stand != due && stand != ahead:
		return in, lost, stand
	case e.Skipped():
		return in, 0, copied
	}
	return in, 0, due
}

func (b *batch) settle(c *call, o Outcome, signals ...Signal) {
	b.settled = append(b.settled, settled{c, o})
	b.signals = append(b.signals, signals...)
}

// apply gives the event of c its effect on in. What it returns as an error ends the call, but
// not on a model that may be old or is not stored yet: then the batch ends before it.
func (b *batch) apply(c *call, in Model, lost int64) (ended bool, _ error) {
	data, err, panicked := b.lane.i.effect(in.Data, c.event)
	if err != nil || panicked != nil {
		switch {
		case b.lane.bet:
			return false, errBet
		case !b.empty():
			return true, nil
		}
		b.lane.finish([]*call{c}, func(c *call) { c.err, c.panicked = err, panicked })
		return false, nil
	}
	b.take(c.event, in, data, lost)
	b.settle(c, Applied)
	return false, nil
}

// take makes the model what the event has made of it.
func (b *batch) take(e Event, in Model, data []byte, lost int64) {
	if !b.Model.none() && b.Model.Incarnation.ID != e.Incarnation.ID {
		b.signals = append(b.signals, Followed{Event: e, From: b.Model.Incarnation, LastSeq: b.Model.LastSeq, Lost: lost})
	}
	if e.Skipped() {
		b.signals = append(b.signals, Skipped{e})
	}
	if in.Early.Has(e.Seq) {
		b.Remove = append(b.Remove, Early{Event: Event{Key: e.Key, Seq: e.Seq, Incarnation: e.Incarnation}})
	}
	if missing := in.Gaps - b.Model.Gaps; missing > 0 {
		b.signals = append(b.signals, Jumped{Event: e, Missing: missing})
	}
	in.Data, in.LastSeq = data, e.Seq
	in.Early, in.Gone = in.Early.Above(e.Seq), in.Gone.Above(e.Seq)
	in.Gaps += lost
	b.Model = in
	b.applied++
}

// effect runs the consumer's function. A marker has none: it leaves the model's data as they are.
func (i *Inbox) effect(model []byte, e Event) (data []byte, err, panicked error) {
	if e.Skipped() {
		return model, nil, nil
	}
	defer func() {
		if v := recover(); v != nil { // the caller's own, and told there
			panicked = fmt.Errorf("panic while event %d of %q was applied: %v\n%s", e.Seq, e.Key, v, debug.Stack())
		}
	}()
	if data, err = i.apply(model, e); err != nil {
		return nil, fmt.Errorf("apply event %d of %q: %w", e.Seq, e.Key, err), nil
	}
	return data, nil, nil
}

// shelf applies the early events that are due now.
func (b *batch) shelf(ctx context.Context) (progress bool, _ error) {
	if !b.lane.i.waited(b.Model) {
		return false, nil
	}
	if err := b.look(ctx); err != nil {
		return false, err
	}
	for _, e := range b.early {
		if b.full() {
			break
		}
		if e.Event.Incarnation.ID != b.Model.Incarnation.ID || e.Event.Seq != b.Model.LastSeq+1 && !b.free(b.Model, e.Event) {
			continue
		}
		in, _ := b.Model.jump(e.Event.Seq)
		done, err := b.unshelve(e, in, 0)
		if err != nil || !done {
			return progress, err
		}
		progress = true
	}
	return progress, nil
}

// unshelve applies an early event that is due to in, or gives it up.
func (b *batch) unshelve(e Early, in Model, lost int64) (done bool, _ error) {
	err := b.lane.unfit.of(e.Event)
	if err == nil {
		var data []byte
		var panicked error
		data, err, panicked = b.lane.i.effect(in.Data, e.Event)
		if err = cmp.Or(panicked, err); err == nil {
			b.shelved = e.Event
			b.earlier = append(b.earlier, &e.Event)
			in.Early = in.Early.With(e.Event.Seq, e.Event.Seq) // whatever the model says: it is there
			b.take(e.Event, in, data, lost)
			return true, nil
		}
	}
	if b.lane.bet {
		return false, errBet
	}
	b.giveUp(e, in, err)
	return false, nil
}

// look reads the early events, once.
func (b *batch) look(ctx context.Context) (err error) {
	if !b.read {
		b.early, err = b.lane.i.store.Early(ctx, b.lane.key, maxOperations)
		b.read = err == nil
	}
	return err
}

// giveUp lets the key go on without an early event that cannot be applied: its message is
// gone, so no dead letter would tell of it. Before that it gets the time that a mended version
// of the app needs to come; under Strict, all of it.
func (b *batch) giveUp(e Early, in Model, why error) {
	opts := b.lane.i.opts
	if opts.Policy == Strict || time.Since(e.Since) < opts.EarlyWait || !b.empty() {
		return
	}
	reason := why.Error()
	if len(reason) > maxDetail {
		reason = strings.ToValidUTF8(reason[:maxDetail], "") + "…"
	}
	b.Refuse = append(b.Refuse, Refused{Early: e, Reason: reason})
	in.Early = in.Early.Above(e.Event.Seq)
	b.Model, _ = in.jump(e.Event.Seq + 1)
	b.signals = append(b.signals, GaveUp{e.Event, why})
}

// rest lets the events that are not due wait, or stores them, and looks after early ones if
// asked.
func (b *batch) rest(ctx context.Context, calls []*call) error {
	for _, c := range calls {
		if c.finished() || c.gone {
			continue
		}
		if b.lane.bet && (c.sweep || b.lane.look.IsZero()) {
			if b.empty() {
				return errBet
			}
			return nil // what is left comes next
		}
		if c.sweep {
			if err := b.sweep(ctx, c, calls); err != nil {
				return err
			}
			continue
		}
		in, lost, stand := b.stand(c.event)
		switch {
		case stand != ahead: // the batch has come so far, and the next one goes on
		case b.lane.wait(c):
			b.waits++
			if b.first.IsZero() || c.due.Before(b.first) {
				b.first = c.due
			}
		case b.full():
		case in.Early.Has(c.event.Seq):
			b.settle(c, Duplicate)
		case c.event.Seq == in.LastSeq+1:
			if _, err := b.apply(c, in, lost); err != nil {
				return err
			}
		default:
			b.store(c, in, lost)
		}
	}
	return nil
}

// store keeps an event beside its model. Whoever applies its predecessor finds its number
// there. An event of a later incarnation begins that one, whatever of the earlier one may
// still come.
func (b *batch) store(c *call, in Model, lost int64) {
	e := c.event
	if !b.Model.none() && b.Model.Incarnation.ID != e.Incarnation.ID {
		b.signals = append(b.signals, Followed{Event: e, From: b.Model.Incarnation, LastSeq: b.Model.LastSeq, Lost: lost})
	}
	in.Gaps += lost
	in.Gone = in.Gone.Without(e.Seq) // it is here after all
	in.Early = in.Early.With(e.Seq, e.Seq)
	b.Model = in
	b.Add = append(b.Add, Early{Event: e, Since: time.Now().UTC()})
	b.bytes += len(e.Data)
	b.settle(c, Stored, Waits{Event: e, For: in.LastSeq + 1})
}

// with returns the events of the batch that have this outcome, the stored ones that have been
// applied among them.
func (b *batch) with(o Outcome) (events []*Event) {
	if o == Applied {
		events = append(events, b.earlier...)
	}
	for _, s := range b.settled {
		if s.outcome == o && !s.sweep && !s.gone {
			events = append(events, &s.event)
		}
	}
	return events
}

// succeeded tells everybody that the batch is stored, or that nothing had to be.
func (b *batch) succeeded() {
	for _, s := range b.signals {
		b.lane.i.opts.Observer.tell(s)
	}
	b.lane.i.mu.Lock()
	defer b.lane.i.mu.Unlock()
	for _, s := range b.settled {
		if !s.finished() {
			s.call.outcome = s.outcome
			b.lane.close(s.call)
		}
	}
}

// failed ends the one call whose event the store will not have, or notes the early event that
// it will not have: that has no call any more. It says whether there was one.
func (b *batch) failed(err error) (found bool) {
	if e := b.shelved; e.Seq > 0 && b.lane.unfit.of(e) == nil {
		b.lane.unfit = unfit{e.Incarnation.ID, e.Seq, err}
		return true
	}
	for _, s := range b.settled {
		if s.outcome == Applied || s.outcome == Stored {
			b.lane.finish([]*call{s.call}, func(c *call) { c.err = err })
			found = true
		}
	}
	return found
}
