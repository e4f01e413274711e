package minibus_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// ask is asks of which only the status counts.
func (w *wire) ask(handle uint32, txn []byte, operation string, body map[string]any) (state amqpwire.State, status int) {
	w.t.Helper()
	state, answer := w.asks(handle, txn, operation, body)
	if answer == nil {
		return state, 0
	}
	return state, int(answer.ApplicationProperties["status-code"].(int32))
}

// asks sends a request to $management, in a transaction if there is one, and returns the answer, or nil when it is refused.
func (w *wire) asks(handle uint32, txn []byte, operation string, body map[string]any) (amqpwire.State, *amqp.Message) {
	w.t.Helper()
	w.transfer(handle, txn, &amqp.Message{
		Properties: &amqp.MessageProperties{MessageID: "1"}, Value: body, ApplicationProperties: map[string]any{"operation": "com.microsoft:" + operation},
	})
	state := expect[*amqpwire.Disposition](w).State
	if w.rejects(state) {
		return state, nil
	}
	expect[*amqpwire.Transfer](w)
	var answer amqp.Message
	require.NoError(w.t, answer.UnmarshalBinary(w.payload))
	return state, &answer
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
	state, _ := w.ask(6, txn, "batch-delete-messages", map[string]any{"message-count": int32(1)})
	requireRejected(t, state, amqpwire.CondNotImplemented)
	require.Contains(t, state.(*amqpwire.Rejected).Error.Description, "'batch-delete-messages' takes no part")
}

// schedule asks for a message later, in a transaction if there is one, and returns its number.
func (w *wire) schedule(handle uint32, txn []byte, id string, in time.Duration) int64 {
	w.t.Helper()
	payload, err := (&amqp.Message{Annotations: amqp.Annotations{"x-opt-scheduled-enqueue-time": time.Now().Add(in)}, Data: [][]byte{[]byte(id)}}).MarshalBinary()
	require.NoError(w.t, err)
	_, answer := w.asks(handle, txn, "schedule-message", map[string]any{"messages": []any{map[string]any{"message-id": id, "message": payload}}})
	require.EqualValues(w.t, 200, answer.ApplicationProperties["status-code"])
	numbers := answer.Value.(map[string]any)["sequence-numbers"].([]int64)
	require.Len(w.t, numbers, 1)
	return numbers[0]
}

