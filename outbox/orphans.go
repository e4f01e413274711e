package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

const (
	// orphanAge is how old an event is that nobody seems to be at work on: a fast path
	// needs milliseconds. Who is slower than this is helped, which is harmless.
	orphanAge = time.Second
	// orphanKeys and orphanPages bound what one look takes on and reads. A longer backlog is
	// the sweep's. Pages of keys that are left alone don't count: the followers of one
	// parked event may fill many. After a look that read more it rests the longer for it, and
	// blindPages are the end of it.
	orphanKeys  = 256
	orphanPages = 4
	blindPages  = 40
)

var (
	// orphanPause is how long a key is left alone that is still there after a drain: it
	// waits behind a parked event, which is the sweep's, or is written to all the time.
	orphanPause = pace.Backoff{First: time.Second, Max: 5 * time.Minute}
	// lookPause is how long the looks rest when the store cannot be searched.
	lookPause = pace.Backoff{First: 2 * time.Second, Max: 30 * time.Second}
)

// orphans is the look for events whose writer has died, or can't reach the broker: every
// instance looks for those of all, at its own moments, and hands what it finds to its fast
// path. Owned by one goroutine.
type orphans struct {
	f     *FastPath
	every time.Duration
	known map[string]*orphan // keys that the last look has shown
	pages int                // that the last look has read
	fails int                // failed looks in a row
}

// orphan is a key that a look has shown, and what looks have done with it.
type orphan struct {
	drains int
	next   time.Time // not handed on again before
	oldest time.Time // of its events, as far as this look has shown them
	before time.Time // the same of the look before this one; zero if that has not shown the key
	handed bool      // by this look
}

// run looks at once, and then again and again until ctx ends. The moments are spread over
// half of the interval, so that instances which started together look apart.
func (o *orphans) run(ctx context.Context) {
	for {
		err := o.look(ctx)
		wait := o.every*3/4 + o.f.d.opts.Jitter(o.every/2)
		wait *= time.Duration(max(1, o.pages/orphanPages))
		if err != nil {
			o.fails++
			wait = max(wait, lookPause.WaitBy(o.f.d.opts.Jitter, o.fails, RetryAfterOf(err)))
			o.f.d.opts.Observer.tell(LookFailed{Err: err})
		} else {
			o.fails = 0
		}
		if pace.Sleep(ctx, wait) != nil {
			return
		}
	}
}

// look hands on the keys of orphans. An instance that can't reach the broker doesn't look:
// it could do nothing for them, and others can. A backlog is not for the fast path's few
// workers: a part of it is drained as a sweep would, unless one is under way here.
func (o *orphans) look(ctx context.Context) error {
	if o.f.d.gate.closed() > 0 {
		o.known = nil // the pause may be what kept them back
		return nil
	}
	now, seen := time.Now(), map[string]*orphan{}
	var found []string // keys with something to do
	fresh := 0         // pages with some
	o.pages = 0
	err := o.f.d.queue.Find(ctx, func(heads []Head) error {
		rand.Shuffle(len(heads), func(i, j int) { heads[i], heads[j] = heads[j], heads[i] }) // others look, too
		before := len(found)
		for _, h := range heads {
			if h.young(now, orphanAge) {
				continue
			}
			one, ok := seen[h.Key]
			if !ok {
				one = o.known[h.Key].again()
				seen[h.Key] = one
			}
			if back := one.shows(h); ok && !back || one.handed || !o.free(ctx, h.Key, one, now) {
				continue
			}
			one.handed = true
			if found = append(found, h.Key); len(found) >= orphanKeys {
				return errEnough
			}
		}
		if len(found) > before {
			fresh++
		}
		if o.pages++; fresh >= orphanPages || o.pages >= blindPages {
			return errEnough
		}
		return ctx.Err()
	})
	o.known = seen
	switch {
	case len(found) < orphanKeys:
		o.hand(found, now)
	case o.f.d.passes.Load() == 0:
		o.relieve(ctx, found, now)
	}
	if errors.Is(err, errEnough) || ctx.Err() != nil {
		return nil
	}
	return err
}

// again is what a look begins with that shows the key of one, or of none that is known.
func (one *orphan) again() *orphan {
	if one == nil {
		return &orphan{}
	}
	return &orphan{drains: one.drains, next: one.next, before: one.oldest}
}

// shows notes an event of the key, which a look may show in any order. True: an operator has put it
// back, before those that have waited for it, so that the key is worth a drain at once.
func (one *orphan) shows(h Head) (back bool) {
	if !one.oldest.IsZero() && !h.CreatedAt.Before(one.oldest) {
		return false
	}
	one.oldest = h.CreatedAt
	if !h.CreatedAt.Before(one.before) {
		return false
	}
	one.drains, one.next = 0, time.Time{}
	return true
}

// free says whether the key should be tried: it does not wait, and was not tried a moment ago, and
// nobody here is at it. One that is paused is tried as soon as it is not.
func (o *orphans) free(ctx context.Context, key string, one *orphan, now time.Time) bool {
	halted, err := o.f.d.halts.of(ctx, key)
	if halted {
		one.drains, one.next = 0, time.Time{}
	}
	if halted || err != nil {
		return false
	}
	wait, clean := o.f.d.refusals.of(key)
	return wait == 0 && (!clean || !now.Before(one.next)) && !o.f.has(key) && !o.f.d.taken.has(key)
}

// hand gives the keys to the fast path, unless that has them by now, or no room.
func (o *orphans) hand(keys []string, now time.Time) {
	for _, key := range keys {
		if o.f.adopt(key) {
			o.known[key].tried(now)
		}
	}
}

// relieve drains the keys here, for no longer than a look may take.
func (o *orphans) relieve(ctx context.Context, keys []string, now time.Time) {
	for _, key := range keys {
		o.known[key].tried(now)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, 2*o.f.opts.Budget, errBudget)
	defer cancel()
	o.f.d.sweepKeys(ctx, keys, min(o.every, o.f.opts.Budget))
}

// tried notes that the orphan is handed on now.
func (one *orphan) tried(now time.Time) {
	one.drains++
	one.next = now.Add(orphanPause.Ceiling(one.drains))
}
