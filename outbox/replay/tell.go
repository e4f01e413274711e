package replay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/relaybox/relaybox/internal/pace"
	"github.com/relaybox/relaybox/outbox"
)

const (
	// atOnce are written side by side.
	atOnce = 16
	// backlogPause is between two looks at a backlog that is too large.
	backlogPause = time.Second
	// enough of the first entities fail, and no other gets its snapshot: that is nothing about single ones.
	enough = 100
)

// faultPause is between two tries at a store that has a fault.
var faultPause = pace.Backoff{First: 100 * time.Millisecond, Max: 5 * time.Second}

// tell sees to it that every entity of the page has its snapshot.
func (r *Replay) tell(ctx context.Context, page []Found) error {
	open, settled := sorted(page, r.run.ID)
	r.count(settled)
	if len(open) == 0 {
		return nil
	}
	if err := r.room(ctx); err != nil {
		return err
	}
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(atOnce)
	for _, f := range open {
		all.Go(func() error {
			if err := r.pacer.turn(ctx); err != nil {
				return err
			}
			return r.one(ctx, f.Key)
		})
	}
	return all.Wait()
}

// sorted parts the entities of a page that need a snapshot of the run from the others.
func sorted(page []Found, run string) (open []Found, settled Counts) {
	for _, f := range page {
		if f.Replay == run && run != "" {
			settled = settled.plus(Counts{Entities: 1, Known: 1})
		} else {
			open = append(open, f)
		}
	}
	return open, settled
}

// toldOf is what a snapshot counts as.
func toldOf(gone bool) Counts {
	c := Counts{Entities: 1, Snapshots: 1}
	if gone {
		c.Gone = 1
	}
	return c
}

// room waits until the dispatchers have caught up.
func (r *Replay) room(ctx context.Context) error {
	for {
		n := 0
		err := r.patiently(ctx, func() (err error) {
			n, err = r.store.Backlog(ctx, r.opts.Backlog+1)
			return err
		})
		if err != nil || n <= r.opts.Backlog {
			return err
		}
		if err := r.pause(ctx, backlogPause, fmt.Sprintf("more than %d events are pending", r.opts.Backlog)); err != nil {
			return err
		}
	}
}

// What became of an entity, as the answer of its write says it.
const (
	there = iota + 1 // a snapshot was written of what it is
	gone             // one was written that says that it is deleted
	known
	never
)

// one sees to it that one entity has its snapshot.
func (r *Replay) one(ctx context.Context, key string) error {
	var answer outbox.Answer
	err := r.patiently(ctx, func() (err error) {
		answer, err = r.writer.Write(ctx, outbox.Request{Key: key, Decide: r.decide, Render: func(_ outbox.Entity, became int) outbox.Answer {
			return outbox.Answer{Status: became}
		}})
		return err
	})
	_, large := errors.AsType[*outbox.EventTooLargeError](err)
	switch {
	case large || outbox.ClassOf(err).Permanent():
		r.count(Counts{Entities: 1, Failed: 1})
		r.opts.Failed(key, err)
	case err != nil:
		return fmt.Errorf("snapshot of %q: %w", key, err)
	case answer.Status == known:
		r.count(Counts{Entities: 1, Known: 1})
	case answer.Status != never:
		r.count(toldOf(answer.Status == gone))
	}
	return nil
}

// decide is outbox.Request.Decide. The entity may not be any more what the page has shown.
func (r *Replay) decide(cur outbox.Entity) (outbox.Decision, error) {
	status := there
	switch {
	case cur.Version == 0: // its document went between
		return outbox.Decision{Status: never}, nil
	case cur.Replay == r.run.ID:
		return outbox.Decision{Status: known}, nil
	case cur.Deleted:
		status = gone
	}
	return outbox.Decision{Status: status, Replay: r.run.ID, Events: []outbox.Draft{r.opts.Draft(cur)}}, nil
}

// patiently does it again while what fails may pass: throttling for as long as it lasts, another
// fault of the store for as long as Options.Patience.
func (r *Replay) patiently(ctx context.Context, do func() error) error {
	var since time.Time // the store is away
	for n := 1; ; n++ {
		err := do()
		why := "the store is away"
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !passes(err):
			return err
		case outbox.ClassOf(err) == outbox.Throttled:
			since, why = time.Time{}, "the store asks for patience (429)"
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > r.opts.Patience:
			return err
		}
		wait := faultPause.Wait(n, outbox.RetryAfterOf(err))
		r.pacer.hold(wait)
		if err := r.pause(ctx, wait, why); err != nil {
			return err
		}
	}
}

// passes says whether an error is one of those that end by themselves.
func passes(err error) bool {
	switch outbox.ClassOf(err) {
	case outbox.Throttled, outbox.Unavailable, outbox.Timeout, outbox.Ambiguous:
		return true
	}
	return errors.Is(err, outbox.ErrContended)
}

// pause waits, and says what for.
func (r *Replay) pause(ctx context.Context, d time.Duration, why string) error {
	r.waitFor(why)
	defer r.waitFor("")
	return pace.Sleep(ctx, d)
}
