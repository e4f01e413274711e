package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/relaybox/relaybox/internal/recent"
)

// Event is one delivered event. Decode makes one from a message's body.
type Event struct {
	// Key is what the event is about: order holds within a key.
	Key string `json:"key"`
	// Seq numbers the events of one Key within an Incarnation.
	Seq         int64       `json:"seq"`
	Incarnation Incarnation `json:"incarnation,omitzero"`
	// Version is the entity's after the change, 0 where the source does not say.
	Version int64  `json:"version,omitempty"`
	ID      string `json:"id"`
	Type    string `json:"type"`
	// Source and Subject are the CloudEvents attributes, Time the writer's clock.
	Source  string    `json:"source,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Time    time.Time `json:"time,omitzero"`
	// Data is the CloudEvents data. Decoded is for the consumer: what it has read in Data
	// before, so that Apply need not read it again. An event that was stored has lost it.
	Data    json.RawMessage `json:"data,omitempty"`
	Decoded any             `json:"-"`
	// TraceParent and TraceState are the W3C trace context of the request behind the event.
	TraceParent string `json:"traceparent,omitempty"`
	TraceState  string `json:"tracestate,omitempty"`
}

// SkippedType is the type of a marker: it stands in the place of an event that an operator of
// the writing side has skipped, and is never sent.
const SkippedType = "relaybox.skipped"

// Skipped says whether the event is a marker. It counts, and applies to nothing.
func (e Event) Skipped() bool { return e.Type == SkippedType }

// Policy says what happens to an event whose predecessor has not come.
type Policy int

const (
	// Snapshot lets it wait, applies it in the end and counts the gap: right where an event
	// carries the whole state.
	Snapshot Policy = iota
	// Strict leaves it where it is, and tells of it, until the predecessor comes.
	Strict
	// Newest applies it at once, and takes the gap for what the subscription's rule leaves out:
	// right where an event carries the whole state and the rule lets only some of them through.
	Newest
)

// Outcome says what an event did.
type Outcome int

// The outcomes are successes, all of them.
const (
	Applied Outcome = iota + 1
	// Duplicate: it was applied before, or waits beside its model.
	Duplicate
	// Stale: it was given up, and later events were applied over it.
	Stale
	// Superseded: it belongs to an incarnation that its key has left behind.
	Superseded
	// Stored: it came before its predecessor, and waits for it beside its model.
	Stored
)

// String is the outcome as logs have it.
func (o Outcome) String() string {
	if o < Applied || o > Stored {
		return "none"
	}
	return [...]string{"applied", "duplicate", "stale", "superseded", "stored"}[o-Applied]
}

// Apply makes the new read model from the old one (nil at first) and an event. It
// must be pure. Its error is permanent: the event goes back to the broker, which
// dead-letters it in the end.
type Apply func(model json.RawMessage, e Event) (json.RawMessage, error)

// Options configures an Inbox; the zero value works.
type Options struct {
	Policy Policy
	// Hold is how long transient faults are retried before the event is given back;
	// default 4 minutes. Keep it below the lock's renewal limit and the host's
	// function timeout. With the broker's limit of deliveries it is the longest outage
	// that costs no event: see package doc.
	Hold time.Duration
	// Wait is how long an event waits in memory for its predecessor before it is stored;
	// default 1 s, and at most half of Hold. MaxWaiting bounds how many do at the same time, default 64: each keeps a
	// call of the host, so make it half of what the host calls at once. What is more is
	// stored at once.
	Wait       time.Duration
	MaxWaiting int
	// EarlyWait is how long an event that is stored waits for its predecessor; default 3
	// minutes. It must exceed the broker's lock with a delivery: an instance that dies or
	// freezes keeps the predecessor that long.
	EarlyWait time.Duration
	// Reach says whether the broker can be reached. Sweep asks it before it ends waits, and ends
	// none unless broker and store have been there for a third of EarlyWait, or five minutes: what
	// could not come in an outage comes after it. nil: nobody is asked, and a longer outage has Snapshot go on
	// over what was under way.
	Reach func(context.Context) error
	// StartAnywhere lets a key's first event have any number. Without it, an event above
	// the first of its incarnation waits like any other.
	StartAnywhere bool
	// CacheBytes bounds the models that are kept in memory, so as not to read them before
	// each write; default 8 MiB, negative for none.
	CacheBytes int
	// MaxDeliveries is the broker's limit, for GiveUp; 0 when nobody knows it.
	MaxDeliveries int
	Observer      Observer
	Tracer        Tracer
}

// Inbox applies events to the read models in a store. Events of one key that are in hand at
// the same time queue by number, and those that follow each other go out as one write.
type Inbox struct {
	store  Store
	apply  Apply
	opts   Options
	models *recent.Cache[Model]
	calm   calm

	mu      sync.Mutex
	lanes   map[string]*lane // keys with events in hand; guarded by mu
	waiting int              // events that wait in memory; guarded by mu
}

// New returns an Inbox.
func New(s Store, apply Apply, opts Options) *Inbox {
	defaults := func(d *time.Duration, of time.Duration) {
		if *d <= 0 {
			*d = of
		}
	}
	defaults(&opts.Hold, 4*time.Minute)
	defaults(&opts.Wait, time.Second)
	defaults(&opts.EarlyWait, 3*time.Minute)
	opts.Wait = min(opts.Wait, opts.Hold/2)
	if opts.MaxWaiting == 0 {
		opts.MaxWaiting = 64
	}
	if opts.CacheBytes == 0 {
		opts.CacheBytes = 8 << 20
	}
	return &Inbox{store: s, apply: apply, opts: opts, models: recent.New[Model](max(0, opts.CacheBytes)), lanes: map[string]*lane{}}
}

// errHold is the cause of the end of a call that was held for too long.
var errHold = errors.New("it was held for too long")

// Once gives e its effect, if it has not had it, or stores it if it comes before its
// predecessor, and holds it while the store is away. An error means that e was not applied,
// or that nobody knows, and that the broker must deliver it again: a *Transient or
// ErrConflict that outlived Hold, what apply returned, or the context's.
func (i *Inbox) Once(ctx context.Context, e Event) (Outcome, error) {
	return i.do(ctx, &call{event: e})
}

func (i *Inbox) do(ctx context.Context, c *call) (Outcome, error) {
	hold := i.opts.Hold
	if c.sweep {
		hold = min(hold, sweepHold)
	}
	if c.gone {
		hold = min(hold, noteHold)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, hold, errHold)
	defer cancel()
	c.until = time.Now().Add(hold)
	c.done = make(chan struct{})
	i.enter(ctx, c)
	select {
	case <-c.done:
	case <-ctx.Done():
		i.leave(ctx, c)
	}
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.outcome, c.err
}

// call is one event in hand, or one that is gone, or the wish to look after a key's early ones.
type call struct {
	event Event
	sweep bool
	gone  bool // the event will not come: see GiveUp
	// patient: the sweep ends no wait.
	patient bool
	until   time.Time
	// due is when the event has waited long enough in memory; zero before it waits.
	due  time.Time
	slot bool // it counts in Inbox.waiting

	// Guarded by Inbox.mu until done is closed; read-only afterwards.
	fault    error // what it is held for
	outcome  Outcome
	err      error
	panicked error // what Apply panicked with
	done     chan struct{}
}

func (c *call) finished() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// first says whether it is the first event of all that its key may ever have had.
func (c *call) first() bool {
	return !c.sweep && c.event.Seq == 1 && c.event.Incarnation.First <= 1
}

// enter puts c into the queue of its key.
func (i *Inbox) enter(ctx context.Context, c *call) {
	i.mu.Lock()
	defer i.mu.Unlock()
	l, ok := i.lanes[c.event.Key]
	if !ok {
		l = &lane{i: i, key: c.event.Key}
		i.lanes[l.key] = l
		go l.run(context.WithoutCancel(ctx)) // ends when nobody waits
	}
	l.calls = append(l.calls, c)
	if l.wake != nil {
		l.wake()
	}
}

// leave ends c at the end of its caller's context, unless it has its outcome by now. What is
// on its way to the store may arrive.
func (i *Inbox) leave(ctx context.Context, c *call) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if c.finished() {
		return
	}
	l := i.lanes[c.event.Key] // c is in it
	cause := context.Cause(ctx)
	switch {
	case c.fault == nil:
		c.err = fmt.Errorf("event %d of %q: %w", c.event.Seq, c.event.Key, cause)
	case errors.Is(cause, errHold):
		c.err = c.fault
	default:
		c.err = fmt.Errorf("event %d of %q is held: %w: %w", c.event.Seq, c.event.Key, cause, c.fault)
	}
	l.close(c)
	if len(l.calls) == 0 && l.cut != nil {
		l.cut()
	}
}

// close takes c out of the lane and lets its caller go. The caller holds i.mu.
func (l *lane) close(c *call) {
	if c.slot {
		c.slot = false
		l.i.waiting--
	}
	l.calls = slices.DeleteFunc(l.calls, func(o *call) bool { return o == c })
	close(c.done)
}
