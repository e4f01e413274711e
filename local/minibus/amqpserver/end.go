package amqpserver

import "github.com/relaybox/relaybox/local/minibus/amqpwire"

// onEnd frees the channel (2.7.8). Clients end sessions without detaching: their links go with it.
func (s *session) onEnd(*amqpwire.End) {
	s.release()
	delete(s.conn.sessions, s.channel)
	if !s.ended {
		s.conn.send(s.channel, &amqpwire.End{})
	}
}
