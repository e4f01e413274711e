package cache

import (
	"sync"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// pause is how long the store is left alone after failures in a row.
var pause = pace.Backoff{First: 100 * time.Millisecond, Max: 5 * time.Second}

// breaker leaves a store alone that does not work. The zero value is open.
type breaker struct {
	mu    sync.Mutex
	fails int       // in a row; guarded by mu
	since time.Time // the first of them; guarded by mu
	until time.Time // the store is left alone; guarded by mu
}

func (b *breaker) closed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Before(b.until)
}

// note counts failures, and returns what there is to tell, nil for nothing. While the store is left
// alone it hears from those only who asked before.
func (b *breaker) note(err error) Signal {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	switch {
	case now.Before(b.until), err == nil && b.fails == 0:
		return nil
	case err == nil:
		b.fails = 0
		return Back{After: now.Sub(b.since)}
	}
	if b.fails++; b.fails == 1 {
		b.since = now
	}
	wait := pause.Wait(b.fails, 0)
	b.until = now.Add(wait)
	return Failed{Err: err, Times: b.fails, For: wait}
}
