package amqpserver

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// What a connection may use. Together they bound its memory.
const (
	maxFrameSize    = 65536
	maxChannel      = 1023
	maxHandle       = 255
	maxOutput       = 1 << 20  // bytes waiting to be written: above it nothing is pulled from sources
	maxBacklog      = 4 << 20  // and above this one nothing is read either
	maxPartial      = 16 << 20 // bytes of messages that have not arrived completely; more, where four of the largest are
	maxReplies      = 4096     // replies waiting for credit, per link
	maxUnsent       = 64 << 20 // and their bytes, of all links
	takeAtOnce      = 64       // deliveries pulled at a time
	maxTakes        = 4        // pulls of one link in a row, so that links share a connection fairly
	heartbeatEvery  = 15 * time.Second
	idleTimeOut     = 120 * time.Second // told to the peer, which sends something at half of it
	handshakeWithin = 30 * time.Second
	lingerFor       = time.Second // between our close and the cut
	writeWithin     = 30 * time.Second
)

// conn is one connection. See the package comment for its two goroutines.
type conn struct {
	srv *Server
	net net.Conn
	log *slog.Logger

	mu       sync.Mutex // guards the fields below
	room     *sync.Cond // out has been taken by the writer, or the connection is over
	out      []byte
	peer     Peer // nil before open
	maxFrame int  // of what we send
	beat     time.Duration
	sessions map[uint16]*session // by channel; both directions use the client's number
	ready    []*link             // may have something to send
	partial  int                 // bytes in unfinished messages
	unsent   int                 // bytes in replies that wait for credit
	position uint64              // of the backend, that out must not be ahead of
	closing  bool                // a close frame has been queued: write it, then end
	cutting  bool                // end without writing anything more
	lapse    *time.Timer         // ends links; nil: nothing lapses
	lapseAt  time.Time           // when it does
	over     bool                // torn down, or the writer is gone: nothing will be written any more

	postMu sync.Mutex // guards posts; taken last
	posts  []func()

	greeted atomic.Bool // the handshake is over: the writer runs

	wake chan struct{} // there is something for the writer to do
	done chan struct{} // the reader has ended
}

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{
		srv: s, net: nc, log: s.log.With("remote", nc.RemoteAddr().String()),
		maxFrame: amqpwire.MinMaxFrameSize, beat: heartbeatEvery,
		sessions: map[uint16]*session{}, wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	c.room = sync.NewCond(&c.mu)
	return c
}

// serve runs the connection to its end.
func (c *conn) serve() {
	defer c.net.Close()
	frames, err := c.handshake()
	if err != nil {
		c.log.Debug("amqp handshake", "error", err)
		return
	}
	c.greeted.Store(true)
	var writer sync.WaitGroup
	writer.Go(c.write)
	err = c.read(frames)
	c.tearDown()
	close(c.done)
	c.net.Close() // the writer may be stuck in it
	writer.Wait()
	c.log.Debug("amqp connection ended", "error", err)
}

// read applies frames until the peer goes away or breaks the protocol.
func (c *conn) read(frames *amqpwire.FrameReader) error {
	for {
		f, err := frames.Next()
		if err == nil {
			err = c.apply(f)
		}
		if err == nil {
			continue
		}
		if fault := protocolFault(err); fault != nil {
			c.mu.Lock()
			c.fail(fault)
			c.mu.Unlock()
			c.kick()
			c.linger()
		}
		return err
	}
}

// protocolFault is what to tell the peer, or nil if there is nobody to tell.
func protocolFault(err error) *amqpwire.Error {
	var fault *amqpwire.Error
	switch {
	case errors.As(err, &fault):
		return fault
	case errors.Is(err, errClosed):
		return nil
	case errors.Is(err, amqpwire.ErrFrame):
		return amqpwire.Errorf(amqpwire.CondFramingError, "%v", err)
	case errors.Is(err, amqpwire.ErrMalformed), errors.Is(err, amqpwire.ErrTruncated), errors.Is(err, amqpwire.ErrTooDeep):
		return amqpwire.Errorf(amqpwire.CondDecodeError, "%v", err)
	}
	return nil
}

// linger gives the peer time to read our close: cutting at once would reset the connection and lose it.
func (c *conn) linger() {
	if c.net.SetReadDeadline(time.Now().Add(lingerFor)) == nil {
		_, _ = io.Copy(io.Discard, c.net) // until the peer goes or the deadline: both are fine
	}
}

// fail queues a close frame. The caller holds mu.
func (c *conn) fail(fault *amqpwire.Error) {
	if c.closing || c.over {
		return
	}
	c.log.Debug("amqp connection closed by the broker", "error", fault)
	c.send(0, &amqpwire.Close{Error: fault})
	c.closing = true
}

