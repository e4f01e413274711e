package servicebus

import (
	"cmp"
	"context"
	"slices"

	"github.com/relaybox/relaybox/outbox"
)

// lane sends the events of its keys, one batch at a time. Its goroutine owns
// everything but the queue.
type lane struct {
	p     *Publisher
	queue chan *call
	gone  chan struct{} // closed when the goroutine has ended
}

// enter queues c, or ends it when there is no room in time.
func (l *lane) enter(ctx context.Context, c *call) {
	select {
	case <-l.p.closed:
		c.leave(outbox.Unavailable, errClosed)
		return
	case <-ctx.Done():
		c.leave(outbox.Timeout, context.Cause(ctx))
		return
	default:
	}
	select {
	case l.queue <- c:
	case <-l.p.closed:
		c.leave(outbox.Unavailable, errClosed)
	case <-ctx.Done():
		c.leave(outbox.Timeout, context.Cause(ctx))
	}
}

// wait returns when c has its results.
func (l *lane) wait(ctx context.Context, c *call) {
	if c.abandoned() {
		return
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		c.leave(outbox.Timeout, context.Cause(ctx))
	case <-l.gone:
		// It entered while the lane was ending.
		c.leave(outbox.Unavailable, errClosed)
	}
}

// run sends until the publisher is closed and the queue is empty, or ctx ends.
func (l *lane) run(ctx context.Context) {
	defer close(l.gone)
	for {
		select {
		case c := <-l.queue:
			l.flight(ctx, l.gather(c))
		case <-l.p.closed:
			select {
			case c := <-l.queue:
				l.flight(ctx, l.gather(c))
			default:
				return
			}
		}
	}
}

// gather takes what else has queued up while the last send was under way.
func (l *lane) gather(first *call) []*call {
	calls := []*call{first}
	events, bytes := len(first.events), first.bytes
	for events < flightEvents && bytes < flightBytes {
		select {
		case c := <-l.queue:
			calls = append(calls, c)
			events += len(c.events)
			bytes += c.bytes
		default:
			return calls
		}
	}
	return calls
}

// item is one event of a call.
type item struct {
	c *call
	i int
}

func (it item) event() *outbox.Event { return it.c.events[it.i] }

// flight sends everything in calls. The first fault that is not about a message ends
// it: what would follow would meet the same.
func (l *lane) flight(ctx context.Context, calls []*call) {
	items := make([]item, 0, len(calls))
	for _, c := range calls {
		if c.abandoned() {
			continue
		}
		for i := range c.events {
			items = append(items, item{c, i})
		}
	}
	if l.p.oneSession.Load() {
		bySession(items)
	}
	for len(items) > 0 {
		group := l.p.newShipment(items)
		rest, f := group.send(ctx)
		if f != nil {
			group.fail(rest, *f)
			return
		}
		items = rest
	}
}

// bySession brings the events of a key together, keys in order of appearance.
func bySession(items []item) {
	place := map[string]int{}
	for _, it := range items {
		if _, ok := place[it.event().Key]; !ok {
			place[it.event().Key] = len(place)
		}
	}
	slices.SortStableFunc(items, func(a, b item) int { return cmp.Compare(place[a.event().Key], place[b.event().Key]) })
}
