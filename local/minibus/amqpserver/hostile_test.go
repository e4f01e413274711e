package amqpserver

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// framed puts a body into a frame on channel 0.
func framed(body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(append(b, 2, 0, 0, 0), body...)
}

// performative is a body of the given code whose list is what a test wants.
func performative(code byte, list []byte) []byte { return append([]byte{0, 0x53, code}, list...) }

// Values that claim to be what their bytes cannot hold cost nothing and end the connection, and others go on.
func TestHostileValues(t *testing.T) {
	t.Parallel()
	dial := serve(t, &memBackend{})
	other := dial().open(100)
	nested := bytes.Repeat([]byte{0x00, 0x53, 0x01}, 20_000) // descriptors of descriptors
	lists := bytes.Repeat([]byte{0xc0, 0xff, 0x01}, 20_000)
	for name, body := range map[string][]byte{
		"list of 2^32 elements":      performative(0x14, []byte{0xd0, 0, 0, 0, 8, 0xff, 0xff, 0xff, 0xff, 0x40, 0x40, 0x40, 0x40}),
		"list of 2^32 bytes":         performative(0x14, []byte{0xd0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1}),
		"array of 2^31 nulls":        performative(0x10, []byte{0xc0, 12, 1, 0xf0, 0, 0, 0, 5, 0x7f, 0xff, 0xff, 0xff, 0x40}),
		"map with an odd number":     performative(0x12, []byte{0xc0, 8, 3, 0xa1, 1, 'x', 0x43, 0xc1, 2, 1, 0x40}),
		"string of 2^32 bytes":       performative(0x10, []byte{0xc0, 7, 1, 0xb1, 0xff, 0xff, 0xff, 0xff, 'x'}),
		"descriptors in descriptors": nested,
		"lists in lists":             performative(0x14, lists),
		"no such performative":       performative(0x60, []byte{0x45}),
		"no such constructor":        performative(0x14, []byte{0xc0, 2, 1, 0x1f}),
		"more fields than there are": performative(0x18, append([]byte{0xc0, 4, 3}, 0x40, 0x40, 0x40)),
		"text that is no UTF-8":      performative(0x12, []byte{0xc0, 5, 1, 0xa1, 2, 0xff, 0xfe}),
	} {
		w := dial().open(100)
		w.write(framed(body))
		closed, ok := w.last()
		require.True(t, ok, name)
		require.Contains(t, []amqpwire.Symbol{amqpwire.CondDecodeError, amqpwire.CondFramingError, amqpwire.CondInvalidField}, closed.Error.Condition, name)
	}
	other.attachSender(0)
	require.IsType(t, &amqpwire.Accepted{}, other.post(0, 0, []byte("x")))
}

// last reads to the end of the connection, and says whether it came with a close.
func (w *wire) last() (closed *amqpwire.Close, ok bool) {
	w.t.Helper()
	for {
		f, err := w.frames.Next()
		if err != nil {
			return closed, closed != nil
		}
		if len(f.Body) == 0 {
			continue
		}
		p, _, err := amqpwire.DecodePerformative(bytes.Clone(f.Body))
		require.NoError(w.t, err)
		if c, isClose := p.(*amqpwire.Close); isClose {
			closed = c
			w.write(amqpwire.AppendFrame(nil, amqpwire.FrameAMQP, 0, &amqpwire.Close{}))
		}
	}
}

// Frames before their time.
func TestFramesOutOfOrder(t *testing.T) {
	t.Parallel()
	dial := serve(t, &memBackend{})
	for name, p := range map[string]amqpwire.Performative{
		"begin": &amqpwire.Begin{}, "attach": &amqpwire.Attach{}, "transfer": &amqpwire.Transfer{}, "flow": &amqpwire.Flow{},
		"sasl": &amqpwire.SASLInit{Mechanism: "ANONYMOUS"},
	} {
		w := dial()
		w.write([]byte(headerAMQP))
		var header [8]byte
		_, err := io.ReadFull(w.conn, header[:])
		require.NoError(t, err)
		w.send(0, p)
		closed, ok := w.last()
		require.True(t, ok, name)
		require.NotNil(t, closed.Error, name)
	}
}

// Numbers at the end of their range mean what serial numbers mean, and cost no more than what is there.
func TestHostileNumbers(t *testing.T) {
	t.Parallel()
	b := &memBackend{}
	dial := serve(t, b)
	w := dial().open(math.MaxUint32)
	w.attachSender(0)
	w.attachReceiver(1)
	for i := range uint32(3) {
		require.IsType(t, &amqpwire.Accepted{}, w.post(0, i, []byte{byte(i)}))
	}
	w.send(0, &amqpwire.Flow{
		NextIncomingID: new(uint32(0)), IncomingWindow: math.MaxUint32, Handle: new(uint32(1)),
		DeliveryCount: new(uint32(0)), LinkCredit: new(uint32(math.MaxUint32)),
	})
	for range 3 {
		expect[*amqpwire.Transfer](w)
	}
	began := time.Now()
	w.send(0, &amqpwire.Disposition{Role: amqpwire.RoleReceiver, First: 0, Last: new(uint32(math.MaxUint32 - 1)), State: &amqpwire.Accepted{}})
	for range 3 {
		expect[*amqpwire.Disposition](w)
	}
	w.send(0, &amqpwire.Disposition{Role: amqpwire.RoleReceiver, First: 7, Last: new(uint32(3)), State: &amqpwire.Accepted{}})
	require.Less(t, time.Since(began), 30*time.Second)
	require.IsType(t, &amqpwire.Accepted{}, w.post(0, 3, []byte("still here")))
}

