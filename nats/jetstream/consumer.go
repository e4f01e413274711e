package jetstream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	js "github.com/nats-io/nats.go/jetstream"

	"github.com/relaybox/relaybox/internal/pace"
)

const (
	// pullTime is how long the server keeps a request for messages, and pullGrace how much longer it
	// is waited for.
	pullTime  = 30 * time.Second
	pullGrace = time.Second
	// stopTime is how long messages in hand may take when the consumer is told to stop.
	stopTime = 2 * time.Second
)

// pullPause is between requests that fail.
var pullPause = pace.Backoff{First: 50 * time.Millisecond, Max: 15 * time.Second}

// Handle gives a message its effect. nil means that it has it. Any error gives the message back, and
// *Refused makes a dead letter of it in the end.
type Handle func(ctx context.Context, m Message) error

// Refused is what a Handle returns about a message that cannot be used as it is, as far as it knows.
type Refused struct {
	// Reason is a word for it.
	Reason string
	Err    error
}

// Error is the reason and the fault.
func (r *Refused) Error() string { return fmt.Sprintf("%s: %v", r.Reason, r.Err) }

// Unwrap returns Err.
func (r *Refused) Unwrap() error { return r.Err }

// ConsumerOptions tunes a Consumer; the zero value works.
type ConsumerOptions struct {
	// InFlight is how many messages are in hand at once; default 128.
	InFlight int
	// Deliveries is the delivery from which on a message that is refused becomes a dead letter; default
	// 100. What may pass counts among them, but this process must have refused the message ten times,
	// or Deliveries times if that is less.
	Deliveries int
	// Letters begins the subjects of dead letters: see LetterSubject. Default "dead-letters".
	Letters string

	// heartbeat of a request is half of what an idle connection may be deaf for; default 5 s.
	heartbeat time.Duration
}

// Consumer takes messages from a durable pull consumer of a stream, which instances share.
type Consumer struct {
	client          *Client
	stream, durable string
	handle          Handle
	opts            ConsumerOptions
	free            chan struct{} // one in it for each message that may be taken
	hands           sync.WaitGroup
	refused         refusals

	// The rest belongs to Run's goroutine.
	told  string // the fault that the log has
	found found
}

// found is the durable consumer as it was found over a connection.
type found struct {
	js.Consumer
	over *line
	at   time.Time
}

// foundTime is how long a durable consumer is taken for what it was found to be.
const foundTime = time.Minute

// Consumer returns a consumer that gives each message to handle, many at once. It does no I/O.
func (c *Client) Consumer(stream, durable string, handle Handle, opts ConsumerOptions) *Consumer {
	if opts.InFlight <= 0 {
		opts.InFlight = 128
	}
	if opts.Deliveries <= 0 {
		opts.Deliveries = 100
	}
	if opts.Letters == "" {
		opts.Letters = "dead-letters"
	}
	if opts.heartbeat <= 0 {
		opts.heartbeat = 5 * time.Second
	}
	w := &Consumer{client: c, stream: stream, durable: durable, handle: handle, opts: opts, free: make(chan struct{}, opts.InFlight)}
	for range opts.InFlight {
		w.free <- struct{}{}
	}
	return w
}

// Run takes messages until ctx ends, whatever the server does in between. What is in hand then has a
// moment to finish, and goes back.
func (w *Consumer) Run(ctx context.Context) {
	working, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	for failures := 0; ctx.Err() == nil; {
		err := w.pull(ctx, working)
		w.tell(ctx, err)
		if err == nil {
			failures = 0
			continue
		}
		w.found = found{}
		failures++
		_ = pace.Sleep(ctx, pullPause.Wait(failures, 0)) // the loop looks at ctx
	}
	time.AfterFunc(stopTime, cut)
	w.hands.Wait()
}

// tell logs a fault once, and its end.
func (w *Consumer) tell(ctx context.Context, err error) {
	log := w.client.opts.Logger.With("stream", w.stream, "consumer", w.durable)
	switch {
	case ctx.Err() != nil:
	case err == nil && w.told != "":
		w.told = ""
		log.Info("messages come again")
	case err != nil && err.Error() != w.told:
		w.told = err.Error()
		log.Warn("no messages come; trying again", "error", err)
	}
}

// pull asks for as many messages as may be taken and hands them out as they come.
func (w *Consumer) pull(ctx, working context.Context) error {
	room := w.take(ctx)
	defer func() { w.give(room) }()
	if room == 0 {
		return nil // ctx has ended
	}
	l, err := w.client.connected(ctx)
	if err != nil {
		return err
	}
	// It ends when the connection is lost, or the server says that it may not be asked.
	ctx, done := w.client.waits.under(ctx, "$JS.API.CONSUMER.MSG.NEXT."+w.stream+"."+w.durable)
	defer done()
	from, err := w.find(ctx, l)
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, pullTime+pullGrace)
	defer cancel()
	batch, err := from.Fetch(room, js.FetchContext(waiting), js.FetchHeartbeat(w.opts.heartbeat))
	if err != nil {
		return err
	}
	beat := beatOf(from.CachedInfo().Config)
	for m := range batch.Messages() {
		room--
		w.hands.Go(func() {
			defer w.give(1)
			w.deliver(working, l, m, beat)
		})
	}
	return w.ended(ctx, l, batch.Error())
}

// ended is how a request has ended: nobody had a message for it is how most do.
func (w *Consumer) ended(ctx context.Context, l *line, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, context.DeadlineExceeded):
		return nil
	case errors.Is(err, js.ErrNoHeartbeat):
		w.client.doubt(l)
	}
	return err
}

// find looks the durable consumer up, now and then anew.
func (w *Consumer) find(ctx context.Context, l *line) (js.Consumer, error) {
	if w.found.over == l && time.Since(w.found.at) < foundTime {
		return w.found, nil
	}
	ctx, cancel := context.WithTimeout(ctx, w.client.opts.SendTimeout)
	defer cancel()
	ctx, done := w.client.waits.under(ctx, infoOf(w.stream, w.durable))
	defer done()
	from, err := l.js.Consumer(ctx, w.stream, w.durable)
	switch {
	case errors.Is(err, js.ErrConsumerNotFound):
		return nil, fmt.Errorf("stream %s has no durable consumer %s; make it, as relaybox doctor says: %w", w.stream, w.durable, err)
	case err != nil && ctx.Err() != nil:
		w.client.doubt(l)
		return nil, errors.Join(err, context.Cause(ctx))
	case err != nil:
		return nil, err
	}
	w.found = found{from, l, time.Now()}
	return from, nil
}

// take takes what is free, but waits for one.
func (w *Consumer) take(ctx context.Context) (n int) {
	select {
	case <-w.free:
		n++
	case <-ctx.Done():
		return 0
	}
	for {
		select {
		case <-w.free:
			n++
		default:
			return n
		}
	}
}

func (w *Consumer) give(n int) {
	for range n {
		w.free <- struct{}{}
	}
}
