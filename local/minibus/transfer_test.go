package minibus_test

import (
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// What cannot be passed on waits in the transfer dead-letter queue of where it was, with the reason.
func TestTransferDeadLetters(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.MaxEntityBytes = 100_000
		o.Config = &minibus.Config{Queues: []minibus.Queue{
			{Name: "ordered", RequiresSession: true},
			{Name: "to-ordered", ForwardTo: "ordered"},
			{Name: "small"},
			{Name: "to-small", ForwardTo: "small"},
		}}
	})
	c := connect(t, bus.ConnectionString())
	send(t, sender(t, c, "to-ordered"), "no session")
	sendTo(t, sender(t, c, "to-ordered"), "k", "with session")
	send(t, sender(t, c, "small"), strings.Repeat("x", 60_000))
	send(t, sender(t, c, "to-small"), strings.Repeat("y", 60_000))
	require.Len(t, bus.Peek("ordered"), 1)
	require.Len(t, bus.Peek("small"), 1)
	for queue, why := range map[string]string{"to-ordered": "SessionId was not set", "to-small": "reached its quota"} {
		require.Empty(t, bus.Peek(queue))
		require.Empty(t, bus.Peek(queue+"/$DeadLetterQueue"))
		dead := receive(t, receiver(t, c, queue, &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueTransfer}), 1)[0]
		require.Equal(t, "TransferFailed", *dead.DeadLetterReason)
		require.Contains(t, *dead.DeadLetterErrorDescription, why)
		require.Equal(t, queue, *dead.DeadLetterSource)
	}
}

// The sender of a message whose properties are too large is not told: the message is dead-lettered.
func TestHeaderSize(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	c := connect(t, bus.ConnectionString())
	for _, to := range []string{"plain", "events"} {
		require.NoError(t, sender(t, c, to).SendMessage(t.Context(), &azservicebus.Message{
			Subject: new("urgent"), ApplicationProperties: map[string]any{"a": strings.Repeat("x", 30_000), "b": strings.Repeat("y", 36_000)},
		}, nil))
	}
	for _, path := range []string{"plain", "events/Subscriptions/all"} {
		require.Empty(t, bus.Peek(path))
		dead := bus.Peek(path + "/$DeadLetterQueue")
		require.Len(t, dead, 1)
		require.Equal(t, "HeaderSizeExceeded", dead[0].Properties["DeadLetterReason"])
		require.Contains(t, dead[0].Properties["DeadLetterErrorDescription"], "65536 are allowed")
	}
}
