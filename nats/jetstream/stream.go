package jetstream

import (
	"context"
	"fmt"

	js "github.com/nats-io/nats.go/jetstream"

	"github.com/relaybox/relaybox/outbox"
)

// Inspect asks what the stream is like. It needs the right to publish to
// $JS.API.STREAM.INFO.NAME. Its error is an *outbox.Error.
func (c *Client) Inspect(ctx context.Context, stream string) (js.StreamConfig, error) {
	failed := func(f *fault) (js.StreamConfig, error) {
		return js.StreamConfig{}, &outbox.Error{Class: f.class, Condition: f.condition, Op: fmt.Sprintf("look at stream %q", stream), Err: f.err}
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.SendTimeout)
	defer cancel()
	l, err := c.connected(ctx)
	if err != nil {
		return failed(unconnected(ctx, err))
	}
	ctx, done := c.waits.under(ctx, "$JS.API.STREAM.INFO."+stream)
	defer done()
	s, err := l.js.Stream(ctx, stream)
	if err != nil {
		return failed(unsent(ctx, err))
	}
	return s.CachedInfo().Config, nil
}