// What is scheduled, or called off, in a transaction is so when it is committed. The numbers are known before.
func TestSchedulesInATransaction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bus := minibus.RunT(t, transactional, func(o *minibus.Options) { o.Dir = dir })
	w := transactor(t, bus)
	w.sender(6, "out/$management")
	w.receiver(7, "out/$management", 40)
	cancel := func(txn []byte, numbers ...int64) int {
		t.Helper()
		_, status := w.ask(6, txn, "cancel-scheduled-message", map[string]any{"sequence-numbers": numbers})
		return status
	}
	there := func() string {
		var list []string
		for _, m := range bus.Peek("out") {
			what := fmt.Sprint(m.SequenceNumber, " ", string(m.Body))
			if !m.ScheduledTime.IsZero() {
				what += " later"
			}
			list = append(list, what)
		}
		return strings.Join(list, ", ")
	}
	txn := w.declare()
	require.EqualValues(t, 1, w.schedule(6, txn, "a", time.Hour))
	require.IsType(t, &amqpwire.Accepted{}, w.post(handleOut, nil, "between"), "it draws the next number")
	require.EqualValues(t, 3, w.schedule(6, txn, "b", time.Hour))
	require.Equal(t, "2 between", there())
	require.Equal(t, 404, cancel(txn, 3), "it is not there yet")
	require.IsType(t, &amqpwire.Accepted{}, w.discharge(txn, false))
	require.Equal(t, "1 a later, 2 between, 3 b later", there())

	txn = w.declare()
	require.EqualValues(t, 4, w.schedule(6, txn, "never", time.Hour))
	require.Equal(t, 200, cancel(txn, 1, 1))
	require.Equal(t, 404, cancel(txn, 1), "it is called off already")
	require.IsType(t, &amqpwire.Accepted{}, w.discharge(txn, true))
	require.Equal(t, "1 a later, 2 between, 3 b later", there())

	txn = w.declare()
	require.Equal(t, 200, cancel(txn, 1, 1))
	require.IsType(t, &amqpwire.Transactional{}, w.post(handleOther, txn, "with it"))
	require.IsType(t, &amqpwire.Accepted{}, w.discharge(txn, false))
	require.Equal(t, "2 between, 3 b later", there())
	require.Equal(t, []string{"with it"}, peeked(bus, "other"))

	// Somebody else calls off what a transaction wants to.
	txn = w.declare()
	require.Equal(t, 200, cancel(txn, 3))
	require.IsType(t, &amqpwire.Transactional{}, w.post(handleOther, txn, "not without it"))
	require.Equal(t, 200, cancel(nil, 3, 3))
	requireRejected(t, w.discharge(txn, false), amqpwire.CondRolledBack)
	require.Equal(t, []string{"with it"}, peeked(bus, "other"))
	require.Equal(t, minibus.Counts{Active: 1}, bus.Counts("out"), "named twice, removed once")

	// What is reserved outlives the broker, which gives no number twice.
	txn = w.declare()
	require.EqualValues(t, 5, w.schedule(6, txn, "late", time.Hour))
	require.EqualValues(t, 6, w.schedule(6, txn, "soon", 30*time.Second))
	require.NoError(t, bus.Advance(time.Minute))
	require.IsType(t, &amqpwire.Accepted{}, w.discharge(txn, false))
	require.Equal(t, "2 between, 5 late later, 7 soon", there(), "it was due by then")
	require.EqualValues(t, 8, w.schedule(6, w.declare(), "open", time.Hour))
	require.NoError(t, bus.Close())
	bus = minibus.RunT(t, transactional, func(o *minibus.Options) { o.Dir = dir })
	require.Equal(t, "2 between, 5 late later, 7 soon", there())
	require.NoError(t, bus.Advance(time.Hour))
	require.Equal(t, "7 soon, 9 late", there(), "8 was drawn, and the life of 2 is over")
}

// A session's state is stored with the transaction that handles its message, by its owner only.
func TestSessionStateInATransaction(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, transactional)
	c := connect(t, bus.ConnectionString())
	sendTo(t, sender(t, c, "ordered"), "s", "a")
	w := transactor(t, bus)
	w.attach(&amqpwire.Attach{
		Name: "owner", Handle: 8, Role: amqpwire.RoleReceiver, RcvSettleMode: new(amqpwire.RcvSecond),
		Source: &amqpwire.Source{Address: "ordered", Filter: amqpwire.Map{{Key: amqpwire.Symbol("com.microsoft:session-filter"), Value: "s"}}}, Target: &amqpwire.Target{},
	})
	w.sender(6, "ordered/$management")
	w.receiver(7, "ordered/$management", 20)
	set := func(txn []byte, state string) int {
		t.Helper()
		_, status := w.ask(6, txn, "set-session-state", map[string]any{"session-id": "s", "session-state": []byte(state)})
		return status
	}
	get := func() any {
		t.Helper()
		_, answer := w.asks(6, nil, "get-session-state", map[string]any{"session-id": "s"})
		return answer.Value.(map[string]any)["session-state"]
	}
	for _, fail := range []bool{true, false} {
		txn := w.declare()
		require.Equal(t, 200, set(txn, "seen a"))
		require.IsType(t, &amqpwire.Transactional{}, w.post(handleOut, txn, "answer"))
		require.Nil(t, get())
		require.IsType(t, &amqpwire.Accepted{}, w.discharge(txn, fail))
	}
	require.Equal(t, []byte("seen a"), get())
	require.Equal(t, []string{"answer"}, peeked(bus, "out"))

	// The session is lost before the commit.
	txn := w.declare()
	require.Equal(t, 200, set(txn, "seen b"))
	require.IsType(t, &amqpwire.Transactional{}, w.post(handleOut, txn, "another"))
	require.NoError(t, bus.Advance(61*time.Second))
	expect[*amqpwire.Detach](w)
	requireRejected(t, w.discharge(txn, false), amqpwire.CondRolledBack)
	require.Equal(t, []string{"answer"}, peeked(bus, "out"))
	txn = w.declare()
	require.Equal(t, 410, set(txn, "nobody's"))
}
