package minibus_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/disk/disktest"
	"github.com/relaybox/relaybox/local/minibus"
)

// A dead letter that can never be forwarded waits where somebody can receive it, and holds nothing up.
func TestDeadLettersThatNeverGo(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("x", 50_000)
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.MaxEntityBytes = 120_000
		o.Config = &minibus.Config{Queues: []minibus.Queue{
			{Name: "a", ForwardTo: "b"}, {Name: "b", ForwardTo: "c"}, {Name: "c", ForwardTo: "d"}, {Name: "d", ForwardTo: "hopped"},
			{Name: "hopped", ForwardDeadLetteredMessagesTo: "errors"}, {Name: "errors"},
			{Name: "mixed", ForwardDeadLetteredMessagesTo: "ordered"}, {Name: "ordered", RequiresSession: true},
			{Name: "before"},
		}}
	})
	c, a := connect(t, bus.ConnectionString()), administer(t, bus, bus.ConnectionString())
	deadLetter := func(queue string, n int) {
		r := receiver(t, c, queue, nil)
		for _, m := range receive(t, r, n) {
			require.NoError(t, r.DeadLetterMessage(t.Context(), m, &azservicebus.DeadLetterOptions{Reason: new("why")}))
		}
		require.NoError(t, r.Close(t.Context()))
	}
	waiting := func(queue string, want ...string) {
		t.Helper()
		require.Empty(t, bus.Peek(queue+"/$DeadLetterQueue"))
		got := receive(t, receiver(t, c, queue, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueTransfer}), len(want))
		require.Equal(t, want, bodies(got))
		require.Equal(t, "why", *got[0].DeadLetterReason)
		require.Equal(t, queue, *got[0].DeadLetterSource)
	}
	send(t, sender(t, c, "a"), "hop")
	deadLetter("hopped", 1)
	waiting("hopped", "hop")

	send(t, sender(t, c, "mixed"), "without")
	sendTo(t, sender(t, c, "mixed"), "s", "with")
	deadLetter("mixed", 2)
	waiting("mixed", "without")
	require.Equal(t, []string{"with"}, peeked(bus, "ordered"))

	// The same of dead letters that have been there before.
	send(t, sender(t, c, "before"), "without")
	sendTo(t, sender(t, c, "before"), "s", large, "with")
	deadLetter("before", 3)
	changeQueue(t, a, "before", func(p *admin.QueueProperties) { p.ForwardDeadLetteredMessagesTo = new("ordered") })
	require.NoError(t, bus.Advance(time.Second))
	waiting("before", "without")
	require.Equal(t, []string{"with", large, "with"}, peeked(bus, "ordered"))
}

// What is deferred when a queue begins to forward stays there, and is had by its number.
func TestDeferredInWhatForwards(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "src"}, {Name: "dst"}}}
	})
	c, a := connect(t, bus.ConnectionString()), administer(t, bus, bus.ConnectionString())
	send(t, sender(t, c, "src"), "deferred")
	r := receiver(t, c, "src", nil)
	m := receive(t, r, 1)[0]
	require.NoError(t, r.DeferMessage(t.Context(), m, nil))
	require.NoError(t, r.Close(t.Context()))
	changeQueue(t, a, "src", func(p *admin.QueueProperties) { p.ForwardTo = new("dst") })
	got, err := receiver(t, c, "src", nil).ReceiveDeferredMessages(within(t, time.Minute), []int64{*m.SequenceNumber}, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"deferred"}, bodies(got))
}

// sendMany sends numbered messages in batches.
func sendMany(t *testing.T, s *azservicebus.Sender, n int) {
	t.Helper()
	for from := 0; from < n; from += 1000 {
		batch, err := s.NewMessageBatch(t.Context(), nil)
		require.NoError(t, err)
		for i := from; i < min(from+1000, n); i++ {
			require.NoError(t, batch.AddMessage(&azservicebus.Message{Body: fmt.Appendf(nil, "%05d", i)}, nil))
		}
		require.NoError(t, s.SendMessageBatch(t.Context(), batch, nil))
	}
}

