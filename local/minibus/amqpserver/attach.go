package amqpserver

import (
	"errors"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// onAttach asks the backend for a link (2.7.3).
func (s *session) onAttach(p *amqpwire.Attach) {
	switch {
	case p.Handle > maxHandle:
		s.fail(amqpwire.Errorf(amqpwire.CondNotAllowed, "handle %d is above the agreed %d", p.Handle, maxHandle))
		return
	case s.links[p.Handle] != nil:
		s.fail(amqpwire.Errorf(amqpwire.CondHandleInUse, "handle %d", p.Handle))
		return
	}
	l := &link{session: s, handle: p.Handle, attach: p}
	s.links[p.Handle] = l
	if p.Role == amqpwire.RoleSender {
		s.attachTarget(l)
		return
	}
	if p.Source == nil {
		l.refuse(amqpwire.Errorf(amqpwire.CondInvalidField, "a receiver needs a source"))
		return
	}
	l.address = p.Source.Address
	l.settled = p.SndSettleMode != nil && *p.SndSettleMode == amqpwire.SndSettled
	l.ask()
}

func (s *session) attachTarget(l *link) {
	switch {
	case l.attach.Target != nil:
		l.address = l.attach.Target.Address
	case l.attach.Coordinator == nil:
		l.refuse(amqpwire.Errorf(amqpwire.CondInvalidField, "a sender needs a target"))
		return
	}
	target, err := s.conn.peer.AttachTarget(l.attach, l)
	if err != nil {
		s.conn.conclude(err, func(err error) { l.refuse(asError(err)) })
		return
	}
	l.target = target
	reply := l.reply()
	reply.MaxMessageSize = target.MaxMessageSize()
	if d, ok := target.(Describer); ok {
		d.Describe(reply)
	}
	s.conn.send(s.channel, reply)
	if l.attach.InitialDeliveryCount != nil {
		l.count = *l.attach.InitialDeliveryCount
	}
	l.topUp()
}

// attached is the backend's answer to AttachSource.
func (l *link) attached(source Source, err error) {
	if l.gone || l.detached {
		if source != nil {
			source.Detach()
		}
		return
	}
	l.cancel = nil
	if err != nil {
		l.session.conn.conclude(err, func(err error) { l.refuse(asError(err)) })
		return
	}
	l.source = source
	l.replies, _ = source.(*Replies)
	reply := l.reply()
	reply.InitialDeliveryCount = new(uint32(0))
	source.Describe(reply)
	l.session.conn.send(l.session.channel, reply)
	l.queue()
}

// reply echoes what the client asked for: it detaches when a settle mode comes back changed.
func (l *link) reply() *amqpwire.Attach {
	a := l.attach
	return &amqpwire.Attach{
		Name: a.Name, Handle: l.handle, Role: !a.Role, SndSettleMode: a.SndSettleMode, RcvSettleMode: a.RcvSettleMode,
		Source: a.Source, Target: a.Target, Coordinator: a.Coordinator,
	}
}

// refuse answers with a null terminus and a detach right behind it (2.6.3): clients close the connection if anything
// stands between the two.
func (l *link) refuse(fault *amqpwire.Error) {
	reply := l.reply()
	if l.attach.Role == amqpwire.RoleReceiver {
		reply.Source, reply.InitialDeliveryCount = nil, new(uint32(0))
	} else {
		reply.Target, reply.Coordinator = nil, nil
	}
	l.session.conn.send(l.session.channel, reply)
	l.fail(fault)
}

// topUp opens the credit of a client that sends.
func (l *link) topUp() {
	l.granted = grant
	f := l.session.flow()
	f.Handle, f.DeliveryCount, f.LinkCredit = new(l.handle), new(l.count), new(l.granted)
	l.session.conn.send(l.session.channel, f)
}

// asError is err as the client sees it.
func asError(err error) *amqpwire.Error {
	var fault *amqpwire.Error
	if errors.As(err, &fault) {
		return fault
	}
	return amqpwire.Errorf(amqpwire.CondInternalError, "%v", err)
}
