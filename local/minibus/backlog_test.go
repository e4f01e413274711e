package minibus_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// A backlog that is larger than what the broker keeps in memory loses nothing and keeps its order, whatever happens to
// its messages, and across a crash.
func TestLongBacklog(t *testing.T) {
	t.Parallel()
	const total, last = 420, 419 // of 2 KB, of which 100 KB stay in memory
	fs := vfs.NewCrashableMem()
	durable := func(fs vfs.FS) func(*minibus.Options) {
		return func(o *minibus.Options) {
			topology(o)
			o.Dir, o.FS, o.CacheBytes = "bus", fs, 100_000
		}
	}
	first := minibus.RunT(t, durable(fs))
	c := connect(t, first.ConnectionString())
	s := sender(t, c, "plain")
	body := func(n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%04d", n), 500) }
	for n := range total {
		require.NoError(t, s.SendMessage(t.Context(), &azservicebus.Message{Body: body(n), MessageID: new(fmt.Sprint(n))}, nil))
	}
	r := receiver(t, c, "plain", nil)
	peeked, err := r.PeekMessages(t.Context(), 3, &azservicebus.PeekMessagesOptions{FromSequenceNumber: new(int64(last))})
	require.NoError(t, err)
	require.Len(t, peeked, 2)
	require.Equal(t, body(last), peeked[1].Body)

	// Of every three messages one is completed, one deferred with a note, one dead-lettered.
	for n := range total {
		m := receive(t, r, 1)[0]
		require.True(t, bytes.Equal(body(n), m.Body), n)
		switch n % 3 {
		case 0:
			require.NoError(t, r.CompleteMessage(t.Context(), m, nil))
		case 1:
			require.NoError(t, r.DeferMessage(t.Context(), m, &azservicebus.DeferMessageOptions{PropertiesToModify: map[string]any{"note": int64(n)}}))
		case 2:
			require.NoError(t, r.DeadLetterMessage(t.Context(), m, &azservicebus.DeadLetterOptions{Reason: new("why")}))
		}
	}
	before := first.Snapshot()
	require.Equal(t, minibus.Counts{Deferred: total / 3, DeadLetter: total / 3}, before["plain"].Counts)

	second := minibus.RunT(t, durable(crash(fs)))
	require.Equal(t, before, second.Snapshot())
	again := connect(t, second.ConnectionString())
	deferred, err := receiver(t, again, "plain", nil).ReceiveDeferredMessages(t.Context(), []int64{2, last}, nil)
	require.NoError(t, err)
	require.Equal(t, int64(last-1), deferred[1].ApplicationProperties["note"])
	require.Equal(t, body(last-1), deferred[1].Body)
	dead := receive(t, receiver(t, again, "plain", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter}), total/3)
	require.Equal(t, "why", *dead[0].DeadLetterReason)
	require.Equal(t, body(2), dead[0].Body)
}

// Without a store nothing leaves memory, however long the backlog is.
func TestLongBacklogInMemory(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology, func(o *minibus.Options) { o.CacheBytes = 1000 })
	c := connect(t, bus.ConnectionString())
	r := receiver(t, c, "plain", nil)
	for n := range 20 {
		send(t, sender(t, c, "plain"), strings.Repeat(fmt.Sprint(n), 500))
	}
	for _, m := range receive(t, r, 20) {
		require.NoError(t, r.AbandonMessage(t.Context(), m, nil))
	}
	for n, m := range receive(t, r, 20) {
		require.Equal(t, strings.Repeat(fmt.Sprint(n), 500), string(m.Body))
	}
}
