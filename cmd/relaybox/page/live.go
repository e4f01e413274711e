package page

import (
	"context"
	"sync"
	"time"

	"github.com/relaybox/relaybox/internal/pace"
)

const (
	// rhythm is the pause between two looks, lookTime bounds one.
	rhythm   = time.Second
	lookTime = 10 * time.Second
	// maxLookers bounds how many look at once: each holds a connection.
	maxLookers = 32
)

// live looks for all who look.
//
//	       first joins                last leaves
//	idle ───────────────→ looking ───────────────→ idle
type live struct {
	source Source

	mu      sync.Mutex // guards the rest
	lookers map[chan *Snapshot]struct{}
	last    *Snapshot          // of this looking; nil before its first
	stop    context.CancelFunc // ends the looking; nil while nobody looks

	work sync.WaitGroup // of the looking
}

func newLive(s Source) *live { return &live{source: s, lookers: map[chan *Snapshot]struct{}{}} }

// join returns where snapshots come, the newest only, and what ends that. ok: there was room.
func (l *live) join() (snapshots <-chan *Snapshot, leave func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lookers) == maxLookers {
		return nil, nil, false
	}
	c := make(chan *Snapshot, 1)
	l.lookers[c] = struct{}{}
	if l.stop == nil {
		var ctx context.Context
		ctx, l.stop = context.WithCancel(context.Background())
		l.work.Go(func() { l.look(ctx) })
	} else if l.last != nil {
		c <- l.last
	}
	return c, sync.OnceFunc(func() { l.leave(c) }), true
}

func (l *live) leave(c chan *Snapshot) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.lookers, c)
	if len(l.lookers) == 0 {
		l.stop()
		l.stop, l.last = nil, nil
	}
}

// look runs until the last has left.
func (l *live) look(ctx context.Context) {
	for {
		once, cancel := context.WithTimeout(ctx, lookTime)
		s := l.source.Look(once)
		cancel()
		if !l.hand(ctx, s) || pace.Sleep(ctx, rhythm) != nil {
			return
		}
	}
}

// hand gives everybody the snapshot, in place of one that they have not taken yet.
func (l *live) hand(ctx context.Context, s *Snapshot) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ctx.Err() != nil { // under the lock: another looking may have begun
		return false
	}
	l.last = s
	for c := range l.lookers {
		select {
		case <-c:
		default:
		}
		c <- s
	}
	return true
}
