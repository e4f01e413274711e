package minibus_test

import (
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// postSettled sends a message in a transaction whose fate is not asked for.
func (w *wire) postSettled(handle uint32, txn []byte, body string) {
	w.t.Helper()
	payload, err := (&amqp.Message{Data: [][]byte{[]byte(body)}}).MarshalBinary()
	require.NoError(w.t, err)
	w.send(&amqpwire.Transfer{
		Handle: handle, DeliveryID: new(w.next), DeliveryTag: []byte{byte(w.next)}, MessageFormat: new(uint32(0)),
		Settled: new(true), State: &amqpwire.Transactional{TxnID: txn},
	}, payload)
	w.next++
}

// completeIn completes a delivery in a transaction; if it is settled, the answer is not asked for.
func (w *wire) completeIn(txn []byte, id uint32, settled bool) {
	w.t.Helper()
	w.send(&amqpwire.Disposition{Role: amqpwire.RoleReceiver, First: id, Settled: settled, State: &amqpwire.Transactional{TxnID: txn, Outcome: &amqpwire.Accepted{}}}, nil)
}

// What is refused without a word, because it came settled, takes the whole transaction with it.
func TestCommitWithoutAPart(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]func(*wire, *minibus.Instance, []byte, uint32){
		"the lock is lost": func(w *wire, bus *minibus.Instance, txn []byte, id uint32) {
			require.NoError(w.t, bus.Advance(61*time.Second))
			w.completeIn(txn, id, true)
		},
		"there is no such delivery": func(w *wire, _ *minibus.Instance, txn []byte, id uint32) { w.completeIn(txn, id+7, true) },
		"no session":                func(w *wire, _ *minibus.Instance, txn []byte, _ uint32) { w.postSettled(6, txn, "no session") },
		"no part in transactions":   func(w *wire, _ *minibus.Instance, txn []byte, _ uint32) { w.postSettled(7, txn, "management") },
		"an injected fault": func(w *wire, bus *minibus.Instance, txn []byte, _ uint32) {
			require.NoError(w.t, bus.Inject(minibus.Fault{Entity: "out", On: minibus.OnSend, Do: minibus.Busy, Times: 1}))
			w.postSettled(handleOut, txn, "x")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := minibus.RunT(t, transactional)
			send(t, sender(t, connect(t, bus.ConnectionString()), "in"), "a")
			w := transactor(t, bus)
			w.sender(6, "ordered")
			w.sender(7, "out/$management")
			w.receiver(handleIn, "in", 1)
			id := *expect[*amqpwire.Transfer](w).DeliveryID
			for _, fail := range []bool{false, true} {
				txn := w.declare()
				require.IsType(t, &amqpwire.Transactional{}, w.post(handleOut, txn, "before"))
				refused(w, bus, txn, id)
				requireRejected(t, w.post(handleOut, txn, "after"), amqpwire.CondRolledBack)
				if end := w.discharge(txn, fail); fail {
					require.IsType(t, &amqpwire.Accepted{}, end)
				} else {
					requireRejected(t, end, amqpwire.CondRolledBack)
				}
				require.Empty(t, bus.Peek("out"))
				require.Equal(t, []string{"a"}, peeked(bus, "in"))
			}
		})
	}
}
