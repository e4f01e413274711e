package minibus_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// dispose settles a delivery, in a transaction if there is one, and returns what the broker says.
func (w *wire) dispose(id uint32, txn []byte, outcome amqpwire.State) amqpwire.State {
	w.t.Helper()
	if txn != nil {
		outcome = &amqpwire.Transactional{TxnID: txn, Outcome: outcome}
	}
	w.send(&amqpwire.Disposition{Role: amqpwire.RoleReceiver, First: id, State: outcome}, nil)
	d := expect[*amqpwire.Disposition](w)
	require.Equal(w.t, id, d.First)
	return d.State
}

// What a transaction has settled that was rolled back is settled again over the same link: alone, or in another one.
func TestSettleAgainAfterRollback(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, transactional)
	send(t, sender(t, connect(t, bus.ConnectionString()), "in"), "a", "b", "c", "d")
	w := transactor(t, bus)
	w.receiver(handleIn, "in", 4)
	var ids [4]uint32
	for i := range ids {
		ids[i] = *expect[*amqpwire.Transfer](w).DeliveryID
	}
	first := w.declare()
	for _, id := range ids {
		require.IsType(t, &amqpwire.Transactional{}, w.dispose(id, first, &amqpwire.Accepted{}))
	}
	requireRejected(t, w.dispose(ids[0], first, &amqpwire.Accepted{}), "com.microsoft:message-lock-lost")
	require.IsType(t, &amqpwire.Accepted{}, w.discharge(first, true))

	require.IsType(t, &amqpwire.Accepted{}, w.dispose(ids[0], nil, &amqpwire.Accepted{}))
	require.IsType(t, &amqpwire.Modified{}, w.dispose(ids[1], nil, &amqpwire.Modified{UndeliverableHere: true}))
	require.Equal(t, minibus.Counts{Active: 2, Locked: 2, Deferred: 1}, bus.Counts("in"))
	second := w.declare()
	require.IsType(t, &amqpwire.Transactional{}, w.dispose(ids[2], second, &amqpwire.Accepted{}))
	require.IsType(t, &amqpwire.Accepted{}, w.discharge(second, false))
	require.Equal(t, minibus.Counts{Active: 1, Locked: 1, Deferred: 1}, bus.Counts("in"))
	late := w.declare()
	require.IsType(t, &amqpwire.Transactional{}, w.dispose(ids[3], late, &amqpwire.Accepted{}))
	w.send(&amqpwire.Detach{Handle: handleControl, Closed: true}, nil)
	expect[*amqpwire.Detach](w)
	require.IsType(t, &amqpwire.Accepted{}, w.dispose(ids[3], nil, &amqpwire.Accepted{}))
	require.Zero(t, bus.Counts("in").Active)

	// What is settled for good is forgotten: nothing answers but the coordinator.
	w.control()
	w.send(&amqpwire.Disposition{Role: amqpwire.RoleReceiver, First: ids[0], Last: &ids[2], State: &amqpwire.Accepted{}}, nil)
	w.declare()
}

// What the transactions of a connection hold is bounded, and one that has ended holds nothing.
func TestTransactionsAreBounded(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, transactional)
	w := transactor(t, bus)
	large := strings.Repeat("x", 250_000)
	fill := func() (open [][]byte) {
		for {
			txn := w.declare()
			open = append(open, txn)
			for range 50 {
				state := w.post(handleOut, txn, large)
				if _, taken := state.(*amqpwire.Transactional); taken {
					continue
				}
				requireRejected(t, state, amqpwire.CondResourceLimit)
				require.Contains(t, state.(*amqpwire.Rejected).Error.Description, "67108864 bytes")
				return open
			}
		}
	}
	for _, end := range []func([]byte){
		func(txn []byte) { require.IsType(t, &amqpwire.Accepted{}, w.discharge(txn, true)) },
		func(txn []byte) { require.IsType(t, &amqpwire.Accepted{}, w.discharge(txn, false)) },
		func([]byte) { require.NoError(t, bus.Advance(121*time.Second)) },
	} {
		open := fill()
		require.Len(t, open, 6)
		for _, txn := range open {
			end(txn)
		}
	}
	require.Equal(t, 268, bus.Counts("out").Active)
	fill()
}

// Transactions that nobody ends do not keep others from being begun.
func TestTimedOutTransactionsMakeRoom(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, transactional)
	w := transactor(t, bus)
	first := w.declare()
	for range 99 {
		w.declare()
	}
	w.raw(handleControl, nil, amqpwire.AppendControl(nil, &amqpwire.Declare{}))
	requireRejected(t, expect[*amqpwire.Disposition](w).State, amqpwire.CondResourceLimit)
	require.NoError(t, bus.Advance(121*time.Second))
	requireRejected(t, w.discharge(first, false), amqpwire.CondTransactionTimeout)
	for range 100 {
		w.declare()
	}
	w.raw(handleControl, nil, amqpwire.AppendControl(nil, &amqpwire.Declare{}))
	requireRejected(t, expect[*amqpwire.Disposition](w).State, amqpwire.CondResourceLimit)
}

// Faults of a settlement happen in a transaction too.
func TestSettleFaultsInATransaction(t *testing.T) {
	t.Parallel()
	for do, check := range map[minibus.Effect]func(*wire, *minibus.Instance, []byte, uint32){
		minibus.LoseLock: func(w *wire, bus *minibus.Instance, txn []byte, id uint32) {
			requireRejected(w.t, w.dispose(id, txn, &amqpwire.Accepted{}), "com.microsoft:message-lock-lost")
			require.IsType(w.t, &amqpwire.Accepted{}, w.discharge(txn, false))
			require.Equal(w.t, 1, bus.Peek("in")[0].DeliveryCount)
		},
		minibus.Duplicate: func(w *wire, bus *minibus.Instance, txn []byte, id uint32) {
			require.IsType(w.t, &amqpwire.Transactional{}, w.dispose(id, txn, &amqpwire.Accepted{}))
			require.Equal(w.t, minibus.Counts{Active: 1, Locked: 1}, bus.Counts("in"), "not before the commit")
			require.IsType(w.t, &amqpwire.Accepted{}, w.discharge(txn, false))
			require.Equal(w.t, 1, bus.Peek("in")[0].DeliveryCount)
			again := *expect[*amqpwire.Transfer](w).DeliveryID
			require.IsType(w.t, &amqpwire.Accepted{}, w.dispose(again, nil, &amqpwire.Accepted{}))
			require.Zero(w.t, bus.Counts("in").Active)
		},
	} {
		t.Run(fmt.Sprint(do), func(t *testing.T) {
			t.Parallel()
			bus := minibus.RunT(t, transactional)
			send(t, sender(t, connect(t, bus.ConnectionString()), "in"), "a")
			require.NoError(t, bus.Inject(minibus.Fault{Entity: "in", On: minibus.OnSettle, Do: do, Times: 1}))
			w := transactor(t, bus)
			w.receiver(handleIn, "in", 5)
			id := *expect[*amqpwire.Transfer](w).DeliveryID
			check(w, bus, w.declare(), id)
		})
	}
}
