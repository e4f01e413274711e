package amqpserver

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// memBackend is one node that hands out again what is sent to it, and forgets it then.
type memBackend struct {
	mu      sync.Mutex
	stored  [][]byte
	waiting []Link
	settled []amqpwire.State
}

func (b *memBackend) Connect(string) Peer    { return b }
func (b *memBackend) Position() uint64       { return 0 }
func (b *memBackend) Durable(uint64) error   { return nil }
func (b *memBackend) Close()                 {}
func (b *memBackend) Detach()                {}
func (b *memBackend) MaxMessageSize() uint64 { return 200_000 }

func (b *memBackend) AttachTarget(a *amqpwire.Attach, _ Link) (Target, error) {
	if a.Target.Address != "node" {
		return nil, amqpwire.Errorf(amqpwire.CondNotFound, "no %q", a.Target.Address)
	}
	return b, nil
}

func (b *memBackend) AttachSource(a *amqpwire.Attach, link Link) func() {
	if a.Source.Address != "node" {
		link.Attached(nil, amqpwire.Errorf(amqpwire.CondNotFound, "no %q", a.Source.Address))
		return nil
	}
	link.Attached(&memSource{b, link}, nil)
	return nil
}

func (b *memBackend) Receive(_ uint32, payload []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stored = append(b.stored, payload)
	for _, l := range b.waiting {
		l.Wake()
	}
	b.waiting = nil
	return nil
}

type memSource struct {
	*memBackend
	link Link
}

func (s *memSource) Describe(*amqpwire.Attach) {}

func (s *memSource) Take(n int, emit func(tag, payload []byte) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := 0
	for room := true; room && got < min(n, len(s.stored)); got++ {
		room = emit([]byte("tag"), s.stored[got])
	}
	if s.stored = s.stored[got:]; got < n {
		s.waiting = append(s.waiting, s.link)
	}
	return got
}

func (s *memSource) Settle(_ []byte, state amqpwire.State) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settled = append(s.settled, state)
	return nil
}

// wire is a client that says exactly what a test wants.
type wire struct {
	t      *testing.T
	conn   net.Conn
	frames *amqpwire.FrameReader
}

// serve starts a server for a test and returns how to connect to it.
func serve(t *testing.T, b Backend) (dial func() *wire) {
	s := New(b, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.NoError(t, <-served)
	})
	return func() *wire {
		c, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
		return &wire{t, c, amqpwire.NewFrameReader(c, 1<<20)}
	}
}

func (w *wire) write(b []byte) {
	w.t.Helper()
	_, err := w.conn.Write(b)
	require.NoError(w.t, err)
}

func (w *wire) send(channel uint16, p amqpwire.Performative) {
	w.t.Helper()
	w.write(amqpwire.AppendFrame(nil, amqpwire.FrameAMQP, channel, p))
}

// next returns the next frame that is not a heartbeat.
func (w *wire) next() (amqpwire.Performative, []byte) {
	w.t.Helper()
	for {
		f, err := w.frames.Next()
		require.NoError(w.t, err)
		if len(f.Body) == 0 {
			continue
		}
		p, payload, err := amqpwire.DecodePerformative(bytes.Clone(f.Body))
		require.NoError(w.t, err)
		return p, payload
	}
}

func expect[T amqpwire.Performative](w *wire) T {
	w.t.Helper()
	p, _ := w.next()
	require.IsType(w.t, *new(T), p)
	return p.(T)
}

// open goes as far as a session on channel 0.
func (w *wire) open(window uint32) *wire {
	w.write([]byte(headerAMQP))
	var header [8]byte
	_, err := io.ReadFull(w.conn, header[:])
	require.NoError(w.t, err)
	w.send(0, &amqpwire.Open{ContainerID: "test", MaxFrameSize: new(uint32(512))})
	expect[*amqpwire.Open](w)
	w.send(0, &amqpwire.Begin{IncomingWindow: window, OutgoingWindow: 100})
	expect[*amqpwire.Begin](w)
	return w
}

func (w *wire) attachSender(handle uint32) {
	w.send(0, &amqpwire.Attach{Name: "s", Handle: handle, Source: &amqpwire.Source{}, Target: &amqpwire.Target{Address: "node"}})
	require.EqualValues(w.t, 200_000, expect[*amqpwire.Attach](w).MaxMessageSize)
	require.EqualValues(w.t, grant, *expect[*amqpwire.Flow](w).LinkCredit)
}

func (w *wire) attachReceiver(handle uint32) {
	w.send(0, &amqpwire.Attach{Name: "r", Handle: handle, Role: amqpwire.RoleReceiver, Source: &amqpwire.Source{Address: "node"}, Target: &amqpwire.Target{}})
	require.NotNil(w.t, expect[*amqpwire.Attach](w).Source)
}

