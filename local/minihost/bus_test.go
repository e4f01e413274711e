package minihost

import (
	"context"
	"fmt"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/netsim"
)

const sessionQueue, plainQueue = "ordered", "plain"

func broker(t *testing.T) *minibus.Instance {
	t.Helper()
	return minibus.RunT(t, func(o *minibus.Options) {
		o.Config = &minibus.Config{
			Queues: []minibus.Queue{
				{Name: sessionQueue, RequiresSession: true, MaxDeliveryCount: 3, LockDuration: 2 * time.Second},
				{Name: plainQueue, MaxDeliveryCount: 3, LockDuration: 2 * time.Second},
			},
			Topics: []minibus.Topic{{Name: "events", Subscriptions: []minibus.Subscription{{Name: "views", RequiresSession: true, MaxDeliveryCount: 3}}}},
		}
	})
}

// busApp consumes entity, given as the trigger's properties.
func busApp(t *testing.T, entity string) map[string]string {
	return map[string]string{
		"host.json":                  hostJSON(t, "", `,"extensions":{"serviceBus":{"maxConcurrentSessions":4,"maxConcurrentCalls":4,"sessionIdleTimeout":"00:00:00.2"}}`),
		"ConsumeEvent/function.json": `{"bindings":[{"type":"serviceBusTrigger","direction":"in","name":"message","connection":"BUS","dataType":"binary",` + entity + `}]}`,
	}
}

const (
	orderedEntity = `"queueName":"ordered","isSessionsEnabled":true`
	plainEntity   = `"queueName":"plain"`
	topicEntity   = `"topicName":"events","subscriptionName":"views","isSessionsEnabled":true`
)

func connected(connection string) func(*Options) {
	return func(o *Options) { o.Settings["BUS"] = connection }
}

// publish sends messages "session/n"; an empty session for none.
func publish(t *testing.T, connection, to string, messages ...string) {
	t.Helper()
	c, err := azservicebus.NewClientFromConnectionString(connection, nil)
	require.NoError(t, err)
	defer func() { _ = c.Close(context.Background()) }()
	s, err := c.NewSender(to, nil)
	require.NoError(t, err)
	for _, m := range messages {
		session, _, _ := strings.Cut(m, "/")
		message := &azservicebus.Message{MessageID: &m, Body: []byte(m), ApplicationProperties: map[string]any{"seq": int64(7)}}
		if session != "" {
			message.SessionID = &session
		}
		require.NoError(t, s.SendMessage(t.Context(), message, nil))
	}
}

// received decodes what the handler got as a real handler would.
func received(t *testing.T, req seen) azfunc.Message {
	t.Helper()
	inv, err := azfunc.Decode(httptest.NewRequest("POST", "/ConsumeEvent", strings.NewReader(string(req.body))))
	require.NoError(t, err)
	m, err := inv.Message("message")
	require.NoError(t, err)
	return m
}

func drained(t *testing.T, b *minibus.Instance, entity string) {
	t.Helper()
	require.Eventually(t, func() bool { return b.Counts(entity).Active == 0 }, time.Minute, 2*time.Millisecond)
}

// Sessions: order within each, several at once, everything completed.
func TestBusSessions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ entity, to, path string }{
		"queue": {orderedEntity, sessionQueue, sessionQueue}, "subscription": {topicEntity, "events", "events/Subscriptions/views"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := broker(t)
			var messages []string
			for n := range 10 {
				for session := range 6 {
					messages = append(messages, fmt.Sprintf("s%d/%d", session, n))
				}
			}
			publish(t, b.ConnectionString(), c.to, messages...)
			s := start(t, busApp(t, c.entity), success, connected(b.ConnectionString()))
			order := map[string][]string{}
			for range messages {
				m := received(t, s.handler.wait(t, func(seen) bool { return true }))
				require.Equal(t, string(m.Body), m.MessageID)
				require.Equal(t, 1, m.DeliveryCount)
				require.Equal(t, map[string]any{"seq": int64(7)}, m.Properties)
				order[m.SessionID] = append(order[m.SessionID], m.MessageID)
			}
			for session, list := range order {
				require.Len(t, list, 10)
				for n, id := range list {
					require.Equal(t, fmt.Sprintf("%s/%d", session, n), id)
				}
			}
			drained(t, b, c.path)
			require.Zero(t, b.Counts(c.path).DeadLetter)
		})
	}
}

