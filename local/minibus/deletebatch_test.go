package minibus_test

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// Messages are deleted many at a time, the oldest first: those that nobody has locked, and that came before a time.
func TestDeleteBatch(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	c := connect(t, bus.ConnectionString())
	send(t, sender(t, c, "plain"), "locked", "a", "b", "c")
	_, err := sender(t, c, "plain").ScheduleMessages(t.Context(), []*azservicebus.Message{{Body: []byte("scheduled")}}, time.Now().Add(time.Hour), nil)
	require.NoError(t, err)
	receive(t, receiver(t, c, "plain", nil), 1)

	s := rawSession(t, bus)
	authorize(t, s, bus, "plain")
	out, err := s.NewSender(t.Context(), "plain/$management", nil)
	require.NoError(t, err)
	in, err := s.NewReceiver(t.Context(), "plain/$management", nil)
	require.NoError(t, err)
	ask := func(body map[string]any) (code int32, deleted any) {
		require.NoError(t, out.Send(t.Context(), &amqp.Message{
			Properties: &amqp.MessageProperties{MessageID: "1"}, Value: body, ApplicationProperties: map[string]any{"operation": "com.microsoft:batch-delete-messages"},
		}, nil))
		answer, err := in.Receive(t.Context(), nil)
		require.NoError(t, err)
		if m, ok := answer.Value.(map[string]any); ok {
			deleted = m["message-count"]
		}
		return answer.ApplicationProperties["statusCode"].(int32), deleted
	}
	require.NoError(t, bus.Advance(time.Second))
	code, deleted := ask(map[string]any{"message-count": int32(2), "enqueued-time-utc": time.Now().Add(time.Hour)})
	require.Equal(t, []any{int32(200), int32(2)}, []any{code, deleted})
	require.Equal(t, []string{"locked", "c", "scheduled"}, peeked(bus, "plain"))
	code, _ = ask(map[string]any{"message-count": int32(10), "enqueued-time-utc": time.Now().Add(-time.Hour)})
	require.EqualValues(t, 204, code)
	code, deleted = ask(map[string]any{"message-count": int32(4000)})
	require.Equal(t, []any{int32(200), int32(1)}, []any{code, deleted})
	require.Equal(t, []string{"locked", "scheduled"}, peeked(bus, "plain"))
	for _, n := range []int32{0, -1, 4001} {
		code, _ = ask(map[string]any{"message-count": n})
		require.EqualValues(t, 500, code)
	}
}