// post sends a message of many frames and reads what becomes of it.
func (w *wire) post(handle, id uint32, payload []byte) amqpwire.State {
	t := amqpwire.Transfer{Handle: handle, DeliveryID: &id, DeliveryTag: []byte{1}}
	frames, _ := amqpwire.AppendTransfers(nil, 0, t, payload, 60_000)
	w.write(frames)
	return expect[*amqpwire.Disposition](w).State
}

func TestFlowControl(t *testing.T) {
	t.Parallel()
	b := &memBackend{}
	w := serve(t, b)().open(3)
	w.attachSender(0)
	w.attachReceiver(1)
	for i := range uint32(3) {
		require.IsType(t, &amqpwire.Accepted{}, w.post(0, i, bytes.Repeat([]byte{byte(i)}, 1000)))
	}
	// Each message needs three frames of 512 bytes: the window of 3 lets one out, then the rest of two more.
	flow := func(next, window, credit uint32, drain bool) {
		w.send(0, &amqpwire.Flow{NextIncomingID: &next, IncomingWindow: window, Handle: new(uint32(1)), DeliveryCount: new(uint32(0)), LinkCredit: &credit, Drain: drain})
	}
	flow(0, 3, 5, false)
	read := func(frames int) (got int) {
		for range frames {
			p, payload := w.next()
			require.IsType(t, &amqpwire.Transfer{}, p)
			got += len(payload)
		}
		return got
	}
	require.Equal(t, 1000, read(3))
	flow(3, 100, 5, true)
	require.Equal(t, 2000, read(6))
	drained := expect[*amqpwire.Flow](w)
	require.True(t, drained.Drain)
	require.Zero(t, *drained.LinkCredit)
	require.EqualValues(t, 5, *drained.DeliveryCount, "unused credit counts as used")

	w.send(0, &amqpwire.Disposition{Role: amqpwire.RoleReceiver, First: 0, Last: new(uint32(1)), State: &amqpwire.Rejected{Error: amqpwire.Errorf("a:b", "c")}})
	for range 2 {
		d := expect[*amqpwire.Disposition](w)
		require.True(t, d.Settled)
		require.Equal(t, &amqpwire.Rejected{}, d.State, "the outcome is repeated, the error is not")
	}
	require.Len(t, b.settled, 2)
}

func TestTooLargeIsRejected(t *testing.T) {
	t.Parallel()
	b := &memBackend{}
	w := serve(t, b)().open(100)
	w.attachSender(0)
	state := w.post(0, 0, make([]byte, 300_000))
	require.IsType(t, &amqpwire.Rejected{}, state)
	require.Equal(t, amqpwire.CondMessageSizeExceeded, state.(*amqpwire.Rejected).Error.Condition)
	require.IsType(t, &amqpwire.Accepted{}, w.post(0, 1, make([]byte, 150_000)), "the link goes on")
	require.Len(t, b.stored, 1)
}

func TestRefusedAttach(t *testing.T) {
	t.Parallel()
	w := serve(t, &memBackend{})().open(100)
	w.send(0, &amqpwire.Attach{Name: "s", Source: &amqpwire.Source{}, Target: &amqpwire.Target{Address: "x"}})
	require.Nil(t, expect[*amqpwire.Attach](w).Target)
	require.Equal(t, amqpwire.CondNotFound, expect[*amqpwire.Detach](w).Error.Condition)
	w.send(0, &amqpwire.Detach{Closed: true})
	w.send(0, &amqpwire.Attach{Name: "r", Role: amqpwire.RoleReceiver, Source: &amqpwire.Source{Address: "x"}, Target: &amqpwire.Target{}})
	require.Nil(t, expect[*amqpwire.Attach](w).Source)
	require.Equal(t, amqpwire.CondNotFound, expect[*amqpwire.Detach](w).Error.Condition)
}

