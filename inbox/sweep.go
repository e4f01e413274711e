package inbox

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// Swept is what a Sweep has found.
type Swept struct {
	// Keys have events that waited for longer than EarlyWait.
	Keys int
	// Blocked of them wait on, under Strict.
	Blocked int
	// Patient: no wait was ended, because broker or store are away, or were a moment ago.
	Patient bool
}

// sweepHold is how long a sweep is held by one key whose store is away: the next one carries on.
const sweepHold = 20 * time.Second

// sweepParallel bounds the keys that are looked after at the same time.
const sweepParallel = 16

// Sweep ends the wait of early events that is longer than Options.EarlyWait, by the policy,
// unless Options.Reach says that their predecessors cannot come.
// Call it every minute or so, anywhere: two at the same time do no harm.
func (i *Inbox) Sweep(ctx context.Context) (Swept, error) {
	var report Swept
	seen := map[string]struct{}{}
	var faults []error
	var asked sync.Once // whether broker and store are there, if anybody waits
	err := i.store.Waiting(ctx, time.Now().Add(-i.opts.EarlyWait), func(keys []string) error {
		var g errgroup.Group
		g.SetLimit(sweepParallel)
		results := make([]error, len(keys))
		blocked := make([]bool, len(keys))
		if len(keys) > 0 {
			asked.Do(func() { report.Patient = i.patient(ctx) })
		}
		for n, key := range keys {
			if _, ok := seen[key]; ok {
				continue
			}
			seen[key] = struct{}{}
			report.Keys++
			g.Go(func() error {
				outcome, err := i.do(ctx, &call{event: Event{Key: key}, sweep: true, patient: report.Patient})
				results[n], blocked[n] = err, outcome == Stored
				return nil
			})
		}
		_ = g.Wait()
		for n := range keys {
			if blocked[n] {
				report.Blocked++
			}
		}
		faults = append(faults, results...)
		return ctx.Err()
	})
	if err != nil || report.Keys == 0 {
		i.calm.broken() // or there was nobody to look for: what is known grows old
	}
	return report, errors.Join(append(faults, err)...)
}

// sweep looks after the key's early events: those that nobody waits for any more go, the
// others are applied as far as they are due, and the lowest one's wait ends. The outcome is
// Stored if some wait on that have waited for too long.
func (b *batch) sweep(ctx context.Context, c *call, others []*call) error {
	if err := b.look(ctx); err != nil {
		return err
	}
	opts := b.lane.i.opts
	var marker *Early // that has waited for too long
	for _, e := range b.early {
		if b.full() {
			return nil // the next round goes on
		}
		if b.removed(e) {
			continue
		}
		in, lost, stand := b.stand(e.Event)
		if stand != due && stand != ahead {
			b.Remove = append(b.Remove, e)
			if stand == superseded {
				b.signals = append(b.signals, Late{e.Event, b.Model.Incarnation})
			}
			continue
		}
		waited := time.Since(e.Since)
		switch {
		case stand == due:
		case waited < opts.EarlyWait, c.patient && opts.Policy == Snapshot, slices.ContainsFunc(others, func(o *call) bool { return o.between(in.LastSeq, e.Event) }):
			b.settle(c, Applied)
			return nil
		case opts.Policy == Strict:
			b.settle(c, Stored, Blocked{Key: b.lane.key, For: in.LastSeq + 1, Waiting: max(1, in.Early.Len()), Since: e.Since})
			return nil
		case e.Event.Skipped():
			if marker == nil {
				marker = &e
			}
			continue // it has no state to go on with: the next event that has may
		default:
			in, _ = in.jump(e.Event.Seq)
		}
		if done, err := b.unshelve(e, in, lost); err != nil {
			return err
		} else if !done {
			b.stuck(c, e, waited)
			return nil
		}
	}
	if marker != nil && b.Model.LastSeq < marker.Event.Seq {
		b.settle(c, Stored, Blocked{Key: b.lane.key, For: b.Model.LastSeq + 1, Waiting: max(1, b.Model.Early.Len()), Since: marker.Since})
		return nil
	}
	b.settle(c, Applied)
	return nil
}

// stuck ends a look at a key whose due event cannot be applied. Under Strict it blocks the key,
// and nothing else would tell of it.
func (b *batch) stuck(c *call, e Early, waited time.Duration) {
	opts := b.lane.i.opts
	if opts.Policy != Strict || waited < opts.EarlyWait {
		b.settle(c, Applied)
		return
	}
	_, err, panicked := b.lane.i.effect(b.Model.Data, e.Event)
	b.settle(c, Stored, Blocked{
		Key: b.lane.key, For: e.Event.Seq, Waiting: max(1, b.Model.Early.Len()), Since: e.Since, Err: cmp.Or(b.lane.unfit.of(e.Event), panicked, err),
	})
}

// between says whether c is in hand with an event above reached that comes before e.
func (c *call) between(reached int64, e Event) bool {
	return !c.sweep && !c.gone && !c.finished() && c.event.Incarnation.ID == e.Incarnation.ID && reached < c.event.Seq && c.event.Seq < e.Seq
}

// removed says whether e is no early event any more once the batch is stored.
func (b *batch) removed(e Early) bool {
	same := func(o Early) bool {
		return o.Event.Seq == e.Event.Seq && o.Event.Incarnation.ID == e.Event.Incarnation.ID
	}
	return slices.ContainsFunc(b.Remove, same) || slices.ContainsFunc(b.Refuse, func(r Refused) bool { return same(r.Early) })
}
