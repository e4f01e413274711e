package minibus_test

import (
	"math"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// rawSession is a session of an AMQP client that does not know of Service Bus.
func rawSession(t *testing.T, bus *minibus.Instance) *amqp.Session {
	t.Helper()
	c, err := amqp.Dial(t.Context(), "amqp://"+bus.Addr, &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() }) // the broker may have closed it
	s, err := c.NewSession(t.Context(), nil)
	require.NoError(t, err)
	return s
}

// authorize puts a token for an entity.
func authorize(t *testing.T, s *amqp.Session, bus *minibus.Instance, entity string) {
	t.Helper()
	out, err := s.NewSender(t.Context(), "$cbs", nil)
	require.NoError(t, err)
	in, err := s.NewReceiver(t.Context(), "$cbs", nil)
	require.NoError(t, err)
	audience := "amqp://" + bus.Addr + "/" + entity
	require.NoError(t, out.Send(t.Context(), &amqp.Message{
		Properties: &amqp.MessageProperties{MessageID: "1"}, Value: sas(audience, time.Now().Add(time.Hour)),
		ApplicationProperties: map[string]any{"operation": "put-token", "type": "servicebus.windows.net:sastoken", "name": audience},
	}, nil))
	answer, err := in.Receive(t.Context(), nil)
	require.NoError(t, err)
	require.EqualValues(t, 202, answer.ApplicationProperties["status-code"])
}

// One link each way to $cbs at a time: a second is refused, and another connection is not concerned.
func TestTokensHaveOneLink(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	s := rawSession(t, bus)
	first, err := s.NewSender(t.Context(), "$cbs", nil)
	require.NoError(t, err)
	var refused *amqp.Error
	_, err = s.NewSender(t.Context(), "$cbs", nil)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, amqp.ErrCondNotAllowed, refused.Condition)
	_, err = s.NewReceiver(t.Context(), "$cbs", nil)
	require.NoError(t, err)
	_, err = s.NewReceiver(t.Context(), "$cbs", nil)
	require.ErrorAs(t, err, &refused)
	require.Equal(t, amqp.ErrCondNotAllowed, refused.Condition)
	_, err = rawSession(t, bus).NewSender(t.Context(), "$cbs", nil)
	require.NoError(t, err)
	require.NoError(t, first.Close(t.Context()))
	_, err = s.NewSender(t.Context(), "$cbs", nil)
	require.NoError(t, err, "the place is free again")
}

// Without a token there is no link, whatever the node.
func TestAnonymousClients(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	s := rawSession(t, bus)
	var refused *amqp.Error
	for _, node := range []string{"plain", "plain/$management", "events/Subscriptions/all", "plain/$DeadLetterQueue"} {
		_, err := s.NewReceiver(t.Context(), node, nil)
		require.ErrorAs(t, err, &refused, node)
		require.Equal(t, amqp.ErrCondUnauthorizedAccess, refused.Condition, node)
		require.Contains(t, refused.Description, "Unauthorized access. '")
	}
	_, err := s.NewSender(t.Context(), "events", nil)
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Description, "'Send' claim(s) are required to perform this operation")
}

// A client that takes its credit back gets what is there, and an answer; the link goes on.
func TestDrain(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	s := rawSession(t, bus)
	authorize(t, s, bus, "plain")
	r, err := s.NewReceiver(t.Context(), "plain", &amqp.ReceiverOptions{Credit: -1})
	require.NoError(t, err)
	for _, body := range []string{"first", "second"} {
		require.NoError(t, r.IssueCredit(5))
		require.NoError(t, r.DrainCredit(within(t, time.Minute), nil))
		require.Nil(t, r.Prefetched())
		send(t, sender(t, connect(t, bus.ConnectionString()), "plain"), body)
		require.Equal(t, 1, bus.Counts("plain").Active, "credit that was taken back delivers nothing")
		require.NoError(t, r.IssueCredit(1))
		m, err := r.Receive(within(t, time.Minute), nil)
		require.NoError(t, err)
		require.Equal(t, body, string(m.GetData()))
		require.NoError(t, r.AcceptMessage(t.Context(), m))
	}
}

// Settling twice never waits.
func TestSettleTwice(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	send(t, sender(t, c, "plain"), "x")
	r := receiver(t, c, "plain", nil)
	m := receive(t, r, 1)[0]
	require.NoError(t, r.CompleteMessage(t.Context(), m, nil))
	peeked, err := r.PeekMessages(t.Context(), 1, nil)
	require.NoError(t, err)
	require.Empty(t, peeked)
	// The client remembers, and does not ask again; somebody else with the same token is told.
	require.NoError(t, r.CompleteMessage(within(t, time.Minute), m, nil))
	require.NoError(t, r.Close(t.Context()))
	second := receiver(t, connect(t, bus.ConnectionString()), "plain", nil)
	requireCode(t, second.CompleteMessage(within(t, time.Minute), &azservicebus.ReceivedMessage{LockToken: m.LockToken}, nil), azservicebus.CodeLockLost)
}