// Whatever a client does wrong, it is told so, and others go on.
func TestFaults(t *testing.T) {
	t.Parallel()
	dial := serve(t, &memBackend{})
	other := dial().open(100)
	closes := map[string]struct {
		condition amqpwire.Symbol
		do        func(*wire)
	}{
		"frame too large": {amqpwire.CondFramingError, func(w *wire) { w.write([]byte{0x7f, 0, 0, 0, 2, 0, 0, 0}) }},
		"frame too small": {amqpwire.CondFramingError, func(w *wire) { w.write([]byte{0, 0, 0, 7, 2, 0, 0, 0}) }},
		"data offset":     {amqpwire.CondFramingError, func(w *wire) { w.write([]byte{0, 0, 0, 8, 9, 0, 0, 0}) }},
		"frame type":      {amqpwire.CondFramingError, func(w *wire) { w.write([]byte{0, 0, 0, 8, 2, 7, 0, 0}) }},
		"garbage":         {amqpwire.CondDecodeError, func(w *wire) { w.write([]byte{0, 0, 0, 12, 2, 0, 0, 0, 1, 2, 3, 4}) }},
		"half a field":    {amqpwire.CondDecodeError, func(w *wire) { w.write([]byte{0, 0, 0, 14, 2, 0, 0, 0, 0, 0x53, 0x14, 0xc0, 1, 9}) }},
		"no session":      {amqpwire.CondNotAllowed, func(w *wire) { w.send(7, &amqpwire.Flow{}) }},
		"channel":         {amqpwire.CondFramingError, func(w *wire) { w.send(maxChannel+1, &amqpwire.Begin{}) }},
		"second open":     {amqpwire.CondIllegalState, func(w *wire) { w.send(0, &amqpwire.Open{}) }},
		"second begin":    {amqpwire.CondNotAllowed, func(w *wire) { w.send(0, &amqpwire.Begin{}) }},
	}
	for name, c := range closes {
		w := dial().open(100)
		c.do(w)
		require.Equal(t, c.condition, expect[*amqpwire.Close](w).Error.Condition, name)
		w.send(0, &amqpwire.Close{})
		_, err := w.frames.Next()
		require.ErrorIs(t, err, io.EOF, name)
	}
	ends := map[string]struct {
		condition amqpwire.Symbol
		do        func(*wire)
	}{
		"flow":     {amqpwire.CondUnattachedHandle, func(w *wire) { w.send(0, &amqpwire.Flow{Handle: new(uint32(9))}) }},
		"transfer": {amqpwire.CondUnattachedHandle, func(w *wire) { w.send(0, &amqpwire.Transfer{Handle: 9, DeliveryID: new(uint32(0))}) }},
		"detach":   {amqpwire.CondUnattachedHandle, func(w *wire) { w.send(0, &amqpwire.Detach{Handle: 9}) }},
		"handle":   {amqpwire.CondNotAllowed, func(w *wire) { w.send(0, &amqpwire.Attach{Handle: maxHandle + 1}) }},
	}
	for name, c := range ends {
		w := dial().open(100)
		c.do(w)
		require.Equal(t, c.condition, expect[*amqpwire.End](w).Error.Condition, name)
		w.send(0, &amqpwire.End{})
		w.send(0, &amqpwire.Begin{IncomingWindow: 1})
		expect[*amqpwire.Begin](w) // the connection lives
	}
	other.attachSender(0)
	require.IsType(t, &amqpwire.Accepted{}, other.post(0, 0, []byte("x")))
}

func TestWrongProtocolIsToldTheRightOne(t *testing.T) {
	t.Parallel()
	w := serve(t, &memBackend{})()
	w.write([]byte("GET / HTTP/1.1\r\n\r\n"))
	got, err := io.ReadAll(w.conn)
	if err == nil { // else the reset came first, because not all of the request had been read
		require.Equal(t, headerSASL, string(got))
	}
}

// A client that opens many unfinished messages is cut off before they fill the memory.
func TestUnfinishedMessagesAreBounded(t *testing.T) {
	t.Parallel()
	w := serve(t, &memBackend{})().open(100)
	for handle := range uint32(maxPartial/180_000 + 1) {
		stream := amqpwire.AppendFrame(nil, amqpwire.FrameAMQP, 0, &amqpwire.Attach{Handle: handle, Target: &amqpwire.Target{Address: "node"}})
		whole := amqpwire.Transfer{Handle: handle, DeliveryID: &handle, DeliveryTag: []byte{1}}
		frames, n := amqpwire.AppendTransfers(nil, 0, whole, make([]byte, 190_000), 60_000)
		require.Equal(t, 4, n)
		w.write(append(stream, frames[:3*60_000]...))
	}
	for {
		p, _ := w.next()
		if c, ok := p.(*amqpwire.Close); ok {
			require.Equal(t, amqpwire.CondResourceLimit, c.Error.Condition)
			return
		}
	}
}

func TestCloseLeavesNothing(t *testing.T) {
	before := runtime.NumGoroutine()
	s := New(&memBackend{}, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	silent, err := net.Dial("tcp", l.Addr().String()) // never says a word
	require.NoError(t, err)
	c, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	w := (&wire{t, c, amqpwire.NewFrameReader(c, 1<<20)}).open(10)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	require.Equal(t, amqpwire.CondConnectionForced, expect[*amqpwire.Close](w).Error.Condition)
	c.Close()
	require.NoError(t, <-closed)
	require.NoError(t, <-served)
	silent.Close()
	// One more is Eventually's own.
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, time.Minute, time.Millisecond)
}
