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
	if p.MessageFormat != nil {
		l.partial.format = *p.MessageFormat
	}
	return true
}

// collect keeps a frame's payload. A message above the limit is read to its end and rejected then: the client is still
// writing it.
func (l *link) collect(payload []byte) error {
	m, c := l.partial, l.session.conn
	if limit := l.target.MaxMessageSize(); limit > 0 && uint64(len(m.payload)+len(payload)) > limit {
		m.tooBig = true
		c.partial -= len(m.payload)
		m.payload = nil
	}
	if m.tooBig {
		return nil
	}
	if c.partial += len(payload); c.partial > maxPartial {
		return amqpwire.Errorf(amqpwire.CondResourceLimit, "more than %d bytes of unfinished messages", maxPartial)
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
	var err error
	if m.tooBig {
		err = amqpwire.Errorf(amqpwire.CondMessageSizeExceeded, "The message is larger than the allowed %d bytes.", l.target.MaxMessageSize())
	} else if node, ok := l.target.(Responder); ok {
		err = l.respond(node, m.payload)
	} else {
		err = l.target.Receive(m.format, m.payload)
	}
	l.session.conn.rely()
	l.session.conn.conclude(err, func(err error) { l.answer(m, err) })
	if l.granted <= grant/2 && !l.detached {
		l.topUp()
	}
}

// answer tells the client what has become of its message.
func (l *link) answer(m *partial, err error) {
	if m.settled || l.session.ended || l.gone {
		return
	}
	d := &amqpwire.Disposition{Role: amqpwire.RoleReceiver, First: m.id, Settled: true, State: &amqpwire.Accepted{}}
	if err != nil {
		d.State = &amqpwire.Rejected{Error: asError(err)}
	}
	l.session.conn.send(l.session.channel, d)
}

// respond runs a request and queues its reply.
func (l *link) respond(node Responder, request []byte) error {
	to := l.session.repliesTo(l.address)
	if to == nil {
		return amqpwire.Errorf(amqpwire.CondNotAllowed, "there is no receiving link from %q for the reply", l.address)
	}
	if len(to.replies.queue) >= maxReplies {
		return amqpwire.Errorf(amqpwire.CondResourceLimit, "%d replies wait for credit", maxReplies)
	}
	reply, err := node.Respond(request)
	var i *Interruption
	if err != nil && !errors.As(err, &i) {
		return err
	}
	l.session.conn.conclude(err, func(error) {
		to.replies.queue = append(to.replies.queue, reply)
		to.queue()
	})
	return nil // the request has arrived
}
