package replay

import (
	"context"
	"sync"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

// pacer lets so many go on a second, evenly. What was not used is lost: there is no burst
// after a pause.
type pacer struct {
	gap time.Duration

	mu   sync.Mutex
	next time.Time // when the next one may go; guarded by mu
}

func newPacer(perSecond int) *pacer { return &pacer{gap: time.Second / time.Duration(perSecond)} }

// turn waits for the caller's.
func (p *pacer) turn(ctx context.Context) error {
	p.mu.Lock()
	now := time.Now()
	at := now
	if p.next.After(at) {
		at = p.next
	}
	p.next = at.Add(p.gap)
	p.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return pace.Sleep(ctx, at.Sub(now))
}

// hold lets nobody go for a while who has not had a turn yet.
func (p *pacer) hold(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.next) {
		p.next = until
	}
}
