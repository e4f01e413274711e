package minibus_test

import (
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// Handles of links in these tests.
const (
	handleControl = 2
	handleOut     = 3
	handleOther   = 4
	handleIn      = 5
)

// transactor is a client with a coordinator.
func transactor(t *testing.T, bus *minibus.Instance) *wire {
	t.Helper()
	w := dialWire(t, bus)
	w.control()
	w.sender(handleOut, "out")
	w.sender(handleOther, "other")
	return w
}

func (w *wire) control() {
	w.t.Helper()
	got := w.attach(&amqpwire.Attach{Name: "control", Handle: handleControl, Source: &amqpwire.Source{}, Coordinator: &amqpwire.Coordinator{Capabilities: []amqpwire.Symbol{"amqp:local-transactions"}}})
	require.NotNil(w.t, got.Coordinator, "the coordinator is there")
	require.Nil(w.t, got.Target)
}

func (w *wire) declare() []byte {
	w.t.Helper()
	w.raw(handleControl, nil, amqpwire.AppendControl(nil, &amqpwire.Declare{}))
	d := expect[*amqpwire.Disposition](w)
	require.True(w.t, d.Settled)
	require.IsType(w.t, &amqpwire.Declared{}, d.State)
	return append([]byte{}, d.State.(*amqpwire.Declared).TxnID...)
}

func (w *wire) discharge(txn []byte, fail bool) amqpwire.State {
	w.t.Helper()
	w.raw(handleControl, nil, amqpwire.AppendControl(nil, &amqpwire.Discharge{TxnID: txn, Fail: fail}))
	return expect[*amqpwire.Disposition](w).State
}

// post sends a message in a transaction and returns what the broker says.
func (w *wire) post(handle uint32, txn []byte, body string) amqpwire.State {
	w.t.Helper()
	w.transfer(handle, txn, &amqp.Message{Data: [][]byte{[]byte(body)}})
	return expect[*amqpwire.Disposition](w).State
}

// settleIn settles the next delivery in a transaction.
func (w *wire) settleIn(txn []byte, outcome amqpwire.State) amqpwire.State {
	w.t.Helper()
	id := *expect[*amqpwire.Transfer](w).DeliveryID
	w.send(&amqpwire.Disposition{Role: amqpwire.RoleReceiver, First: id, State: &amqpwire.Transactional{TxnID: txn, Outcome: outcome}}, nil)
	d := expect[*amqpwire.Disposition](w)
	require.Equal(w.t, id, d.First)
	require.True(w.t, d.Settled)
	return d.State
}

func requireRejected(t *testing.T, state amqpwire.State, condition amqpwire.Symbol) {
	t.Helper()
	require.IsType(t, &amqpwire.Rejected{}, state)
	require.Equal(t, condition, state.(*amqpwire.Rejected).Error.Condition)
}

func transactional(o *minibus.Options) {
	o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "in"}, {Name: "out"}, {Name: "other", RequiresSession: false}, {Name: "ordered", RequiresSession: true}}}
}

// What is sent and settled in a transaction happens when it is committed, in all entities at once, and not before.
func TestTransactions(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, transactional)
	send(t, sender(t, connect(t, bus.ConnectionString()), "in"), "a", "b", "c")
	w := transactor(t, bus)
	w.receiver(handleIn, "in", 3)
	txn := w.declare()
	accepted := &amqpwire.Transactional{TxnID: txn, Outcome: &amqpwire.Accepted{}}
	require.Equal(t, accepted, w.settleIn(txn, &amqpwire.Accepted{}))
	rejected := &amqpwire.Transactional{TxnID: txn, Outcome: &amqpwire.Rejected{}}
	why := amqpwire.Append(nil, amqpwire.Map{{Key: amqpwire.Symbol("DeadLetterReason"), Value: "r"}})
	require.Equal(t, rejected, w.settleIn(txn, &amqpwire.Rejected{Error: &amqpwire.Error{Condition: "com.microsoft:dead-letter", Info: why}}))
	require.Equal(t, accepted, w.post(handleOut, txn, "x"))
	require.Equal(t, accepted, w.post(handleOther, txn, "y"))
	require.Equal(t, minibus.Counts{Active: 3, Locked: 3}, bus.Counts("in"))
	require.Empty(t, bus.Peek("out"))
	require.IsType(t, &amqpwire.Accepted{}, w.post(handleOut, nil, "outside"), "what is not part of it does not wait")

	require.IsType(t, &amqpwire.Accepted{}, w.discharge(txn, false))
	require.Equal(t, minibus.Counts{Active: 1, Locked: 1, DeadLetter: 1}, bus.Counts("in"))
	require.Equal(t, "r", bus.Peek("in/$DeadLetterQueue")[0].Properties["DeadLetterReason"])
	require.Equal(t, []string{"outside", "x"}, peeked(bus, "out"))
	require.Equal(t, []string{"y"}, peeked(bus, "other"))
	requireRejected(t, w.discharge(txn, false), amqpwire.CondUnknownTransaction)
	requireRejected(t, w.post(handleOut, txn, "late"), amqpwire.CondUnknownTransaction)
}

