package outboxtest

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/relaybox/relaybox/outbox"
)

func TestMemStoreConforms(t *testing.T) {
	t.Parallel()
	TestStore(t, func(*testing.T) Storage { return &MemStore{} })
	t.Run("Desk", func(t *testing.T) { TestDesk(t, func(*testing.T) Counter { return &MemStore{} }) })
	t.Run("Replay", func(t *testing.T) { TestReplay(t, func(*testing.T) Replayed { return &MemStore{} }) })
}

func TestMemPublisherConforms(t *testing.T) {
	t.Parallel()
	TestPublisher(t, func(*testing.T) Broker {
		var down, refuses atomic.Bool
		var stall atomic.Pointer[chan struct{}]
		p := &MemPublisher{Fault: func(ctx context.Context, e outbox.Event) error {
			if held := stall.Load(); held != nil {
				select {
				case <-*held:
				case <-ctx.Done():
				}
			}
			switch {
			case ctx.Err() != nil:
				return &outbox.Error{Class: outbox.Timeout, Op: "publish", Err: ctx.Err()}
			case down.Load():
				return &outbox.Error{Class: outbox.Unavailable, Op: "publish"}
			case refuses.Load():
				return &outbox.Error{Class: outbox.Rejected, Condition: "no", Op: "publish"}
			case len(e.Envelope) > 256<<10:
				return &outbox.Error{Class: outbox.TooLarge, Condition: "size", Op: "publish"}
			}
			return nil
		}}
		return Broker{
			Publisher: p, TooLarge: 300 << 10,
			Received: func(_ *testing.T, key string) []outbox.Event {
				var events []outbox.Event
				for _, e := range p.Log() {
					if e.Key == key {
						events = append(events, e)
					}
				}
				return events
			},
			Down: func() { down.Store(true) }, Up: func() { down.Store(false) },
			Stall:     func() { stall.Store(new(make(chan struct{}))) },
			Resume:    func() { close(*stall.Swap(nil)) },
			RefuseAll: func() { refuses.Store(true) }, TakeAll: func() { refuses.Store(false) },
		}
	})
}
