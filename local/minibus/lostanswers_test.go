package minibus_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// TestLostAnswers: what is done and not answered is done again by the client. That is once where the broker detects
// duplicates, at least once where it does not, and no difference where it is a value that is set.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	const total = 30
	bus := minibus.RunT(t, func(o *minibus.Options) { *o = stepped("") })
	require.NoError(t, bus.Inject(
		minibus.Fault{On: minibus.OnSend, Do: minibus.DropAfter, Chance: 0.5},
		minibus.Fault{On: minibus.OnManage, Do: minibus.DropAfter, Chance: 0.3},
	))
	c, err := azservicebus.NewClientFromConnectionString(bus.ConnectionString(), &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{MaxRetries: 100, RetryDelay: time.Millisecond, MaxRetryDelay: 10 * time.Millisecond},
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close(context.Background()) }) // its last connection may be gone
	var want []string
	for n := range total {
		want = append(want, fmt.Sprint(n))
		for _, to := range []string{"dedup", "events", "plain"} {
			require.NoError(t, sender(t, c, to).SendMessage(within(t, time.Minute), &azservicebus.Message{MessageID: &want[n]}, nil))
		}
	}
	require.Equal(t, want, ids(bus, "dedup"), "each once, in order")
	require.Equal(t, want, ids(bus, "events/Subscriptions/all"), "each once, in order")
	require.Greater(t, len(ids(bus, "plain")), total, "nobody looks for duplicates")
	require.Subset(t, ids(bus, "plain"), want)

	r, err := c.AcceptSessionForQueue(within(t, time.Minute), "sessions", "s", nil)
	require.NoError(t, err)
	for n := range total {
		require.NoError(t, r.SetSessionState(within(t, time.Minute), []byte(want[n]), nil))
		state, err := r.GetSessionState(within(t, time.Minute), nil)
		require.NoError(t, err)
		require.Equal(t, want[n], string(state))
	}
	for _, f := range bus.Faults() {
		require.NotZero(t, f.Fired, f.On)
	}
}

func ids(bus *minibus.Instance, path string) []string {
	var list []string
	for _, m := range bus.Peek(path) {
		list = append(list, m.MessageID)
	}
	return list
}
