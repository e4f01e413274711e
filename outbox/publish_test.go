package outbox_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// forgetful is a publisher that loses results, or has some more, of what it has not sent.
type forgetful struct {
	*outboxtest.MemPublisher
	lies int
}

func (p *forgetful) Publish(ctx context.Context, events []outbox.Event) []error {
	if p.lies--; p.lies < 0 {
		return p.MemPublisher.Publish(ctx, events)
	}
	return p.MemPublisher.Publish(ctx, events[:len(events)/2])
}

// TestAPublisherWithoutResults: an event that it says nothing of was not sent.
func TestAPublisherWithoutResults(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(ctx context.Context, d *outbox.Dispatcher) (outbox.Report, error){
		"drain": func(ctx context.Context, d *outbox.Dispatcher) (outbox.Report, error) {
			return d.Drain(ctx, "a", time.Minute)
		},
		"sweep": func(ctx context.Context, d *outbox.Dispatcher) (outbox.Report, error) { return d.Sweep(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &outboxtest.MemStore{}
				p := &forgetful{MemPublisher: &outboxtest.MemPublisher{}, lies: 2}
				fill(t, s, 3, "a")
				_, err := run(t.Context(), outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}))
				require.NoError(t, err)
				require.NoError(t, outboxtest.CheckDelivered(s, p.MemPublisher))
			})
		})
	}
}
