package broker

import (
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// A lock that ends while a transaction is being committed does not part it: what was held when it began is settled, by
// either way.
func TestLockEndsDuringCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, err := Open(Options{
			Config: &topology.Config{
				Queues: []topology.Queue{{Name: "in", LockDuration: 5 * time.Second}},
				Topics: []topology.Topic{{Name: "out", Subscriptions: []topology.Subscription{{Name: "s"}}}},
			},
			Logger: slog.New(slog.DiscardHandler), MaxEntityBytes: 1 << 20, CacheBytes: 1 << 20,
			Watch: func(p Passage) {
				if p.Step == Published {
					time.Sleep(6 * time.Second) // a slow machine
				}
			},
		})
		require.NoError(t, err)
		in, out, r := b.entities["in"], b.entities["out"], NewReceivers()
		_, err = in.Accept([]*content.Content{{Size: 1}, {Size: 1}})
		require.NoError(t, err)
		c := &consumer{with: r, in: in}
		var tags [][]byte
		require.Equal(t, 2, c.Take(2, func(tag, _ []byte) bool { tags = append(tags, append([]byte{}, tag...)); return true }))
		id, err := b.Begin(r, nil)
		require.NoError(t, err)
		require.NoError(t, out.SendIn(r, id, []*content.Content{{Size: 1}}))
		require.NoError(t, c.SettleIn(id, tags[0], &amqpwire.Accepted{}))
		held, err := in.HeldAll([]amqpwire.UUID{lockTag(amqpwire.UUID(tags[1]))})
		require.NoError(t, err)
		require.NoError(t, held.Enlist(r, id, Held.Complete, 0))
		require.NoError(t, b.End(r, id, false))
		require.Equal(t, Counts{Active: 1}, b.Counts("out/Subscriptions/s"))
		require.Equal(t, Counts{}, b.Counts("in"))
		require.NoError(t, b.Check())
		require.NoError(t, b.Close())
	})
}
