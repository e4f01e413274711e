package minibus_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// topology has one of everything that the tests need.
func topology(o *minibus.Options) {
	o.Config = &minibus.Config{
		Queues: []minibus.Queue{
			{Name: "plain"},
			{Name: "other"},
			{Name: "sessions", RequiresSession: true, MaxDeliveryCount: 10},
			{Name: "short", LockDuration: 400 * time.Millisecond, MaxDeliveryCount: 2},
			{Name: "shortsessions", RequiresSession: true, LockDuration: 400 * time.Millisecond},
			{Name: "dedup", RequiresDuplicateDetection: true, DuplicateDetectionHistoryTimeWindow: 500 * time.Millisecond},
			{Name: "late", DeadLetteringOnMessageExpiration: true},
			{Name: "forwarding", ForwardTo: "plain"},
		},
		Topics: []minibus.Topic{{
			Name: "events", RequiresDuplicateDetection: true,
			Subscriptions: []minibus.Subscription{
				{Name: "all"},
				{Name: "ordered", RequiresSession: true, MaxDeliveryCount: 10},
				{Name: "urgent", Rules: []minibus.Rule{{Name: "urgent", Correlation: &minibus.CorrelationFilter{
					Label: "urgent", Properties: map[string]any{"level": 3.0},
				}}}},
			},
		}},
	}
}

// connect makes a client and has it closed.
func connect(t *testing.T, connection string) *azservicebus.Client {
	t.Helper()
	retries := azservicebus.RetryOptions{MaxRetries: 1, RetryDelay: 10 * time.Millisecond}
	if wayOf(t) != "" {
		retries = azservicebus.RetryOptions{MaxRetries: 50, RetryDelay: time.Millisecond, MaxRetryDelay: 10 * time.Millisecond}
	}
	c, err := azservicebus.NewClientFromConnectionString(connection, &azservicebus.ClientOptions{RetryOptions: retries})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close(context.Background())) })
	return c
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func sender(t *testing.T, c *azservicebus.Client, to string) *azservicebus.Sender {
	t.Helper()
	s, err := c.NewSender(to, nil)
	require.NoError(t, err)
	return s
}

func receiver(t *testing.T, c *azservicebus.Client, from string, opts *azservicebus.ReceiverOptions) *azservicebus.Receiver {
	t.Helper()
	r, err := c.NewReceiverForQueue(from, opts)
	require.NoError(t, err)
	return r
}

func receive(t *testing.T, r interface {
	ReceiveMessages(context.Context, int, *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
}, n int) []*azservicebus.ReceivedMessage {
	t.Helper()
	ctx := within(t, time.Minute)
	var all []*azservicebus.ReceivedMessage
	for len(all) < n { // one by one: what comes behind the first of several is released, and comes again late
		got, err := r.ReceiveMessages(ctx, 1, nil)
		require.NoError(t, err)
		all = append(all, got...)
	}
	return all
}

func bodies(messages []*azservicebus.ReceivedMessage) []string {
	var list []string
	for _, m := range messages {
		list = append(list, string(m.Body))
	}
	return list
}

func send(t *testing.T, s *azservicebus.Sender, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		require.NoError(t, s.SendMessage(within(t, time.Minute), &azservicebus.Message{Body: []byte(b)}, nil))
	}
}

func sendTo(t *testing.T, s *azservicebus.Sender, session string, bodies ...string) {
	t.Helper()
	for _, b := range bodies {
		require.NoError(t, s.SendMessage(within(t, time.Minute), &azservicebus.Message{Body: []byte(b), SessionID: &session}, nil))
	}
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}
