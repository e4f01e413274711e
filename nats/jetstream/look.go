package jetstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	js "github.com/nats-io/nats.go/jetstream"

	"github.com/relaybox/relaybox/outbox"
)

// Seen is what was seen of messages that wait.
type Seen struct {
	Count int
	// More: there are more than were counted.
	More bool
	// Oldest is when the stream took the first of them; zero without one.
	Oldest time.Time
}

// Waiting is what a durable consumer has neither taken nor ended. It needs the right to publish to
// $JS.API.CONSUMER.INFO.STREAM.DURABLE and $JS.API.STREAM.MSG.GET.STREAM.
func (c *Client) Waiting(ctx context.Context, stream, durable string) (Seen, error) {
	var seen Seen
	err := c.ask(ctx, fmt.Sprintf("look at consumer %q of %q", durable, stream), "$JS.API.CONSUMER.INFO."+stream+"."+durable, func(ctx context.Context, l *line) error {
		from, err := l.js.Consumer(ctx, stream, durable)
		if err != nil {
			return err
		}
		i := from.CachedInfo()
		if seen.Count = int(i.NumPending) + i.NumAckPending; seen.Count == 0 {
			return nil
		}
		s, err := l.js.Stream(ctx, stream)
		if err != nil {
			return err
		}
		seen.Oldest, err = storedFrom(ctx, s, i)
		return err
	})
	return seen, err
}

// storedFrom is when the first message was stored that the consumer has not ended; zero if that was deleted
// meanwhile.
func storedFrom(ctx context.Context, s js.Stream, i *js.ConsumerInfo) (time.Time, error) {
	filter := i.Config.FilterSubject
	if filter == "" {
		filter = ">"
	}
	m, err := s.GetMsg(ctx, i.AckFloor.Stream+1, js.WithGetMsgSubject(filter))
	if errors.Is(err, js.ErrMsgNotFound) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	return m.Time, nil
}

// DeadLetters is what the stream holds that takes the dead letters of a durable consumer, and nothing
// else. It needs the right to publish to $JS.API.STREAM.NAMES and $JS.API.STREAM.INFO of it.
func (c *Client) DeadLetters(ctx context.Context, letters, durable string) (Seen, error) {
	var seen Seen
	err := c.ask(ctx, fmt.Sprintf("look at the dead letters of %q", durable), "$JS.API.STREAM.NAMES", func(ctx context.Context, l *line) error {
		s, err := l.letters(ctx, letters, durable)
		if err != nil {
			return err
		}
		state := s.CachedInfo().State
		if seen.Count = int(state.Msgs); seen.Count > 0 {
			seen.Oldest = state.FirstTime
		}
		return nil
	})
	return seen, err
}

// ask asks the server something, within the time of a send. Its error is an *outbox.Error.
func (c *Client) ask(ctx context.Context, op, subject string, question func(context.Context, *line) error) error {
	failed := func(f *fault) error {
		return &outbox.Error{Class: f.class, Condition: f.condition, Op: op, Err: f.err}
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.SendTimeout)
	defer cancel()
	l, err := c.connected(ctx)
	if err != nil {
		return failed(unconnected(ctx, err))
	}
	ctx, done := c.waits.under(ctx, subject)
	defer done()
	if err := question(ctx, l); err != nil {
		return failed(unsent(ctx, err))
	}
	return nil
}