// One call per session at a time, whatever the number of slots; two sessions
// do run beside each other.
func TestBusNeverOverlapsASession(t *testing.T) {
	t.Parallel()
	b := broker(t)
	var mu sync.Mutex
	running, overlaps, met := map[string]bool{}, 0, make(chan struct{})
	s := start(t, busApp(t, orderedEntity), func(r seen) string {
		session := received(t, r).SessionID
		mu.Lock()
		if running[session] {
			overlaps++
		}
		if running[session] = true; running["a"] && running["b"] {
			select {
			case <-met:
			default:
				close(met)
			}
		}
		mu.Unlock()
		<-met
		mu.Lock()
		delete(running, session)
		mu.Unlock()
		return success(r)
	}, connected(b.ConnectionString()))
	publish(t, b.ConnectionString(), sessionQueue, "a/1", "b/1", "a/2", "b/2", "a/3", "b/3")
	for range 6 {
		s.handler.wait(t, func(seen) bool { return true })
	}
	drained(t, b, sessionQueue)
	mu.Lock()
	defer mu.Unlock()
	require.Zero(t, overlaps)
}

// A failure abandons: the same message comes next, its delivery count grows,
// the last delivery moves it to the dead-letter queue, and its followers go on.
func TestBusAbandonsFailures(t *testing.T) {
	t.Parallel()
	b := broker(t)
	s := start(t, busApp(t, orderedEntity), func(r seen) string {
		if received(t, r).MessageID == "s/bad" {
			return httpAnswer(500, "application/json", "{}")
		}
		return success(r)
	}, connected(b.ConnectionString()))
	publish(t, b.ConnectionString(), sessionQueue, "s/1", "s/bad", "s/2")
	var got []string
	for range 5 {
		m := received(t, s.handler.wait(t, func(seen) bool { return true }))
		got = append(got, fmt.Sprintf("%s#%d", m.MessageID, m.DeliveryCount))
	}
	require.Equal(t, []string{"s/1#1", "s/bad#1", "s/bad#2", "s/bad#3", "s/2#1"}, got)
	drained(t, b, sessionQueue)
	require.Equal(t, 1, b.Counts(sessionQueue).DeadLetter)
}

// A call longer than the lock keeps its session.
func TestBusRenewsLocks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ entity, queue string }{"session": {orderedEntity, sessionQueue}, "message": {plainEntity, plainQueue}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := broker(t)
			s := start(t, busApp(t, c.entity), func(r seen) string {
				// Longer than the lock of 2 s: only a renewal keeps it.
				<-time.After(2500 * time.Millisecond)
				return success(r)
			}, connected(b.ConnectionString()))
			publish(t, b.ConnectionString(), c.queue, "s/1")
			s.handler.wait(t, func(seen) bool { return true })
			drained(t, b, c.queue)
			require.Len(t, s.handler.requests(), 1)
		})
	}
}

func TestBusWithoutSessions(t *testing.T) {
	t.Parallel()
	b := broker(t)
	var failed sync.Map
	s := start(t, busApp(t, plainEntity), func(r seen) string {
		if _, again := failed.LoadOrStore(received(t, r).MessageID, true); !again {
			return httpAnswer(500, "", "")
		}
		return success(r)
	}, connected(b.ConnectionString()))
	var messages []string
	for n := range 20 {
		messages = append(messages, fmt.Sprintf("/%d", n))
	}
	publish(t, b.ConnectionString(), plainQueue, messages...)
	for range 2 * len(messages) {
		s.handler.wait(t, func(seen) bool { return true })
	}
	drained(t, b, plainQueue)
	require.Zero(t, b.Counts(plainQueue).DeadLetter)
}

// A killed handler costs its call a delivery; no message is lost, and calls
// wait for the next handler instead of burning deliveries.
func TestBusSurvivesTheHandler(t *testing.T) {
	t.Parallel()
	b := broker(t)
	hold := make(chan struct{})
	s := start(t, busApp(t, orderedEntity), func(r seen) string { <-hold; return success(r) }, connected(b.ConnectionString()))
	publish(t, b.ConnectionString(), sessionQueue, "s/1", "s/2")
	s.handler.wait(t, func(seen) bool { return true })
	s.kill(t)
	close(hold)
	var got []string
	for range 2 {
		m := received(t, s.handler.wait(t, func(seen) bool { return true }))
		got = append(got, m.MessageID)
	}
	require.Equal(t, []string{"s/1", "s/2"}, got)
	drained(t, b, sessionQueue)
	require.Zero(t, b.Counts(sessionQueue).DeadLetter)
}