// In receive-and-delete mode a message is gone when it has been sent out; what the client has got, it can still read
// after it has closed its receiver.
func TestReceiveAndDeleteKeepsWhatHasArrived(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	s := sender(t, c, "plain")
	send(t, s, "1")
	r := receiver(t, c, "plain", &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	got, err := r.ReceiveMessages(t.Context(), 5, nil) // leaves credit for four
	require.NoError(t, err)
	require.Len(t, got, 1)
	send(t, s, "2", "3", "4", "5")
	require.Eventually(t, func() bool { return bus.Counts("plain").Active == 0 }, time.Minute, time.Millisecond)
	require.NoError(t, r.Close(t.Context()))
	got, err = r.ReceiveMessages(t.Context(), 5, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"2", "3", "4", "5"}, bodies(got))
}

// manageRule sends a rule operation and returns its status.
func manageRule(t *testing.T, s *amqp.Session, operation string, body map[string]any) (int32, *amqp.Message) {
	t.Helper()
	const node = "events/Subscriptions/all/$management"
	out, err := s.NewSender(t.Context(), node, nil)
	require.NoError(t, err)
	in, err := s.NewReceiver(t.Context(), node, nil)
	require.NoError(t, err)
	require.NoError(t, out.Send(t.Context(), &amqp.Message{
		Properties: &amqp.MessageProperties{MessageID: "1"}, Value: body,
		ApplicationProperties: map[string]any{"operation": "com.microsoft:" + operation},
	}, nil))
	answer, err := in.Receive(t.Context(), nil)
	require.NoError(t, err)
	require.NoError(t, out.Close(t.Context()))
	require.NoError(t, in.Close(t.Context()))
	return answer.ApplicationProperties["status-code"].(int32), answer
}

// Rules come and go over $management; one that the store could not give back is refused.
func TestRulesOverManagement(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	s := rawSession(t, bus)
	authorize(t, s, bus, "events/Subscriptions/all")
	correlation := func(value any) map[string]any {
		return map[string]any{"correlation-filter": map[string]any{"label": "x", "properties": map[string]any{"p": value}}}
	}
	for _, c := range []struct {
		operation string
		body      map[string]any
		want      int32
	}{
		{"add-rule", map[string]any{"rule-name": "sql", "rule-description": map[string]any{"sql-filter": map[string]any{"expression": "n > 1"}}}, 200},
		{"add-rule", map[string]any{"rule-name": "SQL", "rule-description": map[string]any{}}, 409},
		{"add-rule", map[string]any{"rule-name": "ok", "rule-description": correlation(int32(5))}, 200},
		{"add-rule", map[string]any{"rule-name": "huge", "rule-description": correlation(uint64(math.MaxUint64))}, 500},
		{"add-rule", map[string]any{"rule-name": "nan", "rule-description": correlation(math.NaN())}, 500},
		{"add-rule", map[string]any{"rule-name": "bad", "rule-description": map[string]any{"sql-filter": map[string]any{"expression": "n >"}}}, 500},
		{"add-rule", map[string]any{"rule-name": "", "rule-description": map[string]any{}}, 500},
		{"add-rule", map[string]any{}, 500},
		{"remove-rule", map[string]any{"rule-name": "$Default"}, 200},
		{"remove-rule", map[string]any{"rule-name": "$Default"}, 404},
		{"enumerate-rules", map[string]any{"top": int32(10), "skip": int32(2)}, 204},
	} {
		status, _ := manageRule(t, s, c.operation, c.body)
		require.Equal(t, c.want, status, c.body)
	}
	status, answer := manageRule(t, s, "enumerate-rules", map[string]any{"top": int32(10), "skip": int32(0)})
	require.EqualValues(t, 200, status)
	require.Len(t, answer.Value.(map[string]any)["rules"], 2)
	require.NoError(t, sender(t, connect(t, bus.ConnectionString()), "events").SendMessage(t.Context(), &azservicebus.Message{
		Subject: new("x"), ApplicationProperties: map[string]any{"p": int64(5)},
	}, nil))
	require.Len(t, bus.Peek("events/Subscriptions/all"), 1, "the number is what counts, not its size")
}
