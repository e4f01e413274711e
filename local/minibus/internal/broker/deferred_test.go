package broker

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// An answer with deferred messages is bounded: those that are too large together are refused untouched, in both modes, and
// come in parts; one alone comes whatever its size.
func TestDeferredAreBounded(t *testing.T) {
	t.Parallel()
	b := openIn(t, vfs.NewMem(), &topology.Config{Queues: []topology.Queue{{Name: "q"}}})
	b.maxBytes = 1 << 40
	q, r := b.entities["q"], NewReceivers()
	var numbers []int64
	for _, size := range []int{maxReceived / 2, maxReceived / 2, 1, maxReceived + 1} { // told, not there: only the sum counts
		seq := q.put(&message{kept: &content.Content{Size: size}}, b.Now())
		numbers = append(numbers, seq)
		m := q.log.get(seq)
		q.ready.remove(m)
		q.restate(m, Deferred)
	}
	for _, removes := range []bool{false, true} {
		_, err := q.ReceiveDeferred(r, numbers[:3], "", false, removes)
		require.ErrorContains(t, err, string(amqpwire.CondResourceLimit))
		require.Empty(t, q.locks)
		require.Equal(t, 4, q.log.live)
	}
	got, err := q.ReceiveDeferred(r, numbers[:2], "", false, false)
	require.NoError(t, err)
	require.Len(t, got, 2)
	got, err = q.ReceiveDeferred(r, []int64{numbers[2], numbers[2]}, "", false, true)
	require.NoError(t, err)
	require.Len(t, got, 1, "named twice")
	got, err = q.ReceiveDeferred(r, numbers[3:], "", false, false)
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.NoError(t, b.Check())
	require.NoError(t, b.Close())
}
