package amqpserver

import (
	"bytes"
	"errors"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// onTransfer collects the frames of a message (2.7.5, 2.6.14) and hands it to the target. An error ends the connection.
func (s *session) onTransfer(p *amqpwire.Transfer, payload []byte) error {
	allowed, refresh := s.in.frame()
	if !allowed {
		s.fail(amqpwire.Errorf(amqpwire.CondWindowViolation, "transfer beyond the incoming window"))
		return nil
	}
	if refresh {
		s.openWindow()
		s.conn.send(s.channel, s.flow())
	}
	l := s.links[p.Handle]
	switch {
	case l == nil:
		s.fail(amqpwire.Errorf(amqpwire.CondUnattachedHandle, "transfer on handle %d", p.Handle))
		return nil
	case l.detached:
		s.conn.spoil(p.State, p.Settled != nil && *p.Settled, errGone)
		return nil
	case l.target == nil:
		s.fail(amqpwire.Errorf(amqpwire.CondNotAllowed, "transfer on handle %d, which receives", p.Handle))
		return nil
	}
	if l.partial == nil && !l.begin(p) {
		return nil
	}
	m := l.partial
	m.settled = m.settled || p.Settled != nil && *p.Settled
	if p.Aborted {
		l.finish()
		return nil
	}
	if err := l.collect(payload); err != nil {
		return err
	}
	if !p.More {
		l.finish()
		l.deliver(m)
	}
	return nil
}

// begin starts a message. Only its first frame must carry id, tag and format.
func (l *link) begin(p *amqpwire.Transfer) bool {
	if p.DeliveryID == nil {
		l.fail(amqpwire.Errorf(amqpwire.CondInvalidField, "the first transfer of a delivery has no delivery-id"))
		return false
	}
	if l.granted == 0 {
		l.fail(amqpwire.Errorf(amqpwire.CondTransferLimit, "transfer without credit"))
		return false
	}
	l.partial = &partial{id: *p.DeliveryID}
	l.partial.txn, _ = p.State.(*amqpwire.Transactional)
	if p.MessageFormat != nil {
		l.partial.format = *p.MessageFormat
	}
	return true
}

// collect keeps a frame's payload. A message above the limit is read to its end and rejected then: the client is still
// writing it.
func (l *link) collect(payload []byte) error {
	m, c := l.partial, l.session.conn
	limit := l.target.MaxMessageSize()
	if limit > 0 && uint64(len(m.payload)+len(payload)) > limit {
		m.tooBig = true
		c.partial -= len(m.payload)
		m.payload = nil
	}
	if m.tooBig {
		return nil
	}
	if c.partial += len(payload); c.partial > max(maxPartial, 4*int(limit)) {
		return amqpwire.Errorf(amqpwire.CondResourceLimit, "%d bytes of unfinished messages are too many", c.partial)
	}
	if m.payload == nil {
		m.payload = bytes.Clone(payload)
	} else {
		m.payload = append(m.payload, payload...)
	}
	return nil
}

// finish ends collecting, whatever becomes of the message.
func (l *link) finish() {
	l.session.conn.partial -= len(l.partial.payload)
	l.partial = nil
	l.count++
	l.granted--
}

// deliver hands a complete message over and tells the client what became of it.
func (l *link) deliver(m *partial) {
	outcome, err := l.hand(m)
	if m.txn != nil {
		l.session.conn.spoil(m.txn, m.settled, err)
	}
	l.session.conn.rely()
	l.session.conn.conclude(err, func(err error) { l.answer(m, outcome, err) })
	if l.granted <= grant/2 && !l.detached {
		l.topUp()
	}
}

// hand gives a message to the target and says what has become of it.
func (l *link) hand(m *partial) (amqpwire.State, error) {
	switch node := l.target.(type) {
	case Coordinator:
		if !m.tooBig {
			return l.session.conn.coordinate(node, m.payload)
		}
	case Responder:
		if !m.tooBig && m.txn == nil {
			return &amqpwire.Accepted{}, l.respond(func() ([]byte, error) { return node.Respond(m.payload) })
		}
		if enlisted, enlists := node.(EnlistedResponder); enlists && !m.tooBig {
			if err := enlisted.Enlists(m.payload); err != nil {
				return nil, err
			}
			return &amqpwire.Transactional{TxnID: m.txn.TxnID, Outcome: &amqpwire.Accepted{}},
				l.respond(func() ([]byte, error) { return enlisted.RespondIn(m.txn.TxnID, m.payload) })
		}
	}
	switch target, enlists := l.target.(EnlistedTarget); {
	case m.tooBig:
		return nil, amqpwire.Errorf(amqpwire.CondMessageSizeExceeded, "The message is larger than the allowed %d bytes.", l.target.MaxMessageSize())
	case m.txn == nil:
		return &amqpwire.Accepted{}, l.target.Receive(m.format, m.payload)
	case !enlists:
		return nil, amqpwire.Errorf(amqpwire.CondNotImplemented, "%q takes no part in transactions", l.address)
	default:
		return &amqpwire.Transactional{TxnID: m.txn.TxnID, Outcome: &amqpwire.Accepted{}}, target.ReceiveIn(m.txn.TxnID, m.format, m.payload)
	}
}

// answer tells the client what has become of its message.
func (l *link) answer(m *partial, outcome amqpwire.State, err error) {
	if m.settled || l.session.ended || l.gone {
		return
	}
	d := &amqpwire.Disposition{Role: amqpwire.RoleReceiver, First: m.id, Settled: true, State: outcome}
	if err != nil {
		d.State = &amqpwire.Rejected{Error: asError(err)}
	}
	l.session.conn.send(l.session.channel, d)
}

// respond runs a request and queues its reply.
func (l *link) respond(do func() (reply []byte, err error)) error {
	to := l.session.repliesTo(l.address)
	if to == nil {
		return amqpwire.Errorf(amqpwire.CondNotAllowed, "there is no receiving link from %q for the reply", l.address)
	}
	if unsent := l.session.conn.unsent; len(to.replies.queue) >= maxReplies || unsent >= maxUnsent {
		return amqpwire.Errorf(amqpwire.CondResourceLimit, "%d replies wait for credit, and %d bytes on the connection", len(to.replies.queue), unsent)
	}
	reply, err := do()
	l.session.conn.watchLapse()
	var i *Interruption
	if err != nil && !errors.As(err, &i) {
		return err
	}
	l.session.conn.conclude(err, func(error) {
		if to.gone || to.detached {
			return
		}
		to.session.conn.unsent += len(reply)
		to.replies.queue = append(to.replies.queue, reply)
		to.queue()
	})
	return nil // the request has arrived
}
