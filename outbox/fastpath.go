package outbox

import (
	"context"
	"sync"
	"time"
)

// FastPathOptions configures a FastPath; the zero value works.
type FastPathOptions struct {
	// Workers drain keys at the same time; default 16.
	Workers int
	// Queue is how many keys may wait; default 1024. A key that finds no room is left
	// to the sweep.
	Queue int
	// Budget bounds one drain; default 5 s.
	Budget time.Duration
	// Memory bounds the envelopes of committed events that are kept until they were sent;
	// default 4 MiB, below 0 none. Those of a key that finds no room are read from the store.
	Memory int
	// LookEvery is how often it looks for orphans, give or take a quarter; default 1 s,
	// below 0 never. An event that a writer leaves behind waits for this and a second more.
	LookEvery time.Duration
}

// FastPath drains a key right after its commit, in the background. It never delays
// or fails the write, and nothing depends on it: what it drops, the sweep finds.
//
// It also looks for orphans: events that are older than any fast path needs, because their
// writer has died, or can't reach the broker. Any instance that runs takes them over.
type FastPath struct {
	d     *Dispatcher
	opts  FastPathOptions
	queue chan string

	mu   sync.Mutex
	keys map[string]*mark // keys that wait or are drained; guarded by mu
	held int              // bytes of events in keys; guarded by mu
}

// mark is the state of a key: again asks for one more drain after the running one,
// which may have read before the newest commit.
type mark struct {
	running, again bool
	// asks: the next drain has to ask the store, because events do not hold all that is new.
	asks bool
	// orphan: it was adopted, and no commit of this process has told of it.
	orphan bool
	events []Event // of commits since the running drain has begun
	busy   int     // bytes of what it was given
}

// NewFastPath returns a FastPath whose workers start with Run.
func NewFastPath(d *Dispatcher, opts FastPathOptions) *FastPath {
	if opts.Workers <= 0 {
		opts.Workers = 16
	}
	if opts.Queue <= 0 {
		opts.Queue = 1024
	}
	if opts.Budget <= 0 {
		opts.Budget = 5 * time.Second
	}
	if opts.Memory == 0 {
		opts.Memory = 4 << 20
	}
	if opts.LookEvery == 0 {
		opts.LookEvery = time.Second
	}
	return &FastPath{d: d, opts: opts, queue: make(chan string, opts.Queue), keys: map[string]*mark{}}
}

// Notify asks for a drain of key. events are all that a commit has just made, with their
// revisions; without them the store is asked. It never blocks.
func (f *FastPath) Notify(key string, events ...Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, ok := f.keys[key]
	if ok {
		m.again, m.orphan = m.running, false
		f.give(m, events)
		return
	}
	select {
	case f.queue <- key:
		m = &mark{}
		f.keys[key] = m
		f.give(m, events)
	default:
		f.d.opts.Observer.tell(Dropped{Key: key})
	}
}

// give keeps the events for the next drain: all of them or none. The caller holds mu.
func (f *FastPath) give(m *mark, events []Event) {
	if size := sizeOf(events); len(events) > 0 && !m.asks && f.held+size <= f.opts.Memory {
		m.events = append(m.events, events...)
		f.held += size
		return
	}
	f.held -= sizeOf(m.events)
	m.asks, m.events = true, nil
}

func sizeOf(events []Event) (bytes int) {
	for _, e := range events {
		bytes += len(e.Envelope)
	}
	return bytes
}

// adopt asks for a drain of an orphan. False: the key waits or is drained already, or
// there is no room.
func (f *FastPath) adopt(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, ok := f.keys[key]; ok {
		return false
	}
	select {
	case f.queue <- key:
		f.keys[key] = &mark{asks: true, orphan: true}
		return true
	default:
		return false
	}
}

// has says whether the key waits, or is drained.
func (f *FastPath) has(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.keys[key]
	return ok
}

// Run works until ctx ends, and returns when its workers have stopped. A drain that
// is under way then is cut: its events stay pending.
func (f *FastPath) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for range f.opts.Workers {
		wg.Go(func() { f.work(ctx) })
	}
	if f.opts.LookEvery > 0 {
		o := orphans{f: f, every: f.opts.LookEvery}
		wg.Go(func() { o.run(ctx) })
	}
	wg.Wait()
}

func (f *FastPath) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case key := <-f.queue:
			f.drain(ctx, key)
		}
	}
}

func (f *FastPath) drain(ctx context.Context, key string) {
	for {
		next, ok := f.begin(key)
		if !ok {
			return
		}
		if next.orphan {
			f.drainOrphan(ctx, key)
		} else {
			f.drainOnce(ctx, key, next.events)
		}
	}
}

// drainOrphan leaves the key to a sweep that came upon it first, and keeps others from it.
func (f *FastPath) drainOrphan(ctx context.Context, key string) {
	if f.d.taken.add(key) {
		defer f.d.taken.remove(key)
		f.drainOnce(ctx, key, nil)
	}
}

func (f *FastPath) drainOnce(ctx context.Context, key string, fresh []Event) {
	// The drain ends its own work at Budget; the context is for a stalled broker or store.
	ctx, cancel := context.WithTimeoutCause(ctx, 2*f.opts.Budget, errBudget)
	defer cancel()
	f.d.drainFresh(ctx, key, f.opts.Budget, fresh) // told to the Observer; the sweep repeats it
}

// begin claims the next drain of key, with the events it needs no query for, or gives the key up
// when there is nothing new.
func (f *FastPath) begin(key string) (next mark, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.keys[key]
	f.held -= m.busy
	if m.running && !m.again {
		delete(f.keys, key)
		return mark{}, false
	}
	next = *m
	*m = mark{running: true, busy: sizeOf(next.events)}
	return next, true
}
