package servicebus

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relaybox/relaybox/outbox"
)

const (
	// queued is how many calls may wait for a lane before Publish itself waits.
	queued = 256
	// flightEvents and flightBytes bound what a lane takes from its queue at once.
	flightEvents = 1000
	flightBytes  = 4 << 20
)

// PublisherOptions tunes a Publisher; the zero value works.
type PublisherOptions struct {
	// Lanes is how many sends may be under way at once; default 4.
	Lanes int
	// OneSessionPerBatch is for partitioned entities, which refuse a batch with more than
	// one session. The publisher finds out by itself, at the price of one refused batch.
	OneSessionPerBatch bool
	// Observer hears of every send; nil hears nothing.
	Observer Observer
}

// Observer hears of sends. It is called from many goroutines at once and must not block.
type Observer func(Sent)

// Sent is one message batch on its way to the broker, whatever became of it.
type Sent struct {
	Topic  string
	Events []*outbox.Event
	Began  time.Time
	Took   time.Duration
	// Err is nil once the broker has taken responsibility for all of them, or an *outbox.Error.
	Err error
}

// Publisher sends to one topic. It implements outbox.Publisher.
type Publisher struct {
	topic      string
	attach     func(ctx context.Context, topic string) (link, error)
	timeout    time.Duration // of one send
	seed       maphash.Seed
	oneSession atomic.Bool
	observer   Observer

	start   sync.Once
	lanes   []*lane
	cut     context.CancelFunc // ends the lanes' sends
	running sync.WaitGroup

	closing sync.Once
	closed  chan struct{} // closed by stop: no new work
}

var _ outbox.Publisher = (*Publisher)(nil)

// Publisher returns a publisher to the topic. Close of the client ends it.
func (c *Client) Publisher(topic string, opts PublisherOptions) *Publisher {
	p := newPublisher(topic, opts, c.opts.SendTimeout, c.attach)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.publishers = append(c.publishers, p)
	if c.closed {
		p.closing.Do(func() { close(p.closed) })
	}
	return p
}

func newPublisher(topic string, opts PublisherOptions, timeout time.Duration, attach func(context.Context, string) (link, error)) *Publisher {
	if opts.Lanes <= 0 {
		opts.Lanes = 4
	}
	p := &Publisher{topic: topic, attach: attach, timeout: timeout, seed: maphash.MakeSeed(), observer: opts.Observer, closed: make(chan struct{})}
	p.oneSession.Store(opts.OneSessionPerBatch)
	for range opts.Lanes {
		p.lanes = append(p.lanes, &lane{p: p, queue: make(chan *call, queued), gone: make(chan struct{})})
	}
	return p
}

// Publish sends the events, together with those of other calls.
func (p *Publisher) Publish(ctx context.Context, events []outbox.Event) []error {
	p.start.Do(p.run)
	results := make([]error, len(events))
	calls := p.split(ctx, events)
	for l, c := range calls {
		p.lanes[l].enter(ctx, c)
	}
	for l, c := range calls {
		p.lanes[l].wait(ctx, c)
		c.report(results)
	}
	return results
}

// Ready attaches to the topic, unless a send has done so before, and says whether that
// worked.
func (p *Publisher) Ready(ctx context.Context) error {
	if _, err := p.attach(ctx, p.topic); err != nil {
		f := diagnose(ctx, err, attaching)
		return &outbox.Error{Class: f.class, Condition: f.condition, Op: fmt.Sprintf("attach to %q", p.topic), Err: f.err}
	}
	return nil
}

// split divides the events among the lanes, keeping their order.
func (p *Publisher) split(ctx context.Context, events []outbox.Event) map[int]*call {
	calls := make(map[int]*call, 1)
	for i := range events {
		l := int(maphash.String(p.seed, events[i].Key) % uint64(len(p.lanes)))
		c := calls[l]
		if c == nil {
			c = newCall(ctx, p.topic)
			calls[l] = c
		}
		c.add(&events[i], i)
	}
	return calls
}

// run starts the lanes. stop ends them.
func (p *Publisher) run() {
	ctx, cancel := context.WithCancelCause(context.Background())
	p.cut = func() { cancel(errClosed) }
	for _, l := range p.lanes {
		p.running.Add(1)
		go func() {
			defer p.running.Done()
			l.run(ctx)
		}()
	}
}

// stop refuses new work, lets the lanes finish what they have while ctx allows, and
// then cuts them.
func (p *Publisher) stop(ctx context.Context) error {
	p.closing.Do(func() { close(p.closed) })
	p.start.Do(p.run) // so that the lanes' ends are real whether or not they began
	done := make(chan struct{})
	go func() { p.running.Wait(); close(done) }() // ends with the lanes
	var err error
	select {
	case <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.cut()
	<-done
	return err
}