// All sessions and links that a connection may have fit; one more is refused, and the memory goes back.
func TestThousandsOfLinks(t *testing.T) {
	t.Parallel()
	dial := serve(t, &memBackend{})
	w := dial().open(100)
	stream := []byte{}
	const sessions, links = 64, maxHandle + 1
	for channel := range uint16(sessions) {
		if channel > 0 {
			stream = amqpwire.AppendFrame(stream, amqpwire.FrameAMQP, channel, &amqpwire.Begin{IncomingWindow: 1})
		}
		for handle := range uint32(links) {
			stream = amqpwire.AppendFrame(stream, amqpwire.FrameAMQP, channel, &amqpwire.Attach{
				Name: "s", Handle: handle, Source: &amqpwire.Source{}, Target: &amqpwire.Target{Address: "node"},
			})
		}
	}
	go func() { _, _ = w.conn.Write(stream) }() // read on below
	for attached := 0; attached < sessions*links; {
		if p, _ := w.next(); p != nil {
			if _, ok := p.(*amqpwire.Attach); ok {
				attached++
			}
		}
	}
	w.send(0, &amqpwire.Attach{Name: "more", Handle: maxHandle + 1, Target: &amqpwire.Target{Address: "node"}})
	for {
		if p, _ := w.next(); p != nil {
			if e, ok := p.(*amqpwire.End); ok {
				require.Equal(t, amqpwire.CondNotAllowed, e.Error.Condition)
				return
			}
		}
	}
}

// A client that asks and never reads stops being served before its answers fill the memory.
func TestClientThatNeverReads(t *testing.T) {
	b := &memBackend{}
	w := serve(t, b)().open(100)
	w.attachSender(0)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	echo := amqpwire.AppendFrame(nil, amqpwire.FrameAMQP, 0, &amqpwire.Flow{NextIncomingID: new(uint32(0)), IncomingWindow: 100, Echo: true})
	flood := bytes.Repeat(echo, 1<<20/len(echo))
	require.NoError(t, w.conn.SetWriteDeadline(time.Now().Add(2*time.Second)))
	written := 0
	for written < 256<<20 {
		n, err := w.conn.Write(flood)
		if written += n; err != nil {
			break // nobody reads it any more: that is what is wanted
		}
	}
	require.Less(t, written, 256<<20, "the server goes on reading")
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(64<<20))
}

// Output is bounded by its bytes, not by a number of messages: there are large ones.
func TestLargeMessagesAreTakenAsTheyGoOut(t *testing.T) {
	t.Parallel()
	b := &memBackend{}
	for range 64 {
		b.stored = append(b.stored, make([]byte, maxOutput))
	}
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	c := newConn(New(b, nil), ours)
	c.maxFrame = maxFrameSize
	s := &session{conn: c, out: outWindow{left: 1 << 20}, unsettled: map[uint32]*delivery{}}
	l := &link{session: s, credit: 64}
	l.source = &memSource{b, l}
	require.False(t, l.pump(), "there is more")
	require.Less(t, len(c.out), 3*maxOutput)
	require.Len(t, s.unsettled, 64-len(b.stored))
}

// Replies that a client asks for and does not take are bounded by their bytes.
func TestRepliesThatNobodyTakesAreBounded(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	c := newConn(New(&memBackend{}, nil), ours)
	s := &session{conn: c, links: map[uint32]*link{}, unsettled: map[uint32]*delivery{}, out: outWindow{left: 1 << 20}}
	c.sessions[0] = s
	to, replies := &link{session: s, address: "node"}, &Replies{}
	to.source, to.replies = replies, replies
	s.links[0] = to
	from := &link{session: s, address: "node"}
	ask := func() error { return from.respond(func() ([]byte, error) { return make([]byte, 1<<20), nil }) }
	asked := 0
	for ; ask() == nil; asked++ {
		require.Less(t, asked, 1000)
	}
	require.Len(t, replies.queue, maxUnsent>>20)
	to.credit = 2
	to.pump()
	c.out = nil // it has been written
	require.True(t, to.pump())
	require.NoError(t, ask(), "two have been taken")
	require.NoError(t, ask())
	require.Error(t, ask())
	to.release()
	require.Zero(t, c.unsent)
}
