package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// Event is one delivered event.
type Event struct {
	Key  string
	Seq  int64
	ID   string
	Type string
	// Data is the CloudEvents data.
	Data json.RawMessage
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
)

func (o Outcome) String() string {
	if o < Applied || o > Stale {
		return "none"
	}
	return [...]string{"applied", "duplicate", "stale"}[o-Applied]
}

// GapError is returned under Strict for an event that comes too early.
type GapError struct {
	Key          string
	LastSeq, Seq int64
}

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
	// function timeout.
	Hold time.Duration
	// Held is told of every transient fault and the wait that follows. May be nil.
	Held func(e Event, err error, wait time.Duration)
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
	if opts.Held == nil {
		opts.Held = func(Event, error, time.Duration) {}
	}
	return &Inbox{store: s, apply: apply, opts: opts}
}

const maxConflicts = 20

var (
	// conflictPause spreads those who apply events of one key.
	conflictPause = pace.Backoff{First: 2 * time.Millisecond, Max: 128 * time.Millisecond}
	// heldPause is between the tries of an event that is held.
	heldPause = pace.Backoff{First: 20 * time.Millisecond, Max: 5 * time.Second}
)

// Once gives e its effect, if it has not had it, and holds it while the store is
// away or, under Strict, a gap is open. Its errors mean that e was not applied: a
// *Transient or *GapError that outlived Hold, what apply returned, or the context's.
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
			i.opts.Held(e, err, wait)
			if cut := pace.Sleep(ctx, wait); cut != nil {
				return 0, fmt.Errorf("event %d of %q is held: %w: %w", e.Seq, e.Key, cut, err)
			}
		default:
			return 0, err
		}
	}
}

// passes says whether err may go away by itself, and the wait that the store asked
// for. A gap does when its event is being applied elsewhere, or is redriven.
func passes(err error) (wish time.Duration, ok bool) {
	if t, ok := errors.AsType[*Transient](err); ok {
		return t.RetryAfter, true
	}
	_, ok = errors.AsType[*GapError](err)
	return 0, ok
}

// try is one load, decision and commit.
func (i *Inbox) try(ctx context.Context, e Event) (Outcome, error) {
	m, seen, err := i.store.Load(ctx, e.Key, e.ID)
	switch {
	case err != nil:
		return 0, err
	case seen:
		return Duplicate, nil
	case e.Seq <= m.LastSeq:
		return Stale, nil
	}
	if gap := m.LastSeq > 0 && e.Seq > m.LastSeq+1; gap {
		if i.opts.Policy == Strict {
			return 0, &GapError{Key: e.Key, LastSeq: m.LastSeq, Seq: e.Seq}
		}
		m.Gaps += e.Seq - m.LastSeq - 1
	}
	if m.Data, err = i.apply(m.Data, e); err != nil {
		return 0, fmt.Errorf("apply event %d of %q: %w", e.Seq, e.Key, err)
	}
	m.LastSeq = e.Seq
	if err := i.store.Apply(ctx, m, e.ID); err != nil {
		if errors.Is(err, ErrDuplicate) {
			return Duplicate, nil
		}
		return 0, err
	}
	return Applied, nil
}