// A long backlog is forwarded in parts, between which others use the broker, and what comes meanwhile goes behind it.
func TestLongBacklogKeepsItsOrder(t *testing.T) {
	t.Parallel()
	const n = 8000
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "src"}, {Name: "dst"}}}
	})
	c, a := connect(t, bus.ConnectionString()), administer(t, bus, bus.ConnectionString())
	s := sender(t, c, "src")
	sendMany(t, s, n)
	next, ctx, stop := n, within(t, time.Minute), make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				if s.SendMessage(ctx, &azservicebus.Message{Body: fmt.Appendf(nil, "%05d", next)}, nil) == nil {
					next++
				}
			}
		}
	})
	changeQueue(t, a, "src", func(p *admin.QueueProperties) { p.ForwardTo = new("dst") })
	parts := map[int]bool{}
	for ctx.Err() == nil && (bus.Counts("dst").Active <= n || bus.Counts("src").Active > 0) {
		parts[bus.Counts("dst").Active] = true
	}
	close(stop)
	sending.Wait()
	require.NoError(t, ctx.Err())
	require.Greater(t, len(parts), 3)
	got := peeked(bus, "dst")
	require.Len(t, got, next)
	require.IsIncreasing(t, got)
}

// Nothing is forwarded while the disk is full, and the rest goes when there is room.
func TestForwardingWaitsForRoom(t *testing.T) {
	t.Parallel()
	small := disktest.NewSmall("bus", 24<<20)
	bus := minibus.RunT(t, onDisk(small), func(o *minibus.Options) {
		o.MaxEntityBytes = 100_000
		o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "src", ForwardDeadLetteredMessagesTo: "dst"}, {Name: "dst"}}}
	})
	c := connect(t, bus.ConnectionString())
	send(t, sender(t, c, "dst"), disktest.Text(99_000))
	bury(t, c, "src", strings.Repeat("a", 2000), strings.Repeat("b", 2000))
	small.Fill(1 << 20)
	time.Sleep(100 * time.Millisecond) // until what was seen of the disk is too old
	r := receiver(t, c, "dst", nil)
	require.NoError(t, r.CompleteMessage(t.Context(), receive(t, r, 1)[0], nil))
	require.NoError(t, r.Close(t.Context()))
	require.NoError(t, bus.Advance(5*time.Second))
	require.Zero(t, bus.Counts("dst").Active)
	require.Equal(t, 2, bus.Counts("src").DeadLetter)
	small.Resize(200 << 20)
	require.NoError(t, bus.Advance(5*time.Second))
	require.Equal(t, 2, bus.Counts("dst").Active)
}

// What is forwarded to a topic counts against the quota of its subscriptions, as what is sent to it does.
func TestForwardingMindsSubscriptions(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.MaxEntityBytes = 100_000
		o.Config = &minibus.Config{
			Queues: []minibus.Queue{{Name: "q", ForwardTo: "t"}, {Name: "dead", ForwardDeadLetteredMessagesTo: "t"}},
			Topics: []minibus.Topic{{Name: "t", Subscriptions: []minibus.Subscription{{Name: "s"}}}},
		}
	})
	c, large := connect(t, bus.ConnectionString()), strings.Repeat("x", 60_000)
	send(t, sender(t, c, "q"), large, large)
	require.Equal(t, 1, bus.Counts("t/Subscriptions/s").Active)
	require.Len(t, bus.Peek("q/$Transfer/$DeadLetterQueue"), 1)
	bury(t, c, "dead", large)
	require.Len(t, bus.Peek("dead/$DeadLetterQueue"), 1)
	r, err := c.NewReceiverForSubscription("t", "s", nil)
	require.NoError(t, err)
	require.NoError(t, r.CompleteMessage(t.Context(), receive(t, r, 1)[0], nil))
	require.NoError(t, bus.Advance(time.Second))
	require.Equal(t, 1, bus.Counts("t/Subscriptions/s").Active, "the dead letter has gone on")
}
