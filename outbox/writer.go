package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// WriterOptions configures a Writer; the zero value works but for Source.
type WriterOptions struct {
	// Source is the CloudEvents source, a URI reference. The kind of the entity is added to
	// it: "/relaybox" becomes "/relaybox/profile".
	Source string
	// MaxEventBytes bounds an event's envelope; default 245,760: what Service Bus
	// Standard takes (262,144) less room for the message's own properties.
	MaxEventBytes int
	// Patience bounds a Write whose context ends later, or never; default 25 s.
	Patience time.Duration
	// Queue is how many requests for one key may wait for each other; default 1,000.
	Queue int
	// CacheBytes bounds the entities that are kept, so that a write needs no read before its
	// commit; default 8 MiB, below 0 none.
	CacheBytes int
	// Committed is called after a commit that made events. It must not block. They come with
	// their revisions, or not at all where the commit's answer was lost.
	Committed func(key string, events ...Event)
	Observer  Observer
	Tracer    Tracer
}

// Writer commits entities together with their events. It remembers the requests that are under
// way, and entities that it has seen lately, as something to bet on: any number of writers in
// any number of processes may work on the same keys. Those of one Writer don't race each other: requests for one key queue, and while a
// batch is on its way those behind it are decided on its outcome and go out together in
// the next one.
type Writer struct {
	store Store
	opts  WriterOptions
	kept  *kept

	mu    sync.Mutex
	lanes map[string]*lane // keys with requests under way; guarded by mu
}

// NewWriter returns a Writer on store.
func NewWriter(store Store, opts WriterOptions) *Writer {
	if opts.MaxEventBytes == 0 {
		opts.MaxEventBytes = 240 << 10
	}
	if opts.Patience <= 0 {
		opts.Patience = 25 * time.Second
	}
	if opts.Queue <= 0 {
		opts.Queue = 1000
	}
	if opts.CacheBytes == 0 {
		opts.CacheBytes = keptBytes
	}
	if opts.Committed == nil {
		opts.Committed = func(string, ...Event) {}
	}
	return &Writer{store: store, opts: opts, kept: newKept(max(0, opts.CacheBytes)), lanes: map[string]*lane{}}
}

// Write carries out one request: nothing of it is stored, or all of it, once. Its answer was
// true at one moment between the call and the return, whatever replica was read: it
// is given when a batch has committed that replaced the entity which it was decided on, be
// it with the same content.
//
// It returns what Decide returned, ErrKeyReused, ErrTwinInFlight, ErrContended,
// *EventTooLargeError, an *Error, or the cause of ctx's end. After class Ambiguous the
// change may have been stored, or may yet be; after any other error nothing was, and
// nothing will be.
func (w *Writer) Write(ctx context.Context, req Request) (Answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, w.opts.Patience, errPatience)
	defer cancel()
	c := &call{req: req, done: make(chan struct{})}
	c.until, _ = ctx.Deadline()
	if req.IdempotencyKey != "" {
		c.receiptID = ReceiptDocID(req.IdempotencyKey)
	}
	if err := w.enter(ctx, c); err != nil {
		return Answer{}, err
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		if err := w.leave(ctx, c); err != nil {
			return Answer{}, err
		}
	}
	if c.panicked != nil {
		panic(c.panicked)
	}
	return c.answer, c.err
}

// call is one Write under way.
type call struct {
	req       Request
	receiptID string
	until     time.Time

	// Guarded by Writer.mu until done is closed; read-only afterwards.
	sent     bool // it is part of a batch that may be on its way
	gone     bool // its caller has stopped waiting
	answer   Answer
	err      error
	panicked error // what Decide or Render panicked with
	done     chan struct{}
}

// enter puts c into the queue of its key.
func (w *Writer) enter(ctx context.Context, c *call) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	l, ok := w.lanes[c.req.Key]
	if !ok {
		l = &lane{w: w, key: c.req.Key}
		w.lanes[l.key] = l
		go l.run(context.WithoutCancel(ctx)) // ends when nobody waits
	}
	if len(l.waiting) >= w.opts.Queue {
		return fmt.Errorf("write %q: %w: %d requests wait for it", c.req.Key, ErrContended, len(l.waiting))
	}
	l.waiting = append(l.waiting, c)
	l.callers++
	return nil
}

// leave ends c at the end of its caller's context: nil if it has an answer by now.
func (w *Writer) leave(ctx context.Context, c *call) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.finished() {
		return nil
	}
	l := w.lanes[c.req.Key] // c is in it
	c.gone = true
	if l.callers--; l.callers == 0 && l.cut != nil {
		l.cut() // a batch on its way may arrive, but nobody asks any more
	}
	if c.sent {
		return &Error{Class: Ambiguous, Op: fmt.Sprintf("write %q", c.req.Key), Err: context.Cause(ctx)}
	}
	l.waiting = slices.DeleteFunc(l.waiting, func(o *call) bool { return o == c })
	switch cause := context.Cause(ctx); {
	case l.contended:
		return fmt.Errorf("write %q: %w: %w", c.req.Key, ErrContended, cause)
	case errors.Is(cause, errPatience):
		return &Error{Class: Timeout, Op: fmt.Sprintf("write %q", c.req.Key), Err: cause}
	default:
		return fmt.Errorf("write %q: %w", c.req.Key, cause)
	}
}

func (c *call) finished() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// successor is cur after the change, without the events' numbers taken.
func successor(cur Entity, dec Decision, now time.Time) Entity {
	next := cur
	next.LastSeq += int64(len(dec.Events))
	if dec.Replay != "" {
		next.Replay = dec.Replay
		return next
	}
	next.Version++
	next.Deleted, next.Data = dec.Deleted, dec.Data
	if dec.Deleted {
		next.Data = nil
	}
	next.UpdatedAt = now
	return next
}
