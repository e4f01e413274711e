package bench

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cmd/relaybox/parts"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/stack"
)

// rigOf is a rig whose store and bus are in this process; it has no hosts.
func rigOf(t *testing.T) *rig {
	t.Helper()
	settings := stack.Defaults()
	store := minicosmos.RunT(t)
	bus := minibus.RunT(t, func(o *minibus.Options) {
		config, err := minibus.LoadConfig(bytes.NewReader(topology(settings, true)))
		require.NoError(t, err)
		o.Config = config
	})
	settings["COSMOS_CONNECTION"], settings["SERVICEBUS_CONNECTION"] = store.ConnectionString(), bus.ConnectionString()
	return &rig{settings: settings, admin: bus.AdminAddr}
}

// TestCeilingsMakeTheirRequests: as many as the protocol needs, and no others but repetitions
// after a conflict.
func TestCeilingsMakeTheirRequests(t *testing.T) {
	const events = 60
	few := keys(1, events, 6)
	for name, c := range map[string]struct {
		run  func(context.Context, *trial) (Figures, error)
		want map[string]int64 // at least
		send int64
	}{
		"write":   {bareWrite(few), map[string]int64{"outbox batch": events, "outbox read": events}, 0},
		"through": {bareThrough(few, clients, 0), map[string]int64{"outbox batch": events, "outbox read": events, "outbox delete": events, "inbox read": events, "inbox create": 6, "inbox replace": events - 6}, events},
		"open":    {bareThrough(few, 0, time.Millisecond), map[string]int64{"outbox batch": events, "outbox read": events, "outbox delete": events, "inbox read": events, "inbox create": 6, "inbox replace": events - 6}, events},
		"drain":   {bareDrain(few, false), map[string]int64{"outbox query": 6, "outbox batch": 6}, 6},
		"bulk":    {bareDrain(few, true), map[string]int64{"outbox query": 6, "outbox batch": 6}, 6},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			f, err := c.run(t.Context(), &trial{rig: rigOf(t), out: &said, said: time.Now()})
			require.NoError(t, err)
			require.Equal(t, events, f.Events)
			got := map[string]int64{}
			for _, r := range f.Requests {
				got[r.Container+" "+r.Operation] = r.Count
				require.Positive(t, r.Units)
			}
			require.Len(t, got, len(c.want), "%v", got)
			for operation, n := range c.want {
				require.GreaterOrEqual(t, got[operation], n, operation)
				require.Less(t, got[operation], 20*n, operation)
			}
			require.Equal(t, c.send, f.Sends.Number)
			require.Positive(t, f.Allocations.Number)
			if parts.Measured {
				require.Contains(t, f.Peak, "bare")
			}
		})
	}
}

// TestInnerRuns: the writing side, in this process.
func TestInnerRuns(t *testing.T) {
	var said bytes.Buffer
	f, err := inner{keys(1, 60, 6)}.run(t.Context(), &trial{rig: rigOf(t), out: &said, said: time.Now()})
	require.NoError(t, err, said.String())
	require.Equal(t, 60, f.Events)
	require.Positive(t, f.Allocations.Number)
}

// TestTheTopicTellsWhatCameAgain: what it drops as a duplicate takes a number.
func TestTheTopicTellsWhatCameAgain(t *testing.T) {
	t.Parallel()
	r := rigOf(t)
	w, err := r.watch()
	require.NoError(t, err)
	client, err := azservicebus.NewClientFromConnectionString(r.settings["SERVICEBUS_CONNECTION"], nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close(t.Context())) }()
	sender, err := client.NewSender(r.settings["EVENTS_TOPIC"], nil)
	require.NoError(t, err)
	for _, seq := range []string{"1", "1", "2", "1", "2", "3"} {
		m := &azservicebus.Message{MessageID: &seq, SessionID: new("profile:a"), Body: []byte(`{"partitionkey":"profile:a","sequence":"` + seq + `"}`)}
		require.NoError(t, sender.SendMessage(t.Context(), m, nil))
	}
	messages, numbers, err := w.topic(t.Context())
	require.NoError(t, err)
	require.Equal(t, []message{{"a", 1}, {"a", 2}, {"a", 3}}, messages)
	require.Equal(t, []int64{1, 3, 6}, numbers)
	require.Equal(t, known(3), dropped(numbers, 0))
}
