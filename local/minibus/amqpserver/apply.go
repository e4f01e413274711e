package amqpserver

import "github.com/relaybox/relaybox/local/minibus/amqpwire"

// apply acts on one frame. An error ends the connection; faults of a session or a link are dealt with inside.
func (c *conn) apply(f amqpwire.Frame) error {
	if len(f.Body) == 0 {
		return nil // heartbeat
	}
	if f.Type != amqpwire.FrameAMQP {
		return amqpwire.Errorf(amqpwire.CondFramingError, "SASL frame after the negotiation")
	}
	p, payload, err := amqpwire.DecodePerformative(f.Body)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		if _, ok := p.(*amqpwire.Close); ok {
			return errClosed
		}
		return nil
	}
	c.awaitRoom()
	switch p := p.(type) {
	case *amqpwire.Open:
		return c.onOpen(p)
	case *amqpwire.Close:
		return c.onClose()
	}
	if c.peer == nil {
		return amqpwire.Errorf(amqpwire.CondIllegalState, "%T before open", p)
	}
	if p, ok := p.(*amqpwire.Begin); ok {
		return c.onBegin(f.Channel, p)
	}
	s := c.sessions[f.Channel]
	if s == nil {
		return amqpwire.Errorf(amqpwire.CondNotAllowed, "%T on channel %d, which has no session", p, f.Channel)
	}
	if p, ok := p.(*amqpwire.End); ok {
		s.onEnd(p)
		return nil
	}
	if s.ended {
		return nil
	}
	return s.apply(p, payload)
}

func (s *session) apply(p amqpwire.Performative, payload []byte) error {
	switch p := p.(type) {
	case *amqpwire.Attach:
		s.onAttach(p)
	case *amqpwire.Flow:
		s.onFlow(p)
	case *amqpwire.Transfer:
		return s.onTransfer(p, payload)
	case *amqpwire.Disposition:
		s.onDisposition(p)
	case *amqpwire.Detach:
		s.onDetach(p)
	default:
		return amqpwire.Errorf(amqpwire.CondNotAllowed, "%T is not for a server", p)
	}
	return nil
}
