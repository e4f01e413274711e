package amqpserver

import (
	"net"
	"testing"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// FuzzConnection feeds frame bodies to an open connection with a sender and a receiver: whatever comes, nothing panics,
// and what is kept stays within the limits. The first byte of each frame is its channel, the second its length.
func FuzzConnection(f *testing.F) {
	frame := func(p amqpwire.Performative) []byte {
		b := amqpwire.AppendPerformative(nil, p)
		return append([]byte{0, byte(len(b))}, b...)
	}
	f.Add(frame(&amqpwire.Transfer{Handle: 0, DeliveryID: new(uint32(0))}))
	f.Add(append(frame(&amqpwire.Flow{Handle: new(uint32(1)), IncomingWindow: 9, LinkCredit: new(uint32(5)), Drain: true}),
		frame(&amqpwire.Disposition{Role: amqpwire.RoleReceiver, Last: new(uint32(9)), State: &amqpwire.Accepted{}})...))
	f.Add(append(frame(&amqpwire.Detach{Handle: 1}), frame(&amqpwire.Attach{Handle: 1, Role: amqpwire.RoleReceiver, Source: &amqpwire.Source{
		Address: "node", Filter: amqpwire.Map{{Key: "f", Value: []int64{1}}},
	}})...))
	f.Add(append(frame(&amqpwire.End{}), frame(&amqpwire.Begin{})...))
	f.Fuzz(func(t *testing.T, b []byte) {
		client, nc := net.Pipe()
		defer client.Close()
		defer nc.Close()
		c := newConn(New(&memBackend{stored: [][]byte{make([]byte, 2000), nil}}, nil), nc)
		for _, p := range []amqpwire.Performative{
			&amqpwire.Open{MaxFrameSize: new(uint32(512))}, &amqpwire.Begin{IncomingWindow: 2},
			&amqpwire.Attach{Target: &amqpwire.Target{Address: "node"}},
			&amqpwire.Attach{Handle: 1, Role: amqpwire.RoleReceiver, Source: &amqpwire.Source{Address: "node"}},
		} {
			if err := c.apply(amqpwire.Frame{Body: amqpwire.AppendPerformative(nil, p)}); err != nil {
				t.Fatal(err)
			}
		}
		for len(b) > 2 {
			n := min(int(b[1]), len(b)-2)
			if err := c.apply(amqpwire.Frame{Channel: uint16(b[0] % 4), Body: b[2 : 2+n]}); err != nil {
				break
			}
			c.step(nil)
			b = b[2+n:]
		}
		if c.tearDown(); c.partial != 0 || len(c.sessions) != 0 {
			t.Fatalf("%d bytes and %d sessions are left", c.partial, len(c.sessions))
		}
	})
}