// tearDown detaches everything.
func (c *conn) tearDown() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.stopLapse()
	for _, s := range c.sessions {
		s.release()
	}
	clear(c.sessions)
	c.ready = nil
	if c.peer != nil {
		c.peer.Close()
	}
	c.room.Broadcast()
}

// send queues a frame. The caller holds mu.
func (c *conn) send(channel uint16, p amqpwire.Performative) {
	if !c.closing {
		c.out = amqpwire.AppendFrame(c.out, amqpwire.FrameAMQP, channel, p)
	}
}

// rely holds what is sent from now on back until the backend's changes up to now are durable. Whoever tells something
// that the backend has done calls it: the rest need not wait for other connections' changes.
func (c *conn) rely() { c.position = c.srv.backend.Position() }

// kick wakes the writer. It never blocks.
func (c *conn) kick() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// post has the writer run f under mu. It may be called under any lock but postMu.
func (c *conn) post(f func()) {
	c.postMu.Lock()
	c.posts = append(c.posts, f)
	c.postMu.Unlock()
	c.kick()
}

// write is the writer goroutine: everything after the handshake is written here.
func (c *conn) write() {
	heartbeat := time.NewTimer(heartbeatEvery)
	defer heartbeat.Stop()
	defer c.stopReader()
	w := work{beat: heartbeatEvery}
	for {
		select {
		case <-c.done:
			return
		case <-c.wake:
		case <-heartbeat.C:
			if c.put(amqpwire.AppendHeartbeat(nil)) != nil {
				return
			}
			heartbeat.Reset(w.beat)
			continue
		}
		w = c.step(w.out[:0])
		if err := c.durable(w, heartbeat); err != nil {
			c.log.Error("broker cannot make state durable", "error", err)
			return
		}
		if w.cut {
			return
		}
		if len(w.out) > 0 {
			if c.put(w.out) != nil {
				return
			}
			heartbeat.Reset(w.beat)
		}
		if w.end {
			c.awaitPeer()
			return
		}
		if w.more {
			c.kick()
		}
	}
}

// durable waits until what w tells has happened for good. On a full disk that takes long: heartbeats, which tell nothing, go on.
func (c *conn) durable(w work, heartbeat *time.Timer) error {
	durable := make(chan error, 1)
	go func() { durable <- c.srv.backend.Durable(w.position) }()
	for {
		select {
		case err := <-durable:
			return err
		case <-heartbeat.C:
			_ = c.put(amqpwire.AppendHeartbeat(nil)) // a connection that is gone ends with the next write
			heartbeat.Reset(w.beat)
		}
	}
}

// put writes to the client.
func (c *conn) put(b []byte) error {
	if err := c.net.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return err
	}
	_, err := c.net.Write(b)
	return err
}

// stopReader ends the other goroutine, wherever it waits.
func (c *conn) stopReader() {
	c.net.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = true
	c.room.Broadcast()
}

// awaitPeer lets the peer see our close before the connection is cut.
func (c *conn) awaitPeer() {
	if half, ok := c.net.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // the connection is cut next, whatever this says
	}
	t := time.NewTimer(lingerFor)
	defer t.Stop()
	select {
	case <-c.done:
	case <-t.C:
	}
}

// work is what one step has left for the writer.
type work struct {
	out      []byte
	position uint64        // see conn.position
	beat     time.Duration // when to say something again
	end      bool          // out ends with a close frame
	cut      bool          // see conn.cutting
	more     bool          // there is more to send
}

// step does what has been posted, pulls from sources what may be sent, and takes the output.
func (c *conn) step(spare []byte) work {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.postMu.Lock()
	posts := c.posts
	c.posts = nil
	c.postMu.Unlock()
	for _, f := range posts {
		f()
	}
	w := work{more: c.pump(), position: c.position, beat: c.beat, end: c.closing, cut: c.cutting}
	w.out, c.out = c.out, spare
	c.room.Broadcast()
	return w
}

// awaitRoom holds the reader back while too much output is unwritten. The caller holds mu.
func (c *conn) awaitRoom() {
	for len(c.out) > maxBacklog && !c.over && !c.closing {
		c.kick()
		c.room.Wait()
	}
}

// input is what frames are read from. Before it blocks for more bytes, the writer gets to answer what has been read:
// so a burst of frames costs one sync and one write.
type input struct{ c *conn }

func (in input) Read(p []byte) (int, error) {
	in.c.kick()
	if err := in.c.net.SetReadDeadline(time.Now().Add(2 * idleTimeOut)); err != nil {
		return 0, err
	}
	return in.c.net.Read(p)
}
