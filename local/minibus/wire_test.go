package minibus_test

import (
	"bytes"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// wire is a client that says exactly what a test wants, on one session.
type wire struct {
	t       *testing.T
	conn    net.Conn
	frames  *amqpwire.FrameReader
	next    uint32               // delivery-id
	waiting []*amqpwire.Transfer // that nobody has expected yet
	payload []byte               // of the last transfer
}

// dialWire opens a connection and a session, and puts a token for the whole namespace.
func dialWire(t *testing.T, bus *minibus.Instance) *wire {
	t.Helper()
	return dialWith(t, bus, "", time.Hour)
}

// dialWith opens a connection and a session, and puts a token for an entity that lives for a time.
func dialWith(t *testing.T, bus *minibus.Instance, entity string, life time.Duration) *wire {
	t.Helper()
	nc, err := net.Dial("tcp", bus.Addr)
	require.NoError(t, err)
	t.Cleanup(func() { nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(time.Minute)))
	_, err = nc.Write([]byte("AMQP\x00\x01\x00\x00"))
	require.NoError(t, err)
	var header [8]byte
	_, err = nc.Read(header[:])
	require.NoError(t, err)
	w := &wire{t: t, conn: nc, frames: amqpwire.NewFrameReader(nc, 1<<20)}
	w.send(&amqpwire.Open{ContainerID: "test"}, nil)
	expect[*amqpwire.Open](w)
	w.send(&amqpwire.Begin{IncomingWindow: 5000, OutgoingWindow: 5000}, nil)
	expect[*amqpwire.Begin](w)
	w.sender(0, "$cbs")
	w.receiver(1, "$cbs", 10)
	w.show(bus, entity, life)
	return w
}

func (w *wire) send(p amqpwire.Performative, payload []byte) {
	w.t.Helper()
	frame := amqpwire.AppendFrame(nil, amqpwire.FrameAMQP, 0, p)
	if tr, ok := p.(*amqpwire.Transfer); ok {
		frame, _ = amqpwire.AppendTransfers(nil, 0, *tr, payload, 65536)
	}
	_, err := w.conn.Write(frame)
	require.NoError(w.t, err)
}

// expect reads the next frame of a kind. Flows are passed over, and deliveries wait for who expects them.
func expect[P amqpwire.Performative](w *wire) P {
	w.t.Helper()
	for i, p := range w.waiting {
		if got, ok := amqpwire.Performative(p).(P); ok {
			w.waiting = slices.Delete(w.waiting, i, i+1)
			return got
		}
	}
	for {
		f, err := w.frames.Next()
		require.NoError(w.t, err)
		if len(f.Body) == 0 {
			continue
		}
		p, payload, err := amqpwire.DecodePerformative(f.Body)
		require.NoError(w.t, err)
		if _, ok := p.(*amqpwire.Transfer); ok {
			w.payload = bytes.Clone(payload)
		}
		switch p := p.(type) {
		case P:
			return p
		case *amqpwire.Transfer:
			w.waiting = append(w.waiting, p)
		default:
			require.IsType(w.t, &amqpwire.Flow{}, p)
		}
	}
}

func (w *wire) sender(handle uint32, address string) *amqpwire.Attach {
	w.t.Helper()
	return w.attach(&amqpwire.Attach{Name: address + "-out", Handle: handle, Source: &amqpwire.Source{}, Target: &amqpwire.Target{Address: address}})
}

func (w *wire) attach(a *amqpwire.Attach) *amqpwire.Attach {
	w.t.Helper()
	w.send(a, nil)
	return expect[*amqpwire.Attach](w)
}

func (w *wire) receiver(handle uint32, address string, credit uint32) {
	w.t.Helper()
	w.attach(&amqpwire.Attach{
		Name: address + "-in", Handle: handle, Role: amqpwire.RoleReceiver, RcvSettleMode: new(amqpwire.RcvSecond),
		Source: &amqpwire.Source{Address: address}, Target: &amqpwire.Target{},
	})
	w.send(&amqpwire.Flow{NextIncomingID: new(uint32(0)), IncomingWindow: 5000, OutgoingWindow: 5000, Handle: &handle, DeliveryCount: new(uint32(0)), LinkCredit: &credit}, nil)
}

// transfer sends a message, as part of a transaction if there is one.
func (w *wire) transfer(handle uint32, txn []byte, m *amqp.Message) {
	w.t.Helper()
	payload, err := m.MarshalBinary()
	require.NoError(w.t, err)
	w.raw(handle, txn, payload)
}

func (w *wire) raw(handle uint32, txn, payload []byte) {
	w.t.Helper()
	tr := &amqpwire.Transfer{Handle: handle, DeliveryID: new(w.next), DeliveryTag: []byte{byte(w.next)}, MessageFormat: new(uint32(0))}
	w.next++
	if txn != nil {
		tr.State = &amqpwire.Transactional{TxnID: txn}
	}
	w.send(tr, payload)
}
