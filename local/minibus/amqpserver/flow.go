package amqpserver

import "github.com/relaybox/relaybox/local/minibus/amqpwire"

// onFlow updates the session's window and a link's credit (2.7.4).
func (s *session) onFlow(p *amqpwire.Flow) {
	s.out.update(p)
	s.letOut()
	for _, l := range s.links {
		l.queue() // the window may have been what held it back
	}
	if p.Handle == nil {
		if p.Echo {
			s.conn.send(s.channel, s.flow())
		}
		return
	}
	l := s.links[*p.Handle]
	switch {
	case l == nil:
		s.fail(amqpwire.Errorf(amqpwire.CondUnattachedHandle, "flow on handle %d", *p.Handle))
	case l.detached:
	case l.attach.Role == amqpwire.RoleReceiver:
		l.onCredit(p)
	case p.Echo:
		l.topUp()
	}
}

// onCredit applies the credit of a receiving client. It is relative to the delivery-count that the client had seen.
func (l *link) onCredit(p *amqpwire.Flow) {
	seen, credit := uint32(0), uint32(0)
	if p.DeliveryCount != nil {
		seen = *p.DeliveryCount
	}
	if p.LinkCredit != nil {
		credit = *p.LinkCredit
	}
	left := int64(credit) - int64(int32(l.sent-seen))
	l.credit = uint32(max(left, 0))
	l.drain = p.Drain
	if p.Echo && !p.Drain && l.source != nil {
		l.tell(false)
	}
}

// drained gives all remaining credit back (2.6.7): the client waits for this flow.
func (l *link) drained() {
	l.sent += l.credit
	l.credit, l.drain = 0, false
	l.tell(true)
}

// tell sends the state of a link whose client receives.
func (l *link) tell(drain bool) {
	f := l.session.flow()
	f.Handle, f.DeliveryCount, f.LinkCredit, f.Drain = new(l.handle), new(l.sent), new(l.credit), drain
	l.session.conn.send(l.session.channel, f)
}