// The broker goes away in the middle and comes back: the listener resumes by
// itself, fast, and nothing is lost.
func TestBusSurvivesTheBroker(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ entity, queue string }{"sessions": {orderedEntity, sessionQueue}, "messages": {plainEntity, plainQueue}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := broker(t)
			ln, err := net.Listen("tcp4", "127.0.0.1:0")
			require.NoError(t, err)
			weak := netsim.Wrap(ln)
			served := make(chan error, 1)
			go func() { served <- b.Serve(weak) }()
			t.Cleanup(func() { _ = weak.Close(); <-served })
			s := start(t, busApp(t, c.entity), success, connected(b.Server.ConnectionString(ln.Addr().String())))
			publish(t, b.ConnectionString(), c.queue, "s/1")
			s.handler.wait(t, func(seen) bool { return true })
			drained(t, b, c.queue)

			for round := range 2 {
				weak.Cut()
				require.Eventually(t, func() bool {
					return strings.Count(s.log.String(), "Service Bus is away; the listener keeps trying") > round
				}, time.Minute, 5*time.Millisecond)
				id := fmt.Sprintf("s/again-%d", round)
				publish(t, b.ConnectionString(), c.queue, id)
				weak.Heal()
				healed := time.Now()
				s.handler.wait(t, func(r seen) bool { return received(t, r).MessageID == id })
				require.Less(t, time.Since(healed), 30*time.Second, "within a second, and room for a busy machine")
				t.Log("resumed after", time.Since(healed))
				drained(t, b, c.queue)
			}
			require.Zero(t, b.Counts(c.queue).DeadLetter)
		})
	}
}

// The connection goes while a call runs: its settlement fails soon instead of
// holding the listener up, and the message comes again.
func TestBusCutDuringACall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ entity, queue string }{"sessions": {orderedEntity, sessionQueue}, "messages": {plainEntity, plainQueue}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := broker(t)
			ln, err := net.Listen("tcp4", "127.0.0.1:0")
			require.NoError(t, err)
			weak := netsim.Wrap(ln)
			served := make(chan error, 1)
			go func() { served <- b.Serve(weak) }()
			t.Cleanup(func() { _ = weak.Close(); <-served })
			hold := make(chan struct{})
			s := start(t, busApp(t, c.entity), func(r seen) string { <-hold; return success(r) }, connected(b.Server.ConnectionString(ln.Addr().String())))
			publish(t, b.ConnectionString(), c.queue, "s/1")
			s.handler.wait(t, func(seen) bool { return true })
			weak.Cut()
			close(hold)
			require.Eventually(t, func() bool {
				log := s.log.String()
				return strings.Contains(log, "a message was not settled") && strings.Contains(log, "Service Bus is away")
			}, time.Minute, 5*time.Millisecond)
			weak.Heal()
			again := received(t, s.handler.wait(t, func(seen) bool { return true }))
			require.Equal(t, "s/1", again.MessageID)
			drained(t, b, c.queue)
			require.Zero(t, b.Counts(c.queue).DeadLetter)
		})
	}
}

// A broker that starts after the host is found.
func TestBusFindsALateBroker(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	b := broker(t)
	s := start(t, busApp(t, orderedEntity), success, connected(b.Server.ConnectionString(ln.Addr().String())))
	served := make(chan error, 1)
	require.NoError(t, ln.Close())
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), "Service Bus is away") }, time.Minute, 5*time.Millisecond)
	again, err := net.Listen("tcp4", ln.Addr().String())
	require.NoError(t, err)
	go func() { served <- b.Serve(again) }()
	t.Cleanup(func() { _ = again.Close(); <-served })
	publish(t, b.ConnectionString(), sessionQueue, "s/1")
	s.handler.wait(t, func(seen) bool { return true })
	drained(t, b, sessionQueue)
}
