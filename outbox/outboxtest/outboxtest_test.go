package outboxtest

import (
	"context"
	"testing"

	"github.com/relaybox/relaybox/outbox"
)

func TestMemStoreConforms(t *testing.T) {
	t.Parallel()
	TestStore(t, func(*testing.T) Storage { return &MemStore{} })
	t.Run("Desk", func(t *testing.T) { TestDesk(t, func(*testing.T) Counter { return &MemStore{} }) })
}

func TestMemPublisherConforms(t *testing.T) {
	t.Parallel()
	TestPublisher(t, func(*testing.T) Broker {
		p := &MemPublisher{Fault: func(ctx context.Context, e outbox.Event) error {
			if err := ctx.Err(); err != nil {
				return &outbox.Error{Class: outbox.Timeout, Op: "publish", Err: err}
			}
			if len(e.Envelope) > 256<<10 {
				return &outbox.Error{Class: outbox.TooLarge, Op: "publish"}
			}
			return nil
		}}
		return Broker{Publisher: p, TooLarge: 300 << 10, Received: func(_ *testing.T, key string) []outbox.Event {
			var events []outbox.Event
			for _, e := range p.Log() {
				if e.Key == key {
					events = append(events, e)
				}
			}
			return events
		}}
	})
}
