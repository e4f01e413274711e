package amqpserver

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/netsim"
)

// fullBackend makes nothing durable until there is room.
type fullBackend struct {
	memBackend
	room chan struct{}
}

func (b *fullBackend) Connect(string) Peer { return b }
func (b *fullBackend) AttachTarget(*amqpwire.Attach, Link) (Target, error) {
	return b, nil
}
func (b *fullBackend) Position() uint64 { return 1 }
func (b *fullBackend) Durable(position uint64) error {
	if position > 0 {
		<-b.room
	}
	return nil
}

// A client whose answer waits for room on the disk hears that the connection lives, as often as it wants to.
func TestHeartbeatsWhileTheDiskIsFull(t *testing.T) {
	t.Parallel()
	for _, wanted := range []time.Duration{0, 10 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			b := &fullBackend{room: make(chan struct{})}
			s, pipe := New(b, nil), netsim.NewPipe()
			served := make(chan error, 1)
			go func() { served <- s.Serve(pipe) }()
			nc, err := pipe.Dial(t.Context())
			require.NoError(t, err)
			w := &wire{t, nc, amqpwire.NewFrameReader(nc, 1<<20)}
			w.write([]byte("AMQP\x00\x01\x00\x00"))
			header := make([]byte, 8)
			_, err = nc.Read(header)
			require.NoError(t, err)
			open := &amqpwire.Open{ContainerID: "test"}
			beat := heartbeatEvery
			if wanted > 0 {
				open.IdleTimeOut, beat = new(uint32(wanted/time.Millisecond)), wanted/2
			}
			w.send(0, open)
			expect[*amqpwire.Open](w)
			w.send(0, &amqpwire.Begin{IncomingWindow: 100, OutgoingWindow: 100})
			expect[*amqpwire.Begin](w)
			w.send(0, &amqpwire.Attach{Name: "s", Source: &amqpwire.Source{}, Target: &amqpwire.Target{Address: "node"}})
			expect[*amqpwire.Attach](w)
			expect[*amqpwire.Flow](w)
			last := time.Now()
			sent, _ := amqpwire.AppendTransfers(nil, 0, amqpwire.Transfer{DeliveryID: new(uint32(0)), DeliveryTag: []byte{0}, MessageFormat: new(uint32(0))}, []byte("x"), 512)
			w.write(sent)
			for range 10 {
				require.NoError(t, nc.SetReadDeadline(last.Add(beat+time.Second)))
				f, err := w.frames.Next()
				require.NoError(t, err)
				require.Empty(t, f.Body)
				last = time.Now()
			}
			close(b.room)
			require.IsType(t, &amqpwire.Accepted{}, expect[*amqpwire.Disposition](w).State)
			require.NoError(t, nc.Close())
			require.NoError(t, s.Close())
			require.NoError(t, <-served)
		})
	}
}
