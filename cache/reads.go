package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/relaybox/relaybox/internal/pace"
	"github.com/relaybox/relaybox/outbox"
)

// Source loads an entity as it is; outbox.Store is one.
type Source interface {
	Load(ctx context.Context, key string) (outbox.Entity, error)
}

// Options configures a Reads; the zero value works.
type Options struct {
	// Patience is how long a read waits for the cache, once to ask it and once to tell it; default
	// 100 ms.
	Patience time.Duration
	// LoadTime bounds a read of the source, which goes on when the one who began it has left,
	// because others may wait for it; default 30 s.
	LoadTime time.Duration
	Observer Observer
}

// Signal is what an Observer is told: Answered, Failed or Back.
type Signal any

// Observer is told what happens. It must not block. Nil is fine.
type Observer func(Signal)

func (o Observer) tell(s Signal) {
	if o != nil && s != nil {
		o(s)
	}
}

// Answered is a read that was answered. Hit: the source was not asked for it.
type Answered struct{ Hit bool }

// Failed says that the cache did not work, and is left alone For a while.
type Failed struct {
	Err   error
	Times int // in a row
	For   time.Duration
}

// Back says that the cache works again.
type Back struct{ After time.Duration }

// Reads answers reads from a Store, and from a Source where that has nothing that is new enough.
type Reads struct {
	source  Source
	store   Store
	opts    Options
	flights singleflight.Group

	mu    sync.Mutex
	fails int       // of the store, in a row; guarded by mu
	since time.Time // of the first of them; guarded by mu
	until time.Time // the store is left alone; guarded by mu
}

// New returns Reads of source through store.
func New(source Source, store Store, opts Options) *Reads {
	if opts.Patience <= 0 {
		opts.Patience = 100 * time.Millisecond
	}
	if opts.LoadTime <= 0 {
		opts.LoadTime = 30 * time.Second
	}
	return &Reads{source: source, store: store, opts: opts}
}

// Recent returns the entity as it was at most age ago, how old the answer is, and whether it was
// there already. An entity that never was is no fault, and is not kept.
func (r *Reads) Recent(ctx context.Context, key string, age time.Duration) (e outbox.Entity, old time.Duration, hit bool, err error) {
	if kept, ok := r.get(ctx, key); ok && time.Since(kept.At) <= age {
		r.opts.Observer.tell(Answered{Hit: true})
		return kept.Entity, max(0, time.Since(kept.At)), true, nil
	}
	for began := time.Now(); ; {
		flight := r.flights.DoChan(key, func() (any, error) { return r.load(ctx, key) })
		select {
		case <-ctx.Done():
			return outbox.Entity{}, 0, false, &outbox.Error{Class: outbox.Timeout, Op: "read " + key, Err: context.Cause(ctx)}
		case done := <-flight:
			if done.Err != nil {
				return outbox.Entity{}, 0, false, done.Err
			}
			loaded := done.Val.(Entry)
			if old = max(0, time.Since(loaded.At)); loaded.At.Before(began) && old > age {
				continue // somebody else's, which has begun too early
			}
			r.opts.Observer.tell(Answered{})
			return loaded.Entity, old, false, nil
		}
	}
}

// load reads the source for all who wait, and keeps what it shows. It runs in a goroutine of its own,
// where a panic would end the process.
func (r *Reads) load(ctx context.Context, key string) (e Entry, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read %q: panic: %v\n%s", key, p, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.opts.LoadTime)
	defer cancel()
	e.At = time.Now()
	if e.Entity, err = r.source.Load(ctx, key); err != nil {
		return Entry{}, err
	}
	e.Entity = readable(e.Entity)
	if e.Entity.Version > 0 {
		r.put(ctx, e)
	}
	return e, nil
}

func (r *Reads) get(ctx context.Context, key string) (e Entry, ok bool) {
	r.try(ctx, func(ctx context.Context) (err error) {
		e, ok, err = r.store.Get(ctx, key)
		return err
	})
	return e, ok
}

func (r *Reads) put(ctx context.Context, e Entry) {
	r.try(ctx, func(ctx context.Context) error { return r.store.Put(ctx, e) })
}

// pause is how long the store is left alone after failures in a row.
var pause = pace.Backoff{First: 100 * time.Millisecond, Max: 5 * time.Second}

// errPatience is the cause of an end that says something about the store, and nothing about who asks.
var errPatience = errors.New("the cache took too long")

// try lets do ask the store, unless that is left alone, and notes whether it works.
func (r *Reads) try(ctx context.Context, do func(ctx context.Context) error) {
	r.mu.Lock()
	closed := time.Now().Before(r.until)
	r.mu.Unlock()
	if closed {
		return
	}
	inner, cancel := context.WithTimeoutCause(ctx, r.opts.Patience, errPatience)
	defer cancel()
	err := do(inner)
	if err != nil && ctx.Err() != nil {
		return // the caller has left
	}
	if err != nil && errors.Is(context.Cause(inner), errPatience) {
		err = fmt.Errorf("%w: %w", errPatience, err)
	}
	r.opts.Observer.tell(r.note(err))
}

// note counts failures, and returns what there is to tell, nil for nothing.
func (r *Reads) note(err error) Signal {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	switch {
	case err == nil && r.fails == 0:
		return nil
	case err == nil:
		s := Back{After: now.Sub(r.since)}
		r.fails = 0
		return s
	case now.Before(r.until): // somebody else has noted it
		return nil
	}
	if r.fails++; r.fails == 1 {
		r.since = now
	}
	wait := pause.Wait(r.fails, 0)
	r.until = now.Add(wait)
	return Failed{Err: err, Times: r.fails, For: wait}
}
