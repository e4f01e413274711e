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
// $JS.API.CONSUMER.INFO.STREAM.DURABLE, $JS.API.STREAM.INFO.STREAM and, as the stream is set,
// $JS.API.DIRECT.GET.STREAM or $JS.API.STREAM.MSG.GET.STREAM.
func (c *Client) Waiting(ctx context.Context, stream, durable string) (Seen, error) {
	var seen Seen
	err := c.ask(ctx, fmt.Sprintf("look at consumer %q of %q", durable, stream), func(ctx context.Context, l *line, on asks) error {
		on(infoOf(stream, durable))
		from, err := l.js.Consumer(ctx, stream, durable)
		if err != nil {
			return err
		}
		i := from.CachedInfo()
		if seen.Count = int(i.NumPending) + i.NumAckPending; seen.Count == 0 {
			return nil
		}
		seen.Oldest, err = l.storedFrom(ctx, on, stream, i.AckFloor.Stream+1, i.Config.FilterSubject)
		return err
	})
	return seen, err
}

// Peek asks for the first message of a stream, as Waiting does where something waits, and says whether
// it was answered. Its error is an *outbox.Error.
func (c *Client) Peek(ctx context.Context, stream string) error {
	return c.ask(ctx, fmt.Sprintf("look at a message of %q", stream), func(ctx context.Context, l *line, on asks) error {
		_, err := l.storedFrom(ctx, on, stream, 1, "")
		return err
	})
}

// storedFrom is when the first message under filter was stored, from a sequence on; zero if there is
// none.
func (l *line) storedFrom(ctx context.Context, on asks, stream string, sequence uint64, filter string) (time.Time, error) {
	on(streamInfo + stream)
	s, err := l.js.Stream(ctx, stream)
	if err != nil {
		return time.Time{}, err
	}
	if s.CachedInfo().Config.AllowDirect { // the client asks another way then
		on("$JS.API.DIRECT.GET." + stream)
	} else {
		on("$JS.API.STREAM.MSG.GET." + stream)
	}
	if filter == "" {
		filter = ">"
	}
	m, err := s.GetMsg(ctx, sequence, js.WithGetMsgSubject(filter))
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
	err := c.ask(ctx, fmt.Sprintf("look at the dead letters of %q", durable), func(ctx context.Context, l *line, on asks) error {
		s, err := l.letters(ctx, on, letters, durable)
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

// asks is told the subject of each question before it is sent: if the server refuses it, it says so in
// answer to nobody.
type asks func(subject string)

// streamInfo begins the subject of the question what a stream is like.
const streamInfo = "$JS.API.STREAM.INFO."

func infoOf(stream, durable string) string { return "$JS.API.CONSUMER.INFO." + stream + "." + durable }

// ask asks the server something, within the time of a send. Its error is an *outbox.Error.
func (c *Client) ask(ctx context.Context, op string, question func(context.Context, *line, asks) error) error {
	failed := func(f *fault) error {
		return &outbox.Error{Class: f.class, Condition: f.condition, Op: op, Err: f.err}
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.SendTimeout)
	defer cancel()
	l, err := c.connected(ctx)
	if err != nil {
		return failed(unconnected(ctx, err))
	}
	ctx, one := c.waits.begin(ctx)
	defer one.done()
	if err := question(ctx, l, one.on); err != nil {
		return failed(unsent(ctx, err))
	}
	return nil
}
