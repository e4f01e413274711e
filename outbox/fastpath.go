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
	keys map[string]*mark // keys that wait or are drained
}

// mark is the state of a key: again asks for one more drain after the running one,
// which may have read before the newest commit.
type mark struct{ running, again bool }

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
	if opts.LookEvery == 0 {
		opts.LookEvery = time.Second
	}
	return &FastPath{d: d, opts: opts, queue: make(chan string, opts.Queue), keys: map[string]*mark{}}
}

// Notify asks for a drain of key. It never blocks.
func (f *FastPath) Notify(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m, ok := f.keys[key]; ok {
		m.again = m.running
		return
	}
	select {
	case f.queue <- key:
		f.keys[key] = &mark{}
	default:
		f.d.opts.Observer.tell(Dropped{Key: key})
	}
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
		f.keys[key] = &mark{}
		return true
	default:
		return false
	}
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
	for f.begin(key) {
		f.drainOnce(ctx, key)
	}
}

func (f *FastPath) drainOnce(ctx context.Context, key string) {
	// The drain ends its own work at Budget; the context is for a stalled broker or store.
	ctx, cancel := context.WithTimeoutCause(ctx, 2*f.opts.Budget, errBudget)
	defer cancel()
	_, _ = f.d.Drain(ctx, key, f.opts.Budget) // told to the Observer; the sweep repeats it
}

// begin claims the next drain of key, or gives the key up when there is nothing new.
func (f *FastPath) begin(key string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.keys[key]
	if m.running && !m.again {
		delete(f.keys, key)
		return false
	}
	m.running, m.again = true, false
	return true
}
