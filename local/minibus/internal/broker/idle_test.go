package broker

import (
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// What the service takes for use keeps an entity from AutoDeleteOnIdle, also where it is use of a part of it.
func TestInUseIsNotIdle(t *testing.T) {
	t.Parallel()
	r := NewReceivers()
	attach := func(e *Entity, filter amqpwire.Map) func() {
		return e.Attach(r, &amqpwire.Attach{Name: e.Key, Role: amqpwire.RoleReceiver, Source: &amqpwire.Source{Filter: filter}}, &mute{})
	}
	for _, c := range []struct {
		name, entity string
		use          func(b *Broker) (end func())
	}{
		{"a receiver of dead letters", "q", func(b *Broker) func() { return attach(b.entities["q"].dead, nil) }},
		{"a receiver of a transfer's dead letters", "q", func(b *Broker) func() { return attach(b.entities["q"].transferDead, nil) }},
		{"a receiver of a subscription", "t", func(b *Broker) func() { return attach(b.entities["t/subscriptions/s"], nil) }},
		{"a receiver of a subscription's dead letters", "t", func(b *Broker) func() { return attach(b.entities["t/subscriptions/s"].dead, nil) }},
		{"a receiver that waits for a session", "sessions", func(b *Broker) func() {
			patient := &amqpwire.Attach{Name: "w", Source: &amqpwire.Source{Filter: amqpwire.Map{{Key: amqpwire.Symbol(sessionFilter)}}},
				Properties: amqpwire.Map{{Key: amqpwire.Symbol("com.microsoft:timeout"), Value: uint32(time.Hour / time.Millisecond)}}}
			return b.entities["sessions"].Attach(r, patient, &mute{})
		}},
		{"a schedule", "q", func(b *Broker) func() {
			numbers, err := b.entities["q"].Accept([]*content.Content{{Due: b.Now() + time.Hour.Milliseconds(), Size: 1}})
			require.NoError(t, err)
			return func() { b.entities["q"].CancelScheduled(numbers) }
		}},
		{"forwarding", "forwards", func(b *Broker) func() {
			e := b.entities["forwards"]
			e.ForwardTo = "q"
			b.relink()
			return func() { e.ForwardTo = ""; b.relink() }
		}},
	} {
		b := openIn(t, vfs.NewMem(), &topology.Config{
			Queues: []topology.Queue{{Name: "q"}, {Name: "forwards"}, {Name: "sessions", RequiresSession: true}},
			Topics: []topology.Topic{{Name: "t", Subscriptions: []topology.Subscription{{Name: "s"}}}},
		})
		e := b.entities[c.entity]
		e.Settings.Idle = 10 * time.Minute
		b.resumeIdle()
		end := c.use(b)
		require.NoError(t, b.Advance(25*time.Minute))
		require.Same(t, e, b.entities[c.entity], c.name)
		end()
		require.NoError(t, b.Advance(23*time.Minute))
		require.Nil(t, b.entities[c.entity], c.name)
		require.NoError(t, b.Close())
	}
}

// Whoever looked at an entity, or stopped receiving from it, has used it until then.
func TestIdleCountsFromTheLastUse(t *testing.T) {
	t.Parallel()
	for name, use := range map[string]func(*Entity){
		"peek": func(e *Entity) { _ = e.Manage(func() error { return nil }) },
		"dead": func(e *Entity) { _ = e.dead.Manage(func() error { return nil }) },
		"detached": func(e *Entity) {
			e.Attach(NewReceivers(), &amqpwire.Attach{Source: &amqpwire.Source{}}, &mute{})()
		},
	} {
		b := openIn(t, vfs.NewMem(), &topology.Config{Queues: []topology.Queue{{Name: "q"}}})
		b.entities["q"].Settings.Idle = 10 * time.Minute
		b.resumeIdle()
		require.NoError(t, b.Advance(8*time.Minute))
		use(b.entities["q"])
		require.NoError(t, b.Advance(8*time.Minute))
		require.NotNil(t, b.entities["q"], name)
		require.NoError(t, b.Advance(3*time.Minute))
		require.Nil(t, b.entities["q"], name)
		require.NoError(t, b.Close())
	}
}