// A transaction that is rolled back has not been: its messages are not sent, and those that it settled are still locked.
func TestRollback(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*wire, []byte){
		"discharged": func(w *wire, txn []byte) { require.IsType(w.t, &amqpwire.Accepted{}, w.discharge(txn, true)) },
		"coordinator detached": func(w *wire, _ []byte) {
			w.send(&amqpwire.Detach{Handle: handleControl, Closed: true}, nil)
			expect[*amqpwire.Detach](w)
		},
		"connection cut": func(w *wire, _ []byte) { w.conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := minibus.RunT(t, transactional)
			send(t, sender(t, connect(t, bus.ConnectionString()), "in"), "a")
			others := bus.Links()
			w := transactor(t, bus)
			w.receiver(handleIn, "in", 1)
			txn := w.declare()
			w.settleIn(txn, &amqpwire.Accepted{})
			w.post(handleOut, txn, "x")
			end(w, txn)
			require.Eventually(t, func() bool { return name != "connection cut" || bus.Links() == others }, time.Minute, time.Millisecond)
			require.Empty(t, bus.Peek("out"))
			require.Equal(t, minibus.Counts{Active: 1, Locked: 1}, bus.Counts("in"))
			require.NoError(t, bus.Advance(2*time.Minute))
			require.Equal(t, []string{"a"}, bodies(receive(t, receiver(t, connect(t, bus.ConnectionString()), "in", nil), 1)))
		})
	}
}

// A transaction is committed whole or not at all: one lock that has ended, and nothing of it happens.
func TestCommitIsWhole(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, transactional)
	send(t, sender(t, connect(t, bus.ConnectionString()), "in"), "a", "b")
	w := transactor(t, bus)
	w.receiver(handleIn, "in", 2)
	txn := w.declare()
	w.settleIn(txn, &amqpwire.Accepted{})
	w.post(handleOut, txn, "x")
	require.NoError(t, bus.Advance(61*time.Second))
	requireRejected(t, w.discharge(txn, false), amqpwire.CondRolledBack)
	require.Empty(t, bus.Peek("out"))
	require.Equal(t, 2, bus.Counts("in").Active)
}

// What can never be committed is refused when it is sent, and the rest of the transaction goes on.
func TestRefusedInATransaction(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, transactional)
	w := transactor(t, bus)
	w.sender(6, "ordered")
	w.sender(7, "out/$management")
	txn := w.declare()
	requireRejected(t, w.post(6, txn, "no session"), amqpwire.CondNotAllowed)
	requireRejected(t, w.post(7, txn, "management"), amqpwire.CondNotImplemented)
	requireRejected(t, w.post(handleOut, []byte("nobody's"), "x"), amqpwire.CondUnknownTransaction)
	requireRejected(t, w.discharge([]byte("nobody's"), false), amqpwire.CondUnknownTransaction)
	for range 100 {
		require.IsType(t, &amqpwire.Transactional{}, w.post(handleOut, txn, "x"))
	}
	requireRejected(t, w.post(handleOut, txn, "one too many"), amqpwire.CondResourceLimit)
	other := dialWire(t, bus)
	other.sender(handleOut, "out")
	requireRejected(t, other.post(handleOut, txn, "another connection's"), amqpwire.CondUnknownTransaction)
	require.IsType(t, &amqpwire.Accepted{}, w.discharge(txn, false))
	require.Equal(t, 100, bus.Counts("out").Active)
}

// Two minutes are all that a transaction has.
func TestTransactionTimeout(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, transactional)
	w := transactor(t, bus)
	txn := w.declare()
	w.post(handleOut, txn, "x")
	require.NoError(t, bus.Advance(119*time.Second))
	require.IsType(t, &amqpwire.Transactional{}, w.post(handleOut, txn, "y"))
	require.NoError(t, bus.Advance(2*time.Second))
	requireRejected(t, w.post(handleOut, txn, "z"), amqpwire.CondTransactionTimeout)
	requireRejected(t, w.discharge(txn, false), amqpwire.CondTransactionTimeout)
	requireRejected(t, w.discharge(txn, false), amqpwire.CondUnknownTransaction)
	require.Empty(t, bus.Peek("out"))
}

// After a crash a transaction has happened as a whole, or not: whatever was confirmed is there.
func TestTransactionsSurvive(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	durable := func(fs vfs.FS) func(*minibus.Options) {
		return func(o *minibus.Options) {
			transactional(o)
			o.Dir, o.FS = "bus", fs
		}
	}
	bus := minibus.RunT(t, durable(fs))
	send(t, sender(t, connect(t, bus.ConnectionString()), "in"), "a", "b")
	w := transactor(t, bus)
	w.receiver(handleIn, "in", 2)
	done, open := w.declare(), w.declare()
	w.settleIn(done, &amqpwire.Accepted{})
	w.settleIn(open, &amqpwire.Accepted{})
	w.post(handleOut, done, "done")
	w.post(handleOther, open, "open")
	during := minibus.RunT(t, durable(crash(fs)))
	require.Empty(t, during.Peek("out"))
	require.Empty(t, during.Peek("other"))
	require.Equal(t, []string{"a", "b"}, peeked(during, "in"))
	require.Equal(t, minibus.Counts{Active: 2}, during.Counts("in"))

	require.IsType(t, &amqpwire.Accepted{}, w.discharge(done, false))
	after := minibus.RunT(t, durable(crash(fs)))
	require.Equal(t, []string{"done"}, peeked(after, "out"))
	require.Empty(t, after.Peek("other"))
	require.Equal(t, []string{"b"}, peeked(after, "in"))
}

// What a coordinator cannot read is refused on its link, and the connection goes on.
func TestOddControl(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, transactional)
	w := transactor(t, bus)
	w.transfer(handleControl, nil, &amqp.Message{Value: "begin"})
	requireRejected(t, expect[*amqpwire.Disposition](w).State, amqpwire.CondDecodeError)
	require.IsType(t, &amqpwire.Accepted{}, w.post(handleOut, nil, "x"))
}
