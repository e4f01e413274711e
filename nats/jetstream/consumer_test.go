package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	js "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

const durable = "read-models"

// lock is how long the test's server waits for an acknowledgement.
const lock = 2 * time.Second

// consumed is a broker with the durable consumer and the stream of its dead letters.
func consumed(t *testing.T) *broker {
	b := run(t)
	_, err := b.stream.CreateConsumer(t.Context(), js.ConsumerConfig{Durable: durable, AckPolicy: js.AckExplicitPolicy, AckWait: lock, MaxDeliver: -1, MaxAckPending: 1000})
	require.NoError(t, err)
	b.letters(t)
	return b
}

func (b *broker) letters(t *testing.T) js.Stream {
	s, err := b.js.CreateOrUpdateStream(t.Context(), js.StreamConfig{Name: "DEAD", Subjects: []string{LetterSubject("dead-letters", durable, ">")}})
	require.NoError(t, err)
	return s
}

// send publishes events, in their order.
func (b *broker) send(t *testing.T, names string) {
	p := b.open(t, Options{}).Publisher(stream, PublisherOptions{})
	require.NoError(t, errors.Join(p.Publish(t.Context(), events(names))...))
}

// left is how many messages of the stream the consumer has not ended. What it says is pending may be
// behind the stream.
func (b *broker) left(t *testing.T) int {
	c, err := b.stream.Consumer(t.Context(), durable)
	require.NoError(t, err)
	info, err := b.stream.Info(t.Context())
	require.NoError(t, err)
	return int(info.State.LastSeq - c.CachedInfo().AckFloor.Stream)
}

// hand notes the deliveries, and answers them.
type hand struct {
	mu     sync.Mutex
	all    []Message
	answer func(ctx context.Context, m Message) error
}

func (h *hand) handle(ctx context.Context, m Message) error {
	h.mu.Lock()
	h.all = append(h.all, m)
	h.mu.Unlock()
	if h.answer == nil {
		return nil
	}
	return h.answer(ctx, m)
}

// taken are the messages' ids and delivery numbers, in order of arrival.
func (h *hand) taken() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var names []string
	for _, m := range h.all {
		names = append(names, fmt.Sprintf("%s/%d", strings.TrimPrefix(m.ID, "id-"), m.Delivery))
	}
	return strings.Join(names, " ")
}

// start runs a consumer; stop returns when it has ended.
func start(t *testing.T, c *Client, handle Handle, opts ConsumerOptions) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	w := c.Consumer(stream, durable, handle, opts)
	go func() { defer close(done); w.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what func() bool) {
	t.Helper()
	require.Eventually(t, what, time.Minute, 5*time.Millisecond)
}

