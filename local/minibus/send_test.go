package minibus_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

func TestMessagesRoundTrip(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	s, r := sender(t, c, "plain"), receiver(t, c, "plain", nil)
	now := time.UnixMilli(time.Now().UnixMilli())
	properties := map[string]any{
		"bool": true, "byte": byte(1), "int8": int8(-2), "int16": int16(-3), "int32": int32(-4), "int64": int64(-5),
		"uint16": uint16(3), "uint32": uint32(4), "uint64": uint64(5), "float32": float32(1.5), "float64": 2.5,
		"string": "grüße", "time": now, "uuid": amqp.UUID{1, 2, 3}, "binary": []byte{1, 2}, "null": nil,
	}
	require.NoError(t, s.SendMessage(t.Context(), &azservicebus.Message{
		Body: []byte("body"), Subject: new("subject"), ContentType: new("text/plain"), CorrelationID: new("c"), To: new("to"),
		ReplyTo: new("rt"), PartitionKey: new("pk"), ApplicationProperties: properties,
	}, nil))
	m := receive(t, r, 1)[0]
	require.Equal(t, "body", string(m.Body))
	require.Equal(t, "subject", *m.Subject)
	require.Equal(t, "text/plain", *m.ContentType)
	require.Equal(t, "pk", *m.PartitionKey)
	require.Equal(t, properties, m.ApplicationProperties)
	require.NotEmpty(t, m.MessageID, "the broker gives an id to a message that has none")
	require.NoError(t, r.CompleteMessage(t.Context(), m, nil))

	for name, body := range map[string]azservicebus.AMQPAnnotatedMessageBody{
		"data":     {Data: [][]byte{[]byte("one"), []byte("two")}},
		"sequence": {Sequence: [][]any{{"a", int64(1)}, {"b"}}},
		"value":    {Value: map[string]any{"k": []any{int32(1), "x"}}},
	} {
		require.NoError(t, s.SendAMQPAnnotatedMessage(t.Context(), &azservicebus.AMQPAnnotatedMessage{
			Body: body, Footer: map[any]any{"f": "x"},
			DeliveryAnnotations: map[any]any{"d": int64(1)}, MessageAnnotations: map[any]any{"m": "y", "x-opt-sequence-number": nil},
		}, nil), name)
		m := receive(t, r, 1)[0]
		require.Equal(t, body, m.RawAMQPMessage.Body, name)
		require.Equal(t, "x", m.RawAMQPMessage.Footer["f"], name)
		require.EqualValues(t, 1, m.RawAMQPMessage.DeliveryAnnotations["d"], name)
		require.Equal(t, "y", m.RawAMQPMessage.MessageAnnotations["m"], name)
		require.NoError(t, r.CompleteMessage(t.Context(), m, nil))
	}
	for _, annotation := range []string{"x-opt-scheduled-enqueue-time", "x-opt-message-state", "x-opt-enqueue-sequence-number"} {
		require.Error(t, s.SendAMQPAnnotatedMessage(t.Context(), &azservicebus.AMQPAnnotatedMessage{
			MessageAnnotations: map[any]any{annotation: nil},
		}, nil), annotation)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	s, r := sender(t, c, "plain"), receiver(t, c, "plain", nil)
	large := bytes.Repeat([]byte("0123456789"), 20_000)
	require.NoError(t, s.SendMessage(t.Context(), &azservicebus.Message{Body: large}, nil))
	m := receive(t, r, 1)[0]
	require.Equal(t, large, m.Body)
	require.NoError(t, r.CompleteMessage(t.Context(), m, nil))
	require.ErrorIs(t, s.SendMessage(t.Context(), &azservicebus.Message{Body: bytes.Repeat(large, 2)}, nil), azservicebus.ErrMessageTooLarge)

	batch, err := s.NewMessageBatch(t.Context(), nil)
	require.NoError(t, err)
	n := 0
	for ; ; n++ {
		err := batch.AddMessage(&azservicebus.Message{Body: fmt.Appendf(nil, "%04d%s", n, large[:10_000])}, nil)
		if err != nil {
			require.ErrorIs(t, err, azservicebus.ErrMessageTooLarge)
			break
		}
	}
	require.Equal(t, 25, n, "262144 bytes hold 25 messages of 10 kB")
	require.NoError(t, s.SendMessageBatch(t.Context(), batch, nil))
	var numbers []string
	for _, m := range receive(t, r, n) {
		numbers = append(numbers, string(m.Body[:4]))
		require.NoError(t, r.CompleteMessage(t.Context(), m, nil))
	}
	slices.Sort(numbers) // a receiver gives back what comes between two of its calls
	require.Len(t, slices.Compact(numbers), n)
	require.Equal(t, fmt.Sprintf("%04d", n-1), numbers[n-1])
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	s, r := sender(t, c, "dedup"), receiver(t, c, "dedup", nil)
	msg := func() *azservicebus.Message { return &azservicebus.Message{MessageID: new("same")} }
	require.NoError(t, s.SendMessage(t.Context(), msg(), nil))
	require.NoError(t, s.SendMessage(t.Context(), msg(), nil))
	require.Equal(t, 1, bus.Counts("dedup").Active)
	require.NoError(t, r.CompleteMessage(t.Context(), receive(t, r, 1)[0], nil))
	require.NoError(t, s.SendMessage(t.Context(), msg(), nil))
	require.Zero(t, bus.Counts("dedup").Active, "a completed message still counts")
	numbers, err := s.ScheduleMessages(t.Context(), []*azservicebus.Message{msg()}, time.Now().Add(time.Hour), nil)
	require.NoError(t, err)
	require.Len(t, numbers, 1)
	require.Zero(t, bus.Counts("dedup"))
	require.Eventually(t, func() bool { // outside of the window it is another message
		require.NoError(t, s.SendMessage(t.Context(), msg(), nil))
		return bus.Counts("dedup").Active == 1
	}, time.Minute, 50*time.Millisecond)
	require.NoError(t, s.SendMessage(t.Context(), &azservicebus.Message{}, nil))
	require.NoError(t, s.SendMessage(t.Context(), &azservicebus.Message{}, nil))
	require.Equal(t, 3, bus.Counts("dedup").Active, "messages without an id are never duplicates")
}

func TestSchedules(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	s, r := sender(t, c, "plain"), receiver(t, c, "plain", nil)
	due := time.Now().Add(200 * time.Millisecond)
	numbers, err := s.ScheduleMessages(t.Context(), []*azservicebus.Message{{Body: []byte("a")}, {Body: []byte("b")}}, due, nil)
	require.NoError(t, err)
	require.Equal(t, []int64{1, 2}, numbers)
	require.NoError(t, s.SendMessage(t.Context(), &azservicebus.Message{Body: []byte("c"), ScheduledEnqueueTime: &due}, nil))
	require.Equal(t, minibus.Counts{Scheduled: 3}, bus.Counts("plain"))
	require.NoError(t, s.CancelScheduledMessages(t.Context(), numbers[:1], nil))
	got := receive(t, r, 2)
	require.False(t, time.Now().Before(due.Truncate(time.Millisecond)))
	require.Equal(t, []string{"b", "c"}, bodies(got))
	require.EqualValues(t, 2, *got[0].EnqueuedSequenceNumber)
	require.Greater(t, *got[0].SequenceNumber, int64(2), "an activated message has a new number")
	for _, m := range got {
		require.NoError(t, r.CompleteMessage(t.Context(), m, nil))
	}
	require.Error(t, s.CancelScheduledMessages(within(t, 2*time.Second), numbers[1:], nil))
}

func TestTopics(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	s := sender(t, c, "events")
	id := "twin"
	for range 2 { // duplicates are dropped before they are copied
		require.NoError(t, s.SendMessage(t.Context(), &azservicebus.Message{
			MessageID: &id, SessionID: new("k"), Subject: new("urgent"), ApplicationProperties: map[string]any{"level": int64(3)},
		}, nil))
	}
	require.NoError(t, s.SendMessage(t.Context(), &azservicebus.Message{Subject: new("Urgent")}, nil))
	require.Equal(t, 2, bus.Counts("events/Subscriptions/all").Active)
	require.Equal(t, 1, bus.Counts("events/subscriptions/urgent").Active)
	require.Equal(t, 1, bus.Counts("events/Subscriptions/ordered").Active)
	require.Equal(t, "Session ID is null.", bus.Peek("events/Subscriptions/ordered/$DeadLetterQueue")[0].Properties["DeadLetterReason"])

	r, err := c.AcceptNextSessionForSubscription(within(t, time.Minute), "events", "ordered", nil)
	require.NoError(t, err)
	m := receive(t, r, 1)[0]
	require.Equal(t, id, m.MessageID)
	require.NoError(t, r.CompleteMessage(t.Context(), m, nil))
	require.Zero(t, bus.Counts("events/Subscriptions/ordered").Active)
	require.Equal(t, 2, bus.Counts("events/Subscriptions/all").Active, "copies are independent")

	dead, err := c.NewReceiverForSubscription("events", "ordered", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	require.NoError(t, err)
	m = receive(t, dead, 1)[0]
	require.Equal(t, "events/Subscriptions/ordered", *m.DeadLetterSource)
	require.NoError(t, dead.CompleteMessage(t.Context(), m, nil))
}

func TestForwarding(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	c := connect(t, bus.ConnectionString())
	send(t, sender(t, c, "forwarding"), "x")
	require.Zero(t, bus.Counts("forwarding").Active)
	require.Equal(t, "x", string(bus.Peek("plain")[0].Body))
}

func TestQuota(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology, func(o *minibus.Options) { o.MaxEntityBytes = 1000 })
	s := sender(t, connect(t, bus.ConnectionString()), "plain")
	require.NoError(t, s.SendMessage(t.Context(), &azservicebus.Message{Body: make([]byte, 600)}, nil))
	require.ErrorContains(t, s.SendMessage(t.Context(), &azservicebus.Message{Body: make([]byte, 600)}, nil), "amqp:resource-limit-exceeded")
	require.Equal(t, 1, bus.Counts("plain").Active)
}
