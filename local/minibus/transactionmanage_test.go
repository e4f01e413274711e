package minibus_test

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// ask sends a request to $management, in a transaction if there is one, and returns its status.
func (w *wire) ask(handle uint32, txn []byte, operation string, body map[string]any) (state amqpwire.State, status int) {
	w.t.Helper()
	w.transfer(handle, txn, &amqp.Message{
		Properties: &amqp.MessageProperties{MessageID: "1"}, Value: body, ApplicationProperties: map[string]any{"operation": "com.microsoft:" + operation},
	})
	if state = expect[*amqpwire.Disposition](w).State; w.rejects(state) {
		return state, 0
	}
	expect[*amqpwire.Transfer](w)
	var answer amqp.Message
	require.NoError(w.t, answer.UnmarshalBinary(w.payload))
	return state, int(answer.ApplicationProperties["status-code"].(int32))
}

func (w *wire) rejects(state amqpwire.State) bool {
	_, rejected := state.(*amqpwire.Rejected)
	return rejected
}

// What was deferred is settled over $management, and in a transaction if the client says so.
func TestSettleByNumberInATransaction(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, transactional)
	c := connect(t, bus.ConnectionString())
	send(t, sender(t, c, "in"), "a", "b", "c", "d")
	r := receiver(t, c, "in", nil)
	var numbers []int64
	for _, m := range receive(t, r, 4) {
		require.NoError(t, r.DeferMessage(t.Context(), m, nil))
		numbers = append(numbers, *m.SequenceNumber)
	}
	deferred, err := r.ReceiveDeferredMessages(t.Context(), numbers, nil)
	require.NoError(t, err)
	w := transactor(t, bus)
	w.sender(6, "in/$management")
	w.receiver(7, "in/$management", 20)
	settle := func(txn []byte, m *azservicebus.ReceivedMessage, status string) int {
		t.Helper()
		state, code := w.ask(6, txn, "update-disposition", map[string]any{
			"disposition-status": status, "lock-tokens": []amqp.UUID{amqp.UUID(m.LockToken)}, "deadletter-reason": "why",
		})
		require.IsType(t, &amqpwire.Transactional{}, state)
		return code
	}
	txn := w.declare()
	require.Equal(t, 200, settle(txn, deferred[0], "completed"))
	require.Equal(t, 200, settle(txn, deferred[1], "suspended"))
	require.Equal(t, 200, settle(txn, deferred[2], "abandoned"))
	require.Equal(t, 410, settle(txn, deferred[0], "completed"), "it is part of it already")
	require.IsType(t, &amqpwire.Transactional{}, w.post(handleOut, txn, "x"))
	require.Equal(t, minibus.Counts{Deferred: 4, Locked: 4}, bus.Counts("in"))
	require.IsType(t, &amqpwire.Accepted{}, w.discharge(txn, false))
	require.Equal(t, minibus.Counts{Deferred: 2, Locked: 1, DeadLetter: 1}, bus.Counts("in"))
	require.Equal(t, "why", bus.Peek("in/$DeadLetterQueue")[0].Properties["DeadLetterReason"])
	require.Equal(t, []string{"x"}, peeked(bus, "out"))

	txn = w.declare()
	require.Equal(t, 200, settle(txn, deferred[3], "completed"))
	require.IsType(t, &amqpwire.Accepted{}, w.discharge(txn, true))
	require.Equal(t, minibus.Counts{Deferred: 2, Locked: 1, DeadLetter: 1}, bus.Counts("in"))
	require.NoError(t, r.CompleteMessage(t.Context(), deferred[3], nil))

	txn = w.declare()
	_, code := w.ask(6, txn, "peek-message", map[string]any{"from-sequence-number": int64(0), "message-count": int32(1)})
	require.Equal(t, 200, code, "there is nothing in it to be rolled back")
	state, _ := w.ask(6, txn, "cancel-scheduled-message", map[string]any{"sequence-numbers": []int64{1}})
	requireRejected(t, state, amqpwire.CondNotImplemented)
	require.Contains(t, state.(*amqpwire.Rejected).Error.Description, "'cancel-scheduled-message' takes no part")
}
