package inbox

import (
	"context"
	"sync"
	"time"
)

// calm knows since when broker and store have been there without a break, as far as sweeps of
// this process have seen. An event whose predecessor stays away in an outage has not been left
// behind: what the broker still has comes when that is over, within a lock's time.
type calm struct {
	mu    sync.Mutex
	since time.Time // the first look without a fault; guarded by mu
}

// broken notes that something is away.
func (c *calm) broken() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.since = time.Time{}
}

// whole notes that nothing is, and says for how long that was so.
func (c *calm) whole() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.since.IsZero() {
		c.since = time.Now()
	}
	return time.Since(c.since)
}

// patient says whether waits that are over must go on all the same.
func (i *Inbox) patient(ctx context.Context) bool {
	if i.opts.Reach == nil {
		return false
	}
	if i.opts.Reach(ctx) != nil {
		i.calm.broken()
		return true
	}
	return i.calm.whole() < min(i.opts.EarlyWait/calmPart, maxCalm)
}

// calmPart of EarlyWait is how long all must have been well before a wait ends: a message lock,
// if EarlyWait is three. maxCalm is the longest lock that a broker gives.
const (
	calmPart = 3
	maxCalm  = 5 * time.Minute
)
