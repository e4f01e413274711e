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
	err := c.ask(ctx, fmt.Sprintf("look at stream %q", stream), "$JS.API.STREAM.INFO."+stream, func(ctx context.Context, l *line) error {
		s, err := l.js.Stream(ctx, stream)
		if err == nil {
			found = s.CachedInfo().Config
		}
		return err
	})
	return found, err
}
