package replay

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/relaybox/relaybox/outbox"
)

// Options configures a Replay; its zero values work but for Subscription and Draft.
type Options struct {
	Kind, Subscription string
	// Author and Reason are for the record.
	Author, Reason string
	// Rate is how many entities are told of in a second; default 100.
	Rate int
	// Backlog is how many events may be pending, of all kinds, before the run waits; default 1,000.
	Backlog int
	// Patience is how long faults of the store are borne that are no throttling; default a minute.
	Patience time.Duration
	// Again begins anew, whatever there was.
	Again bool
	// Draft is the snapshot of an entity.
	Draft func(e outbox.Entity) outbox.Draft
	// Charge is what this process has spent so far, in request units; nil for unknown.
	Charge func() float64
	// Failed hears of entities whose snapshot can never be sent. It must not block.
	Failed func(key string, err error)
}

// Replay is one run, or what is left of it.
type Replay struct {
	writer *outbox.Writer
	store  Store
	opts   Options
	pacer  *pacer
	holder string
	before float64 // what others have spent on the run
	// rescanned: the store did not know any more where the run was, once.
	rescanned bool

	mu    sync.Mutex // guards the rest, which Do's goroutine alone changes but for page and waits
	run   Run        // as it was kept last
	page  Counts     // of the page that is under way
	waits string     // what for; "" for nothing
}

// New returns a replay through w on the store that w writes to.
func New(w *outbox.Writer, s Store, o Options) *Replay {
	if o.Rate <= 0 {
		o.Rate = 100
	}
	if o.Backlog <= 0 {
		o.Backlog = 1000
	}
	if o.Patience <= 0 {
		o.Patience = time.Minute
	}
	if o.Charge == nil {
		o.Charge = func() float64 { return 0 }
	}
	if o.Failed == nil {
		o.Failed = func(string, error) {}
	}
	return &Replay{writer: w, store: s, opts: o, pacer: newPacer(o.Rate), holder: newID()}
}

// newID names a run, or a process.
func newID() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails
	return hex.EncodeToString(id[:])
}

// ErrTaken: another process has gone on with the run. Nothing is lost; one of them is enough.
var ErrTaken = errors.New("another process goes on with this replay")

// Do begins the run, or goes on with it, and returns when it is done, or with what has stopped it:
// the same again goes on then. A run that was done before is returned as it was, unless
// Options.Again says otherwise.
func (r *Replay) Do(ctx context.Context) (Run, error) {
	begin := func() error { return r.begin(ctx) }
	err := r.patiently(ctx, begin)
	if errors.Is(err, ErrTaken) { // or a replica lags, which has been told by now what it must show
		err = r.patiently(ctx, begin)
	}
	for err == nil && !r.run.Done {
		err = r.forward(ctx)
	}
	return r.Progress().Run, err
}

// begin finds the run, and makes it this process's.
func (r *Replay) begin(ctx context.Context) error {
	run, err := r.store.Replay(ctx, r.opts.Kind, r.opts.Subscription)
	switch {
	case err != nil:
		return err
	case run.ID == "" || r.opts.Again:
		run = Run{
			ID: newID(), Kind: r.opts.Kind, Subscription: r.opts.Subscription, Author: r.opts.Author, Reason: r.opts.Reason,
			Began: time.Now().UTC(), Revision: run.Revision,
		}
	case run.Done:
		r.set(run)
		return nil
	}
	r.before = run.Charge
	return r.keep(ctx, run)
}

// forward tells of one page, and keeps that it did.
func (r *Replay) forward(ctx context.Context) error {
	var page []Found
	next := ""
	err := r.patiently(ctx, func() (err error) {
		page, next, err = r.store.Entities(ctx, r.opts.Kind, r.run.Next)
		return err
	})
	run := r.run
	switch {
	case outbox.ClassOf(err) == outbox.Rejected && run.Next != "" && !r.rescanned:
		r.rescanned = true
		return r.rewind(ctx)
	case err != nil:
		return err
	}
	if err := r.tell(ctx, page); err != nil {
		return err
	}
	run.Counts = run.plus(r.Progress().page)
	if run.Failed >= enough && run.Snapshots+run.Known == 0 {
		err := fmt.Errorf("none of the first %d snapshots could be written: mend what they were refused for, then run it again", run.Failed)
		return errors.Join(err, r.rewind(ctx))
	}
	run.Next, run.Done = next, next == ""
	return r.patiently(ctx, func() error { return r.keep(ctx, run) })
}

// rewind has the run look at all entities again: whoever has a snapshot keeps it.
func (r *Replay) rewind(ctx context.Context) error {
	run := r.run
	run.Next, run.Counts = "", Counts{}
	return r.patiently(ctx, func() error { return r.keep(ctx, run) })
}

// keep stores the run as this process's. What its own process has stored, without an answer, it
// takes for that.
func (r *Replay) keep(ctx context.Context, run Run) error {
	run.Holder, run.At, run.Charge = r.holder, time.Now().UTC(), r.before+r.opts.Charge()
	revision, err := r.store.KeepReplay(ctx, run)
	if errors.Is(err, outbox.ErrConflict) {
		var now Run
		if now, err = r.store.Replay(ctx, run.Kind, run.Subscription); err != nil {
			return err
		}
		if now.Holder != r.holder || now.ID != run.ID || now.Next != run.Next || now.Done != run.Done {
			return ErrTaken
		}
		revision = now.Revision
	}
	if err != nil {
		return err
	}
	run.Revision = revision
	r.set(run)
	return nil
}

// Count looks at what Do would do, and does nothing: Snapshots are those that would be written.
func (r *Replay) Count(ctx context.Context) (Counts, error) {
	var run Run
	err := r.patiently(ctx, func() (err error) {
		run, err = r.store.Replay(ctx, r.opts.Kind, r.opts.Subscription)
		return err
	})
	switch {
	case err != nil:
		return Counts{}, err
	case r.opts.Again:
		run = Run{}
	case run.Done:
		return Counts{}, nil
	}
	var all Counts
	for next := run.Next; ; {
		var page []Found
		err := r.patiently(ctx, func() (err error) {
			page, next, err = r.store.Entities(ctx, r.opts.Kind, next)
			return err
		})
		if err != nil {
			return all, err
		}
		open, settled := sorted(page, run.ID)
		all = all.plus(settled)
		for _, f := range open {
			all = all.plus(toldOf(f.Gone))
		}
		if next == "" {
			return all, nil
		}
	}
}