// TestMessagesAreTakenOnce: as they were sent, and no more than may be in hand at once.
func TestMessagesAreTakenOnce(t *testing.T) {
	t.Parallel()
	b := consumed(t)
	e := outbox.Event{Key: "order:1", ID: "id-1", Seq: 1, Type: "t", ReplayFor: "read-models", Envelope: []byte(`{"a":1}`), Trace: outbox.Trace{Parent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", State: "x=y"}}
	require.NoError(t, errors.Join(b.open(t, Options{}).Publisher(stream, PublisherOptions{}).Publish(t.Context(), []outbox.Event{e})...))
	b.send(t, "a1 b1 c1 d1")
	var h hand
	var most, now int
	h.answer = func(context.Context, Message) error {
		h.mu.Lock()
		now++
		most = max(most, now)
		h.mu.Unlock()
		time.Sleep(10 * time.Millisecond)
		h.mu.Lock()
		defer h.mu.Unlock()
		now--
		return nil
	}
	stop := start(t, b.open(t, Options{}), h.handle, ConsumerOptions{InFlight: 2})
	eventually(t, func() bool { return b.left(t) == 0 })
	stop()
	require.Len(t, h.all, 5)
	require.LessOrEqual(t, most, 2)
	first := h.all[slices.IndexFunc(h.all, func(m Message) bool { return m.Sequence == 1 })]
	require.WithinDuration(t, time.Now(), first.Stored, time.Minute)
	first.Stored = time.Time{}
	require.Equal(t, Message{
		Body: e.Envelope, ID: "id-1", Subject: "events.order.1", Type: "t", ReplayFor: "read-models", Delivery: 1, Counted: 1, Sequence: 1, TraceParent: e.Trace.Parent, TraceState: "x=y",
	}, first)
}

// TestWhatIsInHandStaysThere for much longer than the server would wait.
func TestWhatIsInHandStaysThere(t *testing.T) {
	t.Parallel()
	b := consumed(t)
	b.send(t, "a1")
	h := hand{answer: func(context.Context, Message) error { time.Sleep(3 * lock); return nil }}
	start(t, b.open(t, Options{}), h.handle, ConsumerOptions{})
	eventually(t, func() bool { return b.left(t) == 0 })
	require.Equal(t, "a1/1", h.taken())
}

// TestADeadInstancesMessagesGoToAnother: it is cut off with a message in hand.
func TestADeadInstancesMessagesGoToAnother(t *testing.T) {
	t.Parallel()
	b := consumed(t)
	b.send(t, "a1")
	w := newWire()
	dead := hand{answer: func(ctx context.Context, _ Message) error { <-ctx.Done(); return ctx.Err() }}
	start(t, b.open(t, Options{Dial: w.Dial}), dead.handle, ConsumerOptions{})
	eventually(t, func() bool { return dead.taken() != "" })
	w.Cut()
	var heir hand
	start(t, b.open(t, Options{}), heir.handle, ConsumerOptions{})
	eventually(t, func() bool { return b.left(t) == 0 })
	require.Equal(t, "a1/2", heir.taken())
	require.Equal(t, "a1/1", dead.taken())
}

// TestWhoStopsGivesBack what is in hand, at once, and ends.
func TestWhoStopsGivesBack(t *testing.T) {
	t.Parallel()
	b := consumed(t)
	b.send(t, "a1 b1")
	h := hand{answer: func(ctx context.Context, _ Message) error { <-ctx.Done(); return ctx.Err() }}
	stop := start(t, b.open(t, Options{}), h.handle, ConsumerOptions{})
	eventually(t, func() bool { return len(h.taken()) == len("a1/1 b1/1") })
	stop()
	require.Equal(t, 2, b.left(t))
	var heir hand
	start(t, b.open(t, Options{}), heir.handle, ConsumerOptions{})
	eventually(t, func() bool { return b.left(t) == 0 })
	require.ElementsMatch(t, []string{"a1/2", "b1/2"}, strings.Fields(heir.taken()))
}

// TestADeafRequestIsMadeAnew: nothing says that it is dead.
func TestADeafRequestIsMadeAnew(t *testing.T) {
	t.Parallel()
	b, w := consumed(t), newWire()
	var h hand
	start(t, b.open(t, Options{Dial: w.Dial}), h.handle, ConsumerOptions{heartbeat: 200 * time.Millisecond})
	b.send(t, "a1")
	eventually(t, func() bool { return h.taken() == "a1/1" })
	w.Freeze()
	b.send(t, "b1")
	eventually(t, func() bool { return strings.Contains(h.taken(), "b1/") && b.left(t) == 0 })
}

// TestAStallEnds: all that was sent meanwhile comes.
func TestAStallEnds(t *testing.T) {
	t.Parallel()
	b, w := consumed(t), newWire()
	var h hand
	start(t, b.open(t, Options{Dial: w.Dial}), h.handle, ConsumerOptions{heartbeat: 200 * time.Millisecond})
	b.send(t, "a1")
	eventually(t, func() bool { return h.taken() == "a1/1" })
	w.Hold()
	b.send(t, "b1 c1")
	require.Equal(t, "a1/1", h.taken())
	w.Release()
	eventually(t, func() bool {
		return strings.Contains(h.taken(), "b1/") && strings.Contains(h.taken(), "c1/") && b.left(t) == 0
	})
}

// TestADurableThatIsNotThere is waited for, and one that is made anew is found.
func TestADurableThatIsNotThere(t *testing.T) {
	t.Parallel()
	b := run(t)
	var h hand
	start(t, b.open(t, Options{}), h.handle, ConsumerOptions{})
	b.send(t, "a1")
	durable := js.ConsumerConfig{Durable: durable, AckPolicy: js.AckExplicitPolicy, AckWait: lock, MaxDeliver: -1}
	_, err := b.stream.CreateConsumer(t.Context(), durable)
	require.NoError(t, err)
	eventually(t, func() bool { return h.taken() == "a1/1" })
	require.NoError(t, b.stream.DeleteConsumer(t.Context(), durable.Durable))
	b.send(t, "b1")
	_, err = b.stream.CreateConsumer(t.Context(), durable)
	require.NoError(t, err)
	eventually(t, func() bool { return strings.Contains(h.taken(), "b1/1") && b.left(t) == 0 })
}
