package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/natsserver"
	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/outbox"
)

// broker gives the ledger's app a bus.
func (l *ledger) broker() *minibus.Instance {
	l.t.Helper()
	names := stack.Defaults()
	bus := minibus.RunT(l.t, func(o *minibus.Options) {
		o.Config = stack.Topology(names["EVENTS_TOPIC"], names["EVENTS_SUBSCRIPTION"], stack.Subscription{Name: names["MAILING_SUBSCRIPTION"]})
	})
	l.set("SERVICEBUS_CONNECTION", bus.ConnectionString())
	l.set("MAILING_SUBSCRIPTION", names["MAILING_SUBSCRIPTION"])
	return bus
}

func (l *ledger) status(want int, more ...string) (got state) {
	l.t.Helper()
	status, out, said := called(l.t.Context(), append([]string{"status", "--json", "--settings", l.settings}, more...)...)
	require.Equal(l.t, want, status, "%s\n%s", out, said)
	require.NoError(l.t, json.Unmarshal([]byte(out), &got), out)
	return got
}

func TestStatus(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.broker()
	got := l.status(0)
	require.Equal(t, &outboxState{}, got.Outbox)
	require.Empty(t, got.Red)
	require.Empty(t, got.Unknown)
	require.Zero(t, *got.DeadLetters)
	require.Zero(t, *got.EarlyKeys)
	require.Equal(t, map[string]int{"mailing-list": 0}, got.Further)

	l.write("profile:ann", 2) // an hour old
	got = l.status(exitFailed)
	require.Equal(t, 2, got.Outbox.Pending)
	require.InDelta(t, 3600, got.Outbox.Oldest, 60)
	require.Len(t, got.Red, 1)
	l.status(0, "--oldest", "2h")

	l.park("order:7", 3, outbox.Fault{Reason: "no", Attempts: 3})
	l.park("order:8", 0, outbox.Fault{Reason: "no", Attempts: 3, Skipped: true})
	got = l.status(exitFailed, "--oldest", "2h")
	require.Equal(t, 5, got.Outbox.Pending)
	require.Equal(t, []int{1, 1, 1}, []int{got.Outbox.Parked, got.Outbox.Keys, got.Outbox.Passed})
	_, err := outbox.NewOperator(l, l, "ann", "a subscriber is mended").Pause(t.Context(), outbox.ScopeKind, "order")
	require.NoError(t, err)
	status, out, said := called(t.Context(), "status", "--settings", l.settings)
	require.Equal(t, exitFailed, status, said)
	for _, part := range []string{"pending       5, the oldest for 1h0m", "parked        1, of 1 key\n", "skipped       1,", "consumer      0 keys", "dead letters  0\n", "paused        kind order, since", "a subscriber is mended", "RED: the oldest", "RED: the broker"} {
		require.Contains(t, out, part)
	}
}

// TestStatusOfFurtherConsumers: their dead letters are counted apart, with the way to them.
func TestStatusOfFurtherConsumers(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	bus := l.broker()
	client, err := azservicebus.NewClientFromConnectionString(bus.ConnectionString(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close(t.Context())) }()
	sender, err := client.NewSender("entity-events", nil)
	require.NoError(t, err)
	require.NoError(t, sender.SendMessage(t.Context(), &azservicebus.Message{Body: []byte("poison")}, nil))
	bury(t, bus, "mailing-list")
	got := l.status(exitFailed)
	require.Zero(t, *got.DeadLetters)
	require.Equal(t, map[string]int{"mailing-list": 1}, got.Further)
	require.Equal(t, []string{"there are dead letters: relaybox deadletters list --subscription mailing-list"}, got.Red)
	_, out, _ := called(t.Context(), "status", "--settings", l.settings)
	require.Contains(t, out, "dead letters  1 of mailing-list\n")

	l.set("MAILING_SUBSCRIPTION", "nobody")
	got = l.status(exitUnknown)
	require.NotNil(t, got.DeadLetters)
	require.Contains(t, got.Unknown[0], "nobody")
}

// TestStatusOfWhatCannotBeLookedAt: the rest is shown, and the caller is told.
func TestStatusOfWhatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.set("SERVICEBUS_CONNECTION", "")
	got := l.status(exitUnknown)
	require.Nil(t, got.DeadLetters)
	require.NotNil(t, got.Outbox)
	require.Len(t, got.Unknown, 1)
	require.Contains(t, got.Unknown[0], "SERVICEBUS_CONNECTION")
}

// TestStatusOfAStream: its dead letters are counted, and the verbs for Service Bus say that they are
// not for it.
func TestStatusOfAStream(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	server := natsserver.RunT(t)
	conn, err := nats.Connect(server.URL)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	view, err := jetstream.New(conn)
	require.NoError(t, err)
	for name, value := range map[string]string{"SERVICEBUS_CONNECTION": "", "EVENTS_BROKER": "jetstream", "NATS_URL": server.URL, "EVENTS_STREAM": "EVENTS", "EVENTS_CONSUMER": "read-models", "MAILING_SUBSCRIPTION": ""} {
		l.set(name, value)
	}
	require.Contains(t, l.status(exitUnknown).Unknown[0], "the dead letters")
	_, err = view.CreateStream(t.Context(), jetstream.StreamConfig{Name: "DEAD", Subjects: []string{"dead-letters.read-models.>"}})
	require.NoError(t, err)
	require.Zero(t, *l.status(0).DeadLetters)
	_, err = view.Publish(t.Context(), "dead-letters.read-models.events.profile.p-1", nil)
	require.NoError(t, err)
	got := l.status(exitFailed)
	require.Equal(t, 1, *got.DeadLetters)
	require.Contains(t, got.Red, "there are dead letters: nats stream view, as docs/brokers.md says")
	status, _, said := called(t.Context(), "deadletters", "list", "--settings", l.settings)
	require.Equal(t, exitFailed, status)
	require.Contains(t, said, "EVENTS_BROKER is jetstream")
	l.set("EVENTS_CONSUMER", "")
	require.Contains(t, l.status(exitUnknown).Unknown[0], "EVENTS_CONSUMER is not set")
}

// TestStatusIsWatched until somebody ends it.
func TestStatusIsWatched(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.broker()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, said strings.Builder
	looks := 0
	err := run(ctx, []string{"status", "--watch", "1ms", "--json", "--settings", l.settings}, writerFunc(func(p []byte) (int, error) {
		if looks++; looks == 3 {
			stop()
		}
		return out.Write(p)
	}), &said)
	require.NoError(t, err, said.String())
	require.Equal(t, 3, strings.Count(out.String(), `"outbox"`))
	status, _, said2 := called(t.Context(), "status", "--watch", "-1s")
	require.Equal(t, exitUsage, status, said2)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
