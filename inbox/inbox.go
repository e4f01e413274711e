package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// Event is one delivered event. Decode makes one from a message's body.
type Event struct {
	// Key is what the event is about: order holds within a key.
	Key string
	// Seq numbers the events of one Key within an Incarnation.
	Seq         int64
	Incarnation Incarnation
	ID          string
	Type        string
	// Source and Subject are the CloudEvents attributes, Time the writer's clock.
	Source, Subject string
	Time            time.Time
	// Data is the CloudEvents data. Decoded is for the consumer: what it has read in Data
	// before, so that Apply need not read it again.
	Data    json.RawMessage
	Decoded any
	// TraceParent and TraceState are the W3C trace context of the request behind the event.
	TraceParent, TraceState string
}

// Policy says what happens to an event that comes before its predecessor.
type Policy int

const (
	// Snapshot applies it and counts the gap: right where an event carries the whole state.
	Snapshot Policy = iota
	// Strict holds it until the gap closes, and gives it back with a *GapError after Hold.
	Strict
)

// Outcome says what an event did.
type Outcome int

// The outcomes are successes, all of them.
const (
	Applied Outcome = iota + 1
	Duplicate
	Stale
	// Superseded: the event belongs to an incarnation that its key has left behind.
	Superseded
)

// String is the outcome as logs have it.
func (o Outcome) String() string {
	if o < Applied || o > Superseded {
		return "none"
	}
	return [...]string{"applied", "duplicate", "stale", "superseded"}[o-Applied]
}

// GapError is returned under Strict for an event that comes too early.
type GapError struct {
	Key          string
	LastSeq, Seq int64
}

// Error names the key, the event and the one that is missing.
func (e *GapError) Error() string {
	return fmt.Sprintf("event %d of %q came before event %d", e.Seq, e.Key, e.LastSeq+1)
}

// Apply makes the new read model from the old one (nil at first) and an event. It
// must be pure. Its error is permanent: the event goes back to the broker, which
// dead-letters it in the end.
type Apply func(model json.RawMessage, e Event) (json.RawMessage, error)

// Options configures Once; the zero value works.
type Options struct {
	Policy Policy
	// Hold is how long transient faults are retried before the event is given back;
	// default 4 minutes. Keep it below the lock's renewal limit and the host's
	// function timeout. With the broker's limit of deliveries it is the longest outage
	// that costs no event: see package doc.
	Hold     time.Duration
	Observer Observer
}

// Inbox applies events to the read models in a store.
type Inbox struct {
	store Store
	apply Apply
	opts  Options
}

// New returns an Inbox.
func New(s Store, apply Apply, opts Options) *Inbox {
	if opts.Hold <= 0 {
		opts.Hold = 4 * time.Minute
	}
	return &Inbox{store: s, apply: apply, opts: opts}
}

// maxConflicts in a row are somebody's haste; what is more is held.
const maxConflicts = 20

var (
	// conflictPause spreads those who apply events of one key.
	conflictPause = pace.Backoff{First: 2 * time.Millisecond, Max: 128 * time.Millisecond}
	// heldPause is between the tries of an event that is held.
	heldPause = pace.Backoff{First: 20 * time.Millisecond, Max: 5 * time.Second}
)

// Once gives e its effect, if it has not had it, and holds it while the store is
// away or, under Strict, a gap is open. Its errors mean that e was not applied: a
// *Transient, ErrConflict or *GapError that outlived Hold, what apply returned, or the
// context's.
func (i *Inbox) Once(ctx context.Context, e Event) (Outcome, error) {
	deadline := time.Now().Add(i.opts.Hold)
	conflicts := 0
	for failures := 0; ; {
		outcome, err := i.try(ctx, e)
		wish, passing := passes(err)
		switch {
		case err == nil:
			return outcome, nil
		case errors.Is(err, ErrConflict) && conflicts < maxConflicts:
			conflicts++
			if err := pace.Sleep(ctx, conflictPause.Spread(conflicts)); err != nil {
				return 0, err
			}
		case passing:
			failures++
			wait := heldPause.Wait(failures, wish)
			if time.Now().Add(wait).After(deadline) {
				return 0, err
			}
			i.opts.Observer.tell(Held{e, err, wait, failures})
			if cut := pace.Sleep(ctx, wait); cut != nil {
				return 0, fmt.Errorf("event %d of %q is held: %w: %w", e.Seq, e.Key, cut, err)
			}
		default:
			return 0, err
		}
	}
}

// passes says whether err may go away by itself, and the wait that the store asked
// for. A gap does when its event is being applied elsewhere, or is redriven; a conflict
// when the others rest, or the replica that shows an old model has caught up.
func passes(err error) (wish time.Duration, ok bool) {
	if t, ok := errors.AsType[*Transient](err); ok {
		return t.RetryAfter, true
	}
	_, ok = errors.AsType[*GapError](err)
	return 0, ok || errors.Is(err, ErrConflict)
}

// try is one load, decision and commit.
func (i *Inbox) try(ctx context.Context, e Event) (Outcome, error) {
	m, seen, err := i.store.Load(ctx, e.Key, e.ID)
	switch {
	case err != nil:
		return 0, err
	case seen:
		return Duplicate, nil
	}
	next, missing, outcome := advance(m, e)
	switch {
	case outcome == Superseded:
		i.opts.Observer.tell(Late{e, m.Incarnation})
		return outcome, nil
	case outcome != Applied:
		return outcome, nil
	case missing > 0 && m.LastSeq > 0 && i.opts.Policy == Strict:
		return 0, &GapError{Key: e.Key, LastSeq: e.Seq - missing - 1, Seq: e.Seq}
	}
	next.Gaps += missing
	if next.Data, err = i.apply(next.Data, e); err != nil {
		return 0, fmt.Errorf("apply event %d of %q: %w", e.Seq, e.Key, err)
	}
	if err := i.store.Apply(ctx, next, e.ID); err != nil {
		if errors.Is(err, ErrDuplicate) {
			return Duplicate, nil
		}
		return 0, err
	}
	i.told(m, e, missing)
	return Applied, nil
}

// told tells what was out of the ordinary about an event that was applied to m.
func (i *Inbox) told(m Model, e Event, missing int64) {
	if m.LastSeq > 0 && m.Incarnation.ID != e.Incarnation.ID {
		i.opts.Observer.tell(Followed{Event: e, From: m.Incarnation, LastSeq: m.LastSeq})
	}
	if missing > 0 {
		i.opts.Observer.tell(Jumped{Event: e, Missing: missing})
	}
}
