package amqpserver

import "github.com/relaybox/relaybox/local/minibus/amqpwire"

// link is one end of a link (2.6). conn.mu guards all of it. Exactly one of target and source is set once it is attached.
type link struct {
	session *session
	handle  uint32
	address string
	attach  *amqpwire.Attach // the client's

	// The client sends.
	target  Target
	granted uint32 // credit that it has left
	count   uint32 // its delivery-count
	partial *partial

	// The client receives.
	source  Source
	replies *Replies // source, if this is a request-response node
	cancel  func()   // while the backend has not answered
	asking  bool     // AttachSource is running; this and told are guarded by conn.postMu
	told    func()   // what it has said already
	settled bool     // send settled
	credit  uint32
	sent    uint32 // our delivery-count
	drain   bool
	queued  bool // in conn.ready

	detached bool // we have sent detach; the client's is awaited
	gone     bool // released: callbacks that are still under way find nothing
}

// partial is a message of several frames.
type partial struct {
	id      uint32
	format  uint32
	settled bool
	tooBig  bool
	txn     *amqpwire.Transactional // nil: it is part of none
	payload []byte
}

// grant is the credit of a client that sends: topped up at half.
const grant = 1000

// Attached implements Link. While AttachSource is running, the answer waits for it to return.
func (l *link) Attached(source Source, err error) {
	c := l.session.conn
	c.postMu.Lock()
	asked := l.asking
	if asked {
		l.told = func() { l.attached(source, err) }
	}
	c.postMu.Unlock()
	if !asked {
		c.post(func() { l.attached(source, err) })
	}
}

// ask has the backend attach a source. An answer that comes at once is acted on at once: the client's next frames may
// build on it.
func (l *link) ask() {
	c := l.session.conn
	l.asking = true // nobody else knows the link yet
	cancel := c.peer.AttachSource(l.attach, l)
	c.postMu.Lock()
	told := l.told
	l.asking, l.told = false, nil
	c.postMu.Unlock()
	if l.cancel = cancel; told != nil {
		told()
	}
}

// Wake implements Link.
func (l *link) Wake() { l.session.conn.post(l.queue) }

// Fail implements Link.
func (l *link) Fail(fault *amqpwire.Error) {
	l.session.conn.post(func() { l.fail(fault) })
}

// queue has the writer look at this link.
func (l *link) queue() {
	if !l.queued && !l.gone && !l.detached {
		l.queued = true
		l.session.conn.ready = append(l.session.conn.ready, l)
	}
}

// fail detaches the link with an error and waits for the client's detach, which frees the handle.
func (l *link) fail(fault *amqpwire.Error) {
	if l.gone || l.detached {
		return
	}
	l.release()
	l.gone, l.detached = false, true
	l.session.conn.send(l.session.channel, &amqpwire.Detach{Handle: l.handle, Closed: true, Error: fault})
}

// release takes the link from its backend.
func (l *link) release() {
	if l.gone {
		return
	}
	l.gone = true
	s := l.session
	if l.partial != nil {
		s.conn.partial -= len(l.partial.payload)
		l.partial = nil
	}
	if s.heldLink == l {
		s.held, s.heldLink = nil, nil // nothing of a link may follow its detach (2.6.5)
	}
	for id, d := range s.unsettled {
		if d.link == l {
			delete(s.unsettled, id)
		}
	}
	if l.cancel != nil {
		l.cancel()
		l.cancel = nil
	}
	if l.replies != nil {
		for _, reply := range l.replies.queue {
			s.conn.unsent -= len(reply)
		}
		l.replies.queue = nil
	}
	if l.detached {
		return // the backend has been told when we detached
	}
	if l.target != nil {
		l.target.Detach()
	}
	if l.source != nil {
		l.source.Detach()
	}
}
