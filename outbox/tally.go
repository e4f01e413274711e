package outbox

import (
	"context"
	"errors"
	"time"
)

// Tally is what a store holds that is not sent.
type Tally struct {
	Pending int
	// Oldest is the age of the oldest pending event.
	Oldest time.Duration
	// Parked events hold up Keys keys.
	Parked, Keys int
	// Passed are parked events whose keys went on without them.
	Passed int
	// MorePending and MoreParked: there are more than were counted, and an older one may be
	// among them.
	MorePending, MoreParked bool
}

// errCounted ends a walk that has counted as many as were asked for.
var errCounted = errors.New("that is enough")

// Count looks at the events that are stored, at most most of either state, and at all of them
// for 0, and shows each to seen, unless that is nil. Its error names what could not be searched;
// what was found elsewhere is counted.
func Count(ctx context.Context, d Desk, now time.Time, most int, seen func(Event)) (Tally, error) {
	if seen == nil {
		seen = func(Event) {}
	}
	var t Tally
	blocked := map[string]struct{}{}
	walk := func(parked bool, add func(Event)) (more bool, _ error) {
		n := 0
		err := d.Waiting(ctx, parked, func(page []Event) error {
			for _, e := range page {
				if most > 0 && n == most {
					return errCounted
				}
				n++
				if e.Parked() == parked { // else it has changed meanwhile, and is met in the other walk or was
					add(e)
					seen(e)
				}
			}
			return ctx.Err()
		})
		if errors.Is(err, errCounted) {
			return true, nil
		}
		return false, err
	}
	var parked, pending error
	t.MoreParked, parked = walk(true, func(e Event) {
		if e.Fault.Skipped {
			t.Passed++
			return
		}
		t.Parked++
		blocked[e.Key] = struct{}{}
	})
	t.MorePending, pending = walk(false, func(e Event) {
		t.Pending++
		t.Oldest = max(t.Oldest, now.Sub(e.CreatedAt))
	})
	t.Keys = len(blocked)
	return t, errors.Join(parked, pending)
}
