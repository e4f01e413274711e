package inbox

import (
	"context"
	"time"
)

// noteHold bounds GiveUp: its message has a way back to the broker that must not wait.
const noteHold = 3 * time.Second

// maxGone bounds Model.Gone, in ranges: behind what is more, events wait.
const maxGone = 16

// GiveUp notes that e was refused for good on a delivery, if that was the last one: e is a dead
// letter now, and the events behind it go on without it at once. It is a help only, so an error
// costs them Options.EarlyWait. Under Strict they wait for a redrive, under Newest nobody waits, and
// nothing is noted.
//
// The note takes nothing from e: while nothing behind it was applied, a letter that comes again
// is applied like any other. After that it is Stale.
func (i *Inbox) GiveUp(ctx context.Context, e Event, delivery int) error {
	if i.opts.Policy != Snapshot || i.opts.MaxDeliveries <= 0 || delivery < i.opts.MaxDeliveries {
		return nil
	}
	_, err := i.do(ctx, &call{event: e, gone: true})
	return err
}

// note enters the number of c's event in the model, and changes nothing else: which incarnation
// is the key's, and where its numbers begin, is for events that can be applied.
func (b *batch) note(c *call) {
	e := c.event
	_, _, stand := b.Model.stand(e)
	gone := b.Model.Gone.With(e.Seq, e.Seq)
	switch {
	case stand != due && stand != ahead, b.Model.Early.Has(e.Seq), b.Model.Gone.Has(e.Seq), len(gone) > maxGone,
		b.Model.none(), e.Incarnation.ID != b.Model.Incarnation.ID:
		b.settle(c, Duplicate)
		return
	}
	b.Model.Gone = gone
	b.noted++
	b.settle(c, Stored, Gone{e})
}

// free says whether e is not the next event, and nothing but events that are gone stands before
// it. A marker has no state to go on with, so it waits for them like for any other.
func (b *batch) free(in Model, e Event) bool {
	return b.lane.i.opts.Policy == Snapshot && !e.Skipped() && in.LastSeq+1 < e.Seq && e.Seq <= in.reach()
}

// waited says whether the lowest early event of m has nothing more to wait for.
func (i *Inbox) waited(m Model) bool {
	low := m.Early.Lowest()
	return low == m.LastSeq+1 || i.opts.Policy == Snapshot && m.LastSeq < low && low <= m.reach()
}
