package minibus_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// However many sessions a client asks for, an answer has at most 1 MB of their ids; it asks on from the skip that it is told.
func TestSessionListIsBounded(t *testing.T) {
	t.Parallel()
	const sessions = 9000
	bus := minibus.RunT(t, topology)
	s := sender(t, connect(t, bus.ConnectionString()), "sessions")
	for n := 0; n < sessions; {
		batch, err := s.NewMessageBatch(t.Context(), nil)
		require.NoError(t, err)
		for ; n < sessions && batch.NumMessages() < 900; n++ {
			id := fmt.Sprintf("%0128d", n)
			require.NoError(t, batch.AddMessage(&azservicebus.Message{SessionID: &id}, nil))
		}
		require.NoError(t, s.SendMessageBatch(t.Context(), batch, nil))
	}
	raw := rawSession(t, bus)
	authorize(t, raw, bus, "sessions")
	out, err := raw.NewSender(t.Context(), "sessions/$management", nil)
	require.NoError(t, err)
	in, err := raw.NewReceiver(t.Context(), "sessions/$management", nil)
	require.NoError(t, err)
	skip, pages := int32(0), 0
	for ; skip < sessions; pages++ {
		require.NoError(t, out.Send(t.Context(), &amqp.Message{
			Properties: &amqp.MessageProperties{MessageID: "1"}, ApplicationProperties: map[string]any{"operation": "com.microsoft:get-message-sessions"},
			Value: map[string]any{"skip": skip, "top": int32(sessions), "last-updated-time": time.UnixMilli(253402300800000)},
		}, nil))
		answer, err := in.Receive(t.Context(), nil)
		require.NoError(t, err)
		require.EqualValues(t, 200, answer.ApplicationProperties["statusCode"])
		page := answer.Value.(map[string]any)
		ids := page["sessions-ids"].([]string)
		require.NotEmpty(t, ids)
		require.LessOrEqual(t, len(ids)*128, 1<<20)
		require.Equal(t, fmt.Sprintf("%0128d", skip), ids[0])
		skip += int32(len(ids))
		require.Equal(t, skip, page["skip"])
	}
	require.Equal(t, 2, pages)
}
