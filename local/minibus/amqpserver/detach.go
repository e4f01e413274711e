package amqpserver

import "github.com/relaybox/relaybox/local/minibus/amqpwire"

// onDetach frees a handle (2.7.7).
func (s *session) onDetach(p *amqpwire.Detach) {
	l := s.links[p.Handle]
	if l == nil {
		s.fail(amqpwire.Errorf(amqpwire.CondUnattachedHandle, "detach of handle %d", p.Handle))
		return
	}
	answered := l.detached
	l.release()
	delete(s.links, p.Handle)
	if !answered {
		s.conn.send(s.channel, &amqpwire.Detach{Handle: p.Handle, Closed: true})
	}
}
