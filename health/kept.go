package health

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// kept is a look whose answer stands for a moment. Those who ask while one is under way share it.
type kept struct {
	look   func(context.Context) Report
	within time.Duration // which a look may take
	fresh  time.Duration
	flight singleflight.Group

	mu    sync.Mutex
	last  Report    // guarded by mu; nobody changes it
	until time.Time // last stands; guarded by mu
}

// get returns the answer, or false if ctx ends before there is one.
func (k *kept) get(ctx context.Context) (Report, bool) {
	if r, ok := k.known(); ok {
		return r, true
	}
	select {
	case r := <-k.flight.DoChan("", func() (any, error) { return k.ask(context.WithoutCancel(ctx)), nil }):
		return r.Val.(Report), true
	case <-ctx.Done():
		return Report{}, false
	}
}

func (k *kept) known() (Report, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.last, time.Now().Before(k.until)
}

func (k *kept) ask(ctx context.Context) Report {
	if r, ok := k.known(); ok {
		return r // an earlier flight has landed meanwhile
	}
	ctx, cancel := context.WithTimeout(ctx, k.within)
	defer cancel()
	r := k.look(ctx)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.last, k.until = r, time.Now().Add(k.fresh)
	return r
}
