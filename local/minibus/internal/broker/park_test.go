package broker

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// mute is a link whose client does not matter.
type mute struct{ amqpserver.Link }

func (*mute) Attached(amqpserver.Source, error) {}

// Receivers that wait for a session again and again, each under another name as clients do, leave nothing behind.
func TestWaitersLeaveNothing(t *testing.T) {
	t.Parallel()
	b, err := Open(Options{
		Config: &topology.Config{Queues: []topology.Queue{{Name: "q", RequiresSession: true}}},
		Logger: slog.New(slog.DiscardHandler), MaxEntityBytes: 1 << 20, CacheBytes: 1 << 20,
	})
	require.NoError(t, err)
	e, r := b.entities["q"], NewReceivers()
	wait := func(i int) {
		e.Attach(r, &amqpwire.Attach{
			Name: fmt.Sprint(i), Role: amqpwire.RoleReceiver, Source: &amqpwire.Source{Filter: amqpwire.Map{{Key: amqpwire.Symbol(sessionFilter)}}},
		}, &mute{})
	}
	for i := range 10 {
		wait(i)
		require.Len(t, r.byName, 1)
		require.NoError(t, b.Advance(2*time.Minute))
	}
	require.Empty(t, r.byName)
	wait(10)
	b.mu.Lock()
	b.Drop(e)
	b.mu.Unlock()
	require.Empty(t, r.byName)
	require.NoError(t, b.Close())
}
