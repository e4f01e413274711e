package servicebus

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/relaybox/relaybox/outbox"
)

// call is the part of one Publish that goes through one lane.
type call struct {
	topic  string
	until  time.Time // the caller's deadline, zero without one
	events []*outbox.Event
	at     []int // where each event's result belongs in the answer
	bytes  int
	open   int           // events without a result; owned by the lane
	done   chan struct{} // closed when all have one

	mu      sync.Mutex
	left    bool    // the caller has gone; guarded by mu
	results []error // guarded by mu
	settled []bool  // guarded by mu
}

func newCall(ctx context.Context, topic string) *call {
	c := &call{topic: topic, done: make(chan struct{})}
	c.until, _ = ctx.Deadline()
	return c
}

func (c *call) add(e *outbox.Event, at int) {
	c.events = append(c.events, e)
	c.at = append(c.at, at)
	c.bytes += len(e.Envelope)
	c.open++
	c.results = append(c.results, nil)
	c.settled = append(c.settled, false)
}

// settle gives event i its result.
func (c *call) settle(i int, err error) {
	c.mu.Lock()
	if !c.left {
		c.results[i], c.settled[i] = err, true
	}
	c.mu.Unlock()
	if c.open--; c.open == 0 {
		close(c.done)
	}
}

// abandoned says that nobody waits any more: what is not sent yet need not be.
func (c *call) abandoned() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// blocked says whether an earlier event of event i's key has failed.
func (c *call) blocked(i int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for j := range i {
		if c.results[j] != nil && c.events[j].Key == c.events[i].Key {
			return true
		}
	}
	return false
}

// leave ends the call for its caller. What has no result yet gets err, and the
// followers of its key outbox.ErrNotAttempted, although a batch of theirs may be under
// way: after a timeout nobody knows anyway.
func (c *call) leave(class outbox.Class, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = true
	failed := map[string]bool{}
	for i, e := range c.events {
		switch {
		case c.settled[i]:
		case failed[e.Key]:
			c.results[i] = outbox.ErrNotAttempted
		default:
			c.results[i] = c.fault(i, fault{class: class, err: err})
		}
		failed[e.Key] = failed[e.Key] || c.results[i] != nil
	}
}

func (c *call) fault(i int, f fault) error {
	e := c.events[i]
	return &outbox.Error{Class: f.class, Condition: f.condition, Op: fmt.Sprintf("publish event %d of %q to %q", e.Seq, e.Key, c.topic), Err: f.err}
}

// report copies the results into the caller's answer.
func (c *call) report(into []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, at := range c.at {
		into[at] = c.results[i]
	}
}
