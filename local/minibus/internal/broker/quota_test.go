package broker

import (
	"log/slog"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

func openIn(t *testing.T, fs vfs.FS, c *topology.Config) *Broker {
	t.Helper()
	b, err := Open(Options{
		Dir: "bus", FS: fs, Config: c, Logger: slog.New(slog.DiscardHandler), MaxEntityBytes: 1 << 20, CacheBytes: 1 << 20,
	})
	require.NoError(t, err)
	return b
}

// A message of which nothing was sent has at least its id, also after an action has given it a shorter one.
func TestMessageOfNothingCounts(t *testing.T) {
	t.Parallel()
	b := openIn(t, vfs.NewMem(), &topology.Config{
		Queues: []topology.Queue{{Name: "q"}},
		Topics: []topology.Topic{{Name: "t", Subscriptions: []topology.Subscription{{
			Name: "s", Rules: []rules.Rule{{Name: "r", SQL: "1=1", Action: "SET sys.MessageId = 'x'"}},
		}}}},
	})
	for _, name := range []string{"q", "t"} {
		c, err := content.Parse(nil)
		require.NoError(t, err)
		_, err = b.entities[name].Accept([]*content.Content{c})
		require.NoError(t, err)
	}
	require.Positive(t, b.entities["q"].bytes)
	require.Positive(t, b.entities["t/subscriptions/s"].bytes)
	q, sent := b.entities["q"], 0
	for batch := make([]*content.Content, 1000); sent <= 1<<20; sent += len(batch) {
		for i := range batch {
			c, err := content.Parse(nil)
			require.NoError(t, err)
			batch[i] = c
		}
		if _, err := q.Accept(batch); err != nil {
			require.ErrorContains(t, err, "quota")
			break
		}
	}
	require.LessOrEqual(t, sent, 1<<20, "more messages than the quota has bytes")
	require.NoError(t, b.Close())
}

// Sessions' states take from the quota, also after a restart, and give back what they took.
func TestStatesCountForQuota(t *testing.T) {
	t.Parallel()
	fs, config := vfs.NewMem(), &topology.Config{Queues: []topology.Queue{{Name: "q", RequiresSession: true}}}
	b := openIn(t, fs, config)
	own := func(id string) *Receivers {
		r := NewReceivers()
		c := &consumer{with: r, name: id, in: b.entities["q"]}
		require.NoError(t, b.entities["q"].acceptNamed(id, c))
		r.byName[id] = c
		return r
	}
	state := make([]byte, 250<<10)
	for _, id := range []string{"a", "b", "c", "d"} {
		require.NoError(t, b.entities["q"].SetSessionState(own(id), id, state))
	}
	message := []*content.Content{{SessionID: "a", HasSession: true, Size: 100 << 10}}
	full := func() {
		t.Helper()
		err := b.entities["q"].SetSessionState(own("e"), "e", state)
		require.ErrorContains(t, err, "quota")
		_, err = b.entities["q"].Accept(message)
		require.ErrorContains(t, err, "quota")
		require.NoError(t, b.Check())
	}
	full()
	require.NoError(t, b.Durable(b.Position()))
	require.NoError(t, b.Close())

	b = openIn(t, fs, config)
	full()
	require.NoError(t, b.entities["q"].SetSessionState(own("a"), "a", state), "as large as before")
	require.NoError(t, b.entities["q"].SetSessionState(own("b"), "b", nil))
	_, err := b.entities["q"].Accept(message)
	require.NoError(t, err)
	require.NoError(t, b.Check())
	require.NoError(t, b.Close())
}
