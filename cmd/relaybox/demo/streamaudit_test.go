package demo

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/natsserver"
)

// TestTheStreamsWitness hears of each message once, and of what is wrong with one.
func TestTheStreamsWitness(t *testing.T) {
	t.Parallel()
	server := natsserver.RunT(t)
	a, err := newStreamAudit(server.Server, map[string]string{"EVENTS_STREAM": "EVENTS", "EVENTS_SUBJECT": "events", "EVENTS_CONSUMER": "views"})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); a.run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	_, err = a.view.CreateStream(ctx, jetstream.StreamConfig{Name: "EVENTS", Subjects: []string{"events.>"}})
	require.NoError(t, err)
	dead, err := a.view.CreateStream(ctx, jetstream.StreamConfig{Name: "EVENTS_DEAD_views", Subjects: []string{"dead.>"}})
	require.NoError(t, err)
	send := func(subject, id, body string) {
		_, err := a.view.PublishMsg(ctx, &nats.Msg{Subject: subject, Data: []byte(body), Header: nats.Header{
			jetstream.MsgIDHeader: {id}, "type": {"relaybox.profile.deleted"}, "seq": {"2"}, "content-type": {"application/cloudevents+json"}, "Relaybox-Msg-Id": {"m-" + id},
		}})
		require.NoError(t, err)
	}
	const event = `{"specversion":"1.0","id":"e-1","source":"/relaybox/profile","type":"relaybox.profile.deleted","subject":"demo-001","partitionkey":"profile:demo-001","sequence":"00000000000000000002","data":{"id":"demo-001","state":null}}`
	send("events.profile.demo-001", "e-1", event)
	send("events.profile.demo-001", "e-1", event) // dropped
	send("events.profile.demo-002", "e-2", event)
	require.Eventually(t, func() bool { _, _, faults := a.events(); return a.count() == 1 && len(faults) == 1 }, time.Minute, 5*time.Millisecond)
	byKey, dropped, faults := a.events()
	require.Len(t, byKey["profile:demo-001"], 1)
	require.Equal(t, uncounted, dropped)
	require.Contains(t, faults[0].detail, "message 2 (e-2)")
	ids, err := a.letters(ctx)
	require.NoError(t, err)
	require.Empty(t, ids)
	send("dead.a", "1", "")
	send("dead.b", "2", "")
	send("dead.a", "3", "")
	require.NoError(t, dead.DeleteMsg(ctx, 2))
	ids, err = a.letters(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"m-1", "m-3"}, ids)
}
