package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/relaybox/relaybox/outbox"
)

// Source loads an entity as it is; outbox.Store is one.
type Source interface {
	Load(ctx context.Context, key string) (outbox.Entity, error)
}

// Options configures a Reads; the zero value works.
type Options struct {
	// Patience is how long a read waits for the cache; default 100 ms.
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

// puts bounds the entries that are on their way to the store. Those that find no room are not kept.
const puts = 64

// Reads answers reads from a Store, and from a Source where that has nothing that is new enough.
type Reads struct {
	source  Source
	store   Store
	opts    Options
	flights singleflight.Group
	puts    chan struct{}
	// One may work without the other: a server that is full can be read.
	getting, putting breaker
}

// New returns Reads of source through store.
func New(source Source, store Store, opts Options) *Reads {
	if opts.Patience <= 0 {
		opts.Patience = 100 * time.Millisecond
	}
	if opts.LoadTime <= 0 {
		opts.LoadTime = 30 * time.Second
	}
	return &Reads{source: source, store: store, opts: opts, puts: make(chan struct{}, puts)}
}

// ahead is how far the clock of another instance may be before ours until its entries are not trusted.
const ahead = time.Second

// Recent returns the entity as it was at most age ago, how old the answer is, and whether it was
// there already; without an age, as a read shows it that begins now. It is no older than what was there.
// An entity that never was is no fault, and is not kept.
func (r *Reads) Recent(ctx context.Context, key string, age time.Duration) (e outbox.Entity, old time.Duration, hit bool, err error) {
	began := time.Now()
	kept, ok := r.get(ctx, key)
	if old := time.Since(kept.At); ok && age > 0 && old <= age && old >= -ahead {
		r.opts.Observer.tell(Answered{Hit: true})
		return kept.Entity, max(0, old), true, nil
	}
	for {
		flight := r.flights.DoChan(key, func() (any, error) { return r.load(ctx, key) })
		select {
		case <-ctx.Done():
			return outbox.Entity{}, 0, false, &outbox.Error{Class: outbox.Timeout, Op: "read " + key, Err: context.Cause(ctx)}
		case done := <-flight:
			loaded := done.Val.(Entry)
			old = max(0, time.Since(loaded.At))
			if loaded.At.Before(began) && (done.Err != nil || old > age) {
				continue // somebody else's, which has begun too early
			}
			if done.Err != nil {
				return outbox.Entity{}, 0, false, done.Err
			}
			r.opts.Observer.tell(Answered{})
			if ok && newer(kept, loaded) { // the read came from a replica that lags
				loaded.Entity = kept.Entity
			}
			return loaded.Entity, old, false, nil
		}
	}
}

// newer says whether a shows a later version than b, whenever that was read.
func newer(a, b Entry) bool {
	a.At, b.At = time.Time{}, time.Time{}
	return Compare(a, b) > 0
}

// load reads the source for all who wait, and keeps what it shows. It runs in a goroutine of its own,
// where a panic would end the process. An error has an Entry, too, with the time.
func (r *Reads) load(ctx context.Context, key string) (e Entry, err error) {
	e.At = time.Now()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("read %q: panic: %v\n%s", key, p, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.opts.LoadTime)
	defer cancel()
	if e.Entity, err = r.source.Load(ctx, key); err != nil {
		return e, err
	}
	e.Entity = readable(e.Entity)
	r.put(ctx, e)
	return e, nil
}

func (r *Reads) get(ctx context.Context, key string) (e Entry, ok bool) {
	r.try(ctx, &r.getting, func(ctx context.Context) (err error) {
		e, ok, err = r.store.Get(ctx, key)
		return err
	})
	return e, ok
}

// put keeps e behind the back of those who wait for it.
func (r *Reads) put(ctx context.Context, e Entry) {
	if e.Entity.Version == 0 {
		return
	}
	select {
	case r.puts <- struct{}{}:
	default:
		return
	}
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer func() { <-r.puts }()
		r.try(ctx, &r.putting, func(ctx context.Context) error { return r.store.Put(ctx, e) })
	}()
}

// errPatience is the cause of an end that says something about the store, and nothing about who asks.
var errPatience = errors.New("the cache took too long")

// try lets do ask the store, unless that is left alone, and notes whether it works.
func (r *Reads) try(ctx context.Context, b *breaker, do func(ctx context.Context) error) {
	if b.closed() {
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
	r.opts.Observer.tell(b.note(err))
}
