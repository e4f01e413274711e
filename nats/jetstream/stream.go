package jetstream

import (
	"context"
	"fmt"

	js "github.com/nats-io/nats.go/jetstream"
)

// Inspect asks what the stream is like. It needs the right to publish to
// $JS.API.STREAM.INFO.NAME. Its error is an *outbox.Error.
func (c *Client) Inspect(ctx context.Context, stream string) (js.StreamConfig, error) {
	var found js.StreamConfig
	err := c.ask(ctx, fmt.Sprintf("look at stream %q", stream), func(ctx context.Context, l *line, on asks) error {
		on(streamInfo + stream)
		s, err := l.js.Stream(ctx, stream)
		if err == nil {
			found = s.CachedInfo().Config
		}
		return err
	})
	return found, err
}

// InspectConsumer asks what a durable consumer of the stream is like. It needs the right to publish to
// $JS.API.CONSUMER.INFO.STREAM.DURABLE. Its error is an *outbox.Error.
func (c *Client) InspectConsumer(ctx context.Context, stream, durable string) (js.ConsumerConfig, error) {
	var found js.ConsumerConfig
	err := c.ask(ctx, fmt.Sprintf("look at consumer %q of %q", durable, stream), func(ctx context.Context, l *line, on asks) error {
		on(infoOf(stream, durable))
		from, err := l.js.Consumer(ctx, stream, durable)
		if err == nil {
			found = from.CachedInfo().Config
		}
		return err
	})
	return found, err
}

// InspectLetters asks what the stream is like that takes the dead letters of a durable consumer. It
// needs the right to publish to $JS.API.STREAM.NAMES, too. Its error is an *outbox.Error.
func (c *Client) InspectLetters(ctx context.Context, letters, durable string) (js.StreamConfig, error) {
	var found js.StreamConfig
	err := c.ask(ctx, fmt.Sprintf("look for the dead letters of %q", durable), func(ctx context.Context, l *line, on asks) error {
		s, err := l.letters(ctx, on, letters, durable)
		if err == nil {
			found = s.CachedInfo().Config
		}
		return err
	})
	return found, err
}

// MaxPayload is the largest message, with its headers, that the server takes, in bytes.
func (c *Client) MaxPayload(ctx context.Context) (int64, error) {
	var most int64
	err := c.ask(ctx, "connect", func(_ context.Context, l *line, _ asks) error {
		most = l.MaxPayload()
		return nil
	})
	return most, err
}

// letters is the stream that takes the dead letters of a durable consumer.
func (l *line) letters(ctx context.Context, on asks, letters, durable string) (js.Stream, error) {
	on("$JS.API.STREAM.NAMES")
	name, err := l.js.StreamNameBySubject(ctx, LetterSubject(letters, durable, ">"))
	if err != nil {
		return nil, err
	}
	on(streamInfo + name)
	return l.js.Stream(ctx, name)
}
