package amqpserver

import (
	"encoding/binary"
	"strings"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// session is one AMQP session (2.5). conn.mu guards all of it.
type session struct {
	conn    *conn
	channel uint16
	links   map[uint32]*link // by the client's handle, which is ours too

	in  inWindow
	out outWindow

	unsettled map[uint32]*delivery // sent, by delivery-id
	nextID    uint32               // delivery-id of the next delivery

	held     []byte // encoded frames that the window does not let out yet
	heldLink *link  // whose they are

	ended bool // we have sent end; the client's is awaited
}

// delivery is one that the client has not settled.
type delivery struct {
	link *link
	tag  []byte
	txn  string // the transaction that has its verdict, until that is committed; "": none
}

// inWindow counts transfer frames that come in (2.5.6).
type inWindow struct {
	next uint32 // next-incoming-id
	left uint32 // frames that the client may still send
}

const incomingWindow = 5000

// frame counts one and says whether the client was allowed to send it and whether the window should be opened again.
func (w *inWindow) frame() (allowed, refresh bool) {
	if w.left == 0 {
		return false, false
	}
	w.next++
	w.left--
	return true, w.left <= incomingWindow/2
}

// outWindow counts transfer frames that go out.
type outWindow struct {
	next uint32 // next-outgoing-id
	left uint32 // frames that the client takes
}

// sent counts frames.
func (w *outWindow) sent(n int) {
	w.next += uint32(n)
	w.left -= uint32(n)
}

// update applies a flow's view: what the client had not seen when it sent its flow counts against the window.
func (w *outWindow) update(f *amqpwire.Flow) {
	seen := uint32(0) // 2.7.4: absent only before our begin has been seen, whose next-outgoing-id is 0
	if f.NextIncomingID != nil {
		seen = *f.NextIncomingID
	}
	left := int64(f.IncomingWindow) - int64(int32(w.next-seen))
	w.left = uint32(max(left, 0))
}

// flow is a flow frame with the session's fields; the client wants next-incoming-id in every one.
func (s *session) flow() *amqpwire.Flow {
	return &amqpwire.Flow{
		NextIncomingID: new(s.in.next), IncomingWindow: s.in.left,
		NextOutgoingID: s.out.next, OutgoingWindow: incomingWindow,
	}
}

func (s *session) openWindow() { s.in.left = incomingWindow }

// hold keeps frames of a link that the window does not let out.
func (s *session) hold(l *link, frames []byte) {
	s.held, s.heldLink = append(s.held, frames...), l
}

// letOut sends held frames while the window lasts.
func (s *session) letOut() {
	n := 0
	for s.out.left > 0 && n < len(s.held) {
		n += int(binary.BigEndian.Uint32(s.held[n:]))
		s.out.sent(1)
	}
	s.conn.out = append(s.conn.out, s.held[:n]...)
	if s.held = s.held[n:]; len(s.held) == 0 {
		s.held, s.heldLink = nil, nil
	}
}

// repliesTo finds the receiving link of a request-response node: on this session, or else on the connection.
func (s *session) repliesTo(address string) *link {
	find := func(s *session) *link {
		for _, l := range s.links {
			if l.replies != nil && !l.detached && strings.EqualFold(l.address, address) {
				return l
			}
		}
		return nil
	}
	if l := find(s); l != nil {
		return l
	}
	for _, other := range s.conn.sessions {
		if l := find(other); l != nil {
			return l
		}
	}
	return nil
}

// fail ends the session with an error.
func (s *session) fail(fault *amqpwire.Error) {
	if s.ended {
		return
	}
	s.conn.log.Debug("amqp session ended by the broker", "channel", s.channel, "error", fault)
	s.release()
	s.ended = true
	s.conn.send(s.channel, &amqpwire.End{Error: fault})
}

// release detaches all links without a word on the wire.
func (s *session) release() {
	for _, l := range s.links {
		l.release()
	}
	clear(s.links)
	clear(s.unsettled)
	s.held, s.heldLink = nil, nil
}
