package minibus_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// Whoever watches hears of each message once: that a topic has taken it, and how it left.
func TestWatch(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var heard []string
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.Config = &minibus.Config{Topics: []minibus.Topic{{Name: "events", RequiresDuplicateDetection: true, Subscriptions: []minibus.Subscription{{Name: "views"}}}}}
		o.Watch = func(p minibus.Passage) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, fmt.Sprintf("%s %s %s %s", p.Step, p.Entity, p.Message.MessageID, p.Message.Body))
		}
	})
	client := once(t, bus)
	sender, err := client.NewSender("events", nil)
	require.NoError(t, err)
	for _, id := range []string{"a", "b", "a"} { // the third is a copy
		require.NoError(t, sender.SendMessage(t.Context(), &azservicebus.Message{MessageID: &id, Body: []byte("body of " + id)}, nil))
	}
	receiver, err := client.NewReceiverForSubscription("events", "views", nil)
	require.NoError(t, err)
	for range 2 {
		got, err := receiver.ReceiveMessages(t.Context(), 1, nil)
		require.NoError(t, err)
		if got[0].MessageID == "a" {
			require.NoError(t, receiver.CompleteMessage(t.Context(), got[0], nil))
		} else {
			require.NoError(t, receiver.DeadLetterMessage(t.Context(), got[0], nil))
		}
	}
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []string{
		"published events a body of a", "published events b body of b",
		"completed events/Subscriptions/views a ", "dead-lettered events/Subscriptions/views b ",
	}, heard)
}
