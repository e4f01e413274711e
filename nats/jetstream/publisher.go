package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/relaybox/relaybox/internal/pace"
	"github.com/relaybox/relaybox/outbox"
)

// PublisherOptions tunes a Publisher; the zero value works.
type PublisherOptions struct {
	// Prefix is the subjects' first part; default "events".
	Prefix string
	// Window is how many messages may be on their way at once; default 256. With the largest
	// message it bounds what the client holds beside the events themselves.
	Window int
	// Observer hears of each send; nil: nobody does.
	Observer Observer
}

// Observer hears of each send, on the sender's goroutine: it must not block.
type Observer func(Sent)

// Sent is what became of a message that left, or should have.
type Sent struct {
	Stream string
	Event  *outbox.Event
	Began  time.Time
	Took   time.Duration
	// Err is nil once the stream has stored the event, or an *outbox.Error.
	Err error
}

// Publisher sends to one stream. It implements outbox.Publisher.
type Publisher struct {
	client *Client
	stream string
	prefix string
	window int
	tell   Observer
	slots  chan struct{} // one in it for each message on its way
}

var _ outbox.Publisher = (*Publisher)(nil)

// Publisher returns a publisher to the stream. Close of the client ends it.
func (c *Client) Publisher(stream string, opts PublisherOptions) *Publisher {
	if opts.Prefix == "" {
		opts.Prefix = "events"
	}
	if opts.Window <= 0 {
		opts.Window = 256
	}
	if opts.Observer == nil {
		opts.Observer = func(Sent) {}
	}
	return &Publisher{client: c, stream: stream, prefix: opts.Prefix, window: opts.Window, tell: opts.Observer, slots: make(chan struct{}, opts.Window)}
}

// Publish sends the events, keys at once, each key's one after the other.
func (p *Publisher) Publish(ctx context.Context, events []outbox.Event) []error {
	c := &call{p: p, events: events, results: make([]error, len(events))}
	runs := byKey(events)
	if len(runs) == 1 {
		c.run(ctx, runs[0])
		return c.results
	}
	var keys errgroup.Group
	keys.SetLimit(p.window)
	for _, run := range runs {
		keys.Go(func() error {
			c.run(ctx, run)
			return nil
		})
	}
	_ = keys.Wait() // the results have it
	return c.results
}

// byKey are the events' places, a run for each key, keys in order of appearance.
func byKey(events []outbox.Event) [][]int {
	var runs [][]int
	place := map[string]int{}
	for i := range events {
		at, ok := place[events[i].Key]
		if !ok {
			at = len(runs)
			place[events[i].Key] = at
			runs = append(runs, nil)
		}
		runs[at] = append(runs[at], i)
	}
	return runs
}

// call is one Publish.
type call struct {
	p       *Publisher
	events  []outbox.Event
	results []error // each written by its key's goroutine
	// over is the first fault that is not about a message: what is not sent yet would meet the same.
	over atomic.Pointer[fault]
}

// run sends one key's events, each when the one before it is acknowledged.
func (c *call) run(ctx context.Context, run []int) {
	for n, i := range run {
		e := &c.events[i]
		f := c.send(ctx, e)
		if f == nil {
			continue
		}
		c.results[i] = f.of(e, c.p.stream)
		for _, behind := range run[n+1:] {
			c.results[behind] = outbox.ErrNotAttempted
		}
		return
	}
}

func (c *call) send(ctx context.Context, e *outbox.Event) *fault {
	if f := c.over.Load(); f != nil {
		return &fault{class: outbox.Unavailable, after: f.after, err: fmt.Errorf("not sent: another event of the call met %w", f.err)}
	}
	began := time.Now()
	f := c.p.send(ctx, e)
	var err error
	if f != nil {
		err = f.of(e, c.p.stream)
	}
	c.p.tell(Sent{Stream: c.p.stream, Event: e, Began: began, Took: time.Since(began), Err: err})
	if f != nil && !f.class.Permanent() {
		c.over.CompareAndSwap(nil, f)
	}
	return f
}

// send sends e and waits for its acknowledgement.
func (p *Publisher) send(ctx context.Context, e *outbox.Event) *fault {
	if err := check(e); err != nil {
		return &fault{class: outbox.Rejected, err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, p.client.opts.SendTimeout)
	defer cancel()
	if ctx.Err() != nil { // a free slot must not win
		return &fault{class: outbox.Timeout, err: context.Cause(ctx)}
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return &fault{class: outbox.Timeout, err: context.Cause(ctx)}
	}
	l, err := p.client.connected(ctx)
	if err != nil {
		<-p.slots
		return unconnected(ctx, err)
	}
	m := p.message(e)
	if size := int64(m.Size() - len(m.Subject)); size > l.MaxPayload() {
		<-p.slots
		return &fault{class: outbox.TooLarge, condition: "nats:max_payload", err: fmt.Errorf("the message has %d bytes, the server takes %d", size, l.MaxPayload())}
	}
	ctx, done := p.client.waits.under(ctx, m.Subject)
	defer done()
	began := time.Now()
	answer := make(chan error, 1)
	// It has a goroutine of its own, because the client writes under its lock: a peer that does not
	// read holds up everybody for stallTime, whatever their contexts say.
	go func() {
		defer func() { <-p.slots }()
		answer <- put(ctx, l, m)
	}()
	select {
	case err = <-answer:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		return nil
	}
	f := unsent(ctx, err)
	if f.class == outbox.Ambiguous && time.Since(began) >= stallTime {
		p.client.doubt(l)
	}
	return f
}

// stored paces the question whether the other copy of an event has been stored.
var stored = pace.Backoff{First: 5 * time.Millisecond, Max: 250 * time.Millisecond}

// put repeats what meets another copy of the same event on its way through the stream's replicas:
// it says nothing of the stream, and the acknowledgement is due when the other copy has its own.
func put(ctx context.Context, l *line, m *nats.Msg) error {
	for n := 1; ; n++ {
		_, err := l.js.PublishMsg(ctx, m)
		if api, ok := errors.AsType[*js.APIError](err); !ok || api.ErrorCode != inProcess {
			return err
		}
		if pace.Sleep(ctx, stored.Wait(n, 0)) != nil {
			return err
		}
	}
}

// Ready connects, unless a send has done so before, and says whether the stream is there.
func (p *Publisher) Ready(ctx context.Context) error {
	_, err := p.client.Inspect(ctx, p.stream)
	return err
}
