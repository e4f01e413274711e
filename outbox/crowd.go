package outbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

const (
	// crowdFactor is how many drains a sweep has for each that may read: most of them wait for
	// a send that is worth it.
	crowdFactor = 32
	// turnTime is how long a settle waits for its turn behind others that hang.
	turnTime = 3 * settleTime
	// crowdBytes bounds the envelopes that the drains of a sweep hold together.
	crowdBytes = 32 << 20
	// loadEvents, loadBytes and loadTime bound what is sent together, and how long it waits.
	loadEvents = 256
	loadBytes  = 1 << 20
	loadTime   = 100 * time.Millisecond
)

// errLate ends a drain whose turn at the store came after its sweep's time.
var errLate = errors.New("the sweep's time is over")

// crowd is what the drains of one sweep share. There are many more of them than may be at the
// store at once, so that events of many keys go out in one send: it is the Queue and the
// Publisher of them all.
//
// Reads and settles have turns of their own, and a drain gives its page's bytes back before it
// reads again: whoever waits for room waits for sends and settles only.
type crowd struct {
	Queue
	pub            Publisher
	until          time.Time
	reads, settles *semaphore.Weighted
	room           *semaphore.Weighted // bytes

	mu      sync.Mutex
	held    map[string]int64 // bytes of each key's page; guarded by mu
	drains  int              // under way, and searches for more; guarded by mu
	waiting int              // of them, for the end of a send; guarded by mu
	load    *load            // takes more; nil when there is none; guarded by mu
	last    *load            // the newest one; guarded by mu
}

// load is what is sent together. The drain that began it sends it.
type load struct {
	events []Event
	bytes  int
	full   chan struct{} // closed: send it
	sent   chan struct{} // closed: results are there
	// results belongs to the sender until sent is closed.
	results []error
}

func newCrowd(d *Dispatcher, until time.Time) *crowd {
	turns := int64(d.opts.Parallel)
	return &crowd{
		Queue: d.queue, pub: d.pub, until: until,
		reads: semaphore.NewWeighted(turns), settles: semaphore.NewWeighted(turns), room: semaphore.NewWeighted(crowdBytes),
		held: map[string]int64{},
	}
}

// enter is called before a key is drained, or searched for, leave after it.
func (c *crowd) enter() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drains++
}

func (c *crowd) leave(key string) {
	c.release(key)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drains--
	c.depart()
}

// Pending implements Queue: in turn, and when there is room for what it has read.
func (c *crowd) Pending(ctx context.Context, key string, after int64, limit int) ([]Event, error) {
	c.release(key)
	if err := c.reads.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	defer c.reads.Release(1)
	if time.Now().After(c.until) {
		return nil, errLate
	}
	page, err := c.Queue.Pending(ctx, key, after, limit)
	if err != nil {
		return nil, err
	}
	size := min(int64(sizeOf(page)), crowdBytes)
	if err := c.room.Acquire(ctx, size); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[key] = size
	return page, nil
}

// release gives back the room of the key's page.
func (c *crowd) release(key string) {
	c.mu.Lock()
	size := c.held[key]
	delete(c.held, key)
	c.mu.Unlock()
	c.room.Release(size)
}

// Settle implements Queue, in turn. Its time begins with the turn: what the broker has and the
// store keeps goes out again.
func (c *crowd) Settle(ctx context.Context, key string, events []Event) error {
	ctx = context.WithoutCancel(ctx)
	turn, end := context.WithTimeout(ctx, turnTime)
	defer end()
	if err := c.settles.Acquire(turn, 1); err != nil {
		return err
	}
	defer c.settles.Release(1)
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	return c.Queue.Settle(ctx, key, events)
}

// Publish implements Publisher: what other drains publish at the same time goes out with it.
func (c *crowd) Publish(ctx context.Context, events []Event) []error {
	l, at, first := c.board(events)
	if first {
		c.send(ctx, l)
	}
	<-l.sent
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting--
	return l.results[at : at+len(events)]
}

// apart is for a key whose event was refused: it goes by itself, so that others do not travel
// with it, and behind them, because what becomes of them says whose fault it is.
func (c *crowd) apart() Publisher {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		return c.pub
	}
	c.waiting++
	c.depart()
	sent := c.last.sent
	c.mu.Unlock()
	<-sent
	c.mu.Lock()
	c.waiting--
	return c.pub
}

// board puts the events on the load that takes more, from at on. first: the caller sends it.
func (c *crowd) board(events []Event) (l *load, at int, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l = c.load; l == nil {
		l, first = &load{full: make(chan struct{}), sent: make(chan struct{})}, true
		c.load, c.last = l, l
	}
	at = len(l.events)
	l.events = append(l.events, events...)
	l.bytes += sizeOf(events)
	c.waiting++
	if len(l.events) >= loadEvents || l.bytes >= loadBytes {
		c.close(l)
	}
	c.depart()
	return l, at, first
}

// send sends the load when it is full, nobody can come any more, or it has waited enough.
func (c *crowd) send(ctx context.Context, l *load) {
	timer := time.NewTimer(loadTime)
	defer timer.Stop()
	select {
	case <-l.full:
	case <-timer.C:
	case <-ctx.Done():
	}
	c.mu.Lock()
	c.close(l)
	c.mu.Unlock()
	l.results = publish(ctx, c.pub, l.events)
	close(l.sent)
}

// depart sends the load off when every drain waits. The caller holds mu.
func (c *crowd) depart() {
	if c.load != nil && c.waiting == c.drains {
		c.close(c.load)
	}
}

// close has the load take no more. The caller holds mu.
func (c *crowd) close(l *load) {
	if c.load == l {
		c.load = nil
		close(l.full)
	}
}
