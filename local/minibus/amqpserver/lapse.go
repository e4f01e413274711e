package amqpserver

import "time"

// watchLapse sees to it that links end when what allows them does. The caller holds mu.
func (c *conn) watchLapse() {
	p, ok := c.peer.(Lapsing)
	if !ok || c.over {
		return
	}
	at := p.NextLapse()
	if at.Equal(c.lapseAt) {
		return
	}
	c.stopLapse()
	if c.lapseAt = at; !at.IsZero() {
		c.lapse = time.AfterFunc(time.Until(at)+time.Millisecond, func() { c.post(c.endLapsed) })
	}
}

func (c *conn) stopLapse() {
	if c.lapse != nil {
		c.lapse.Stop()
	}
	c.lapse, c.lapseAt = nil, time.Time{}
}

// endLapsed detaches the links that may not stay, and refuses those that still wait to be attached.
func (c *conn) endLapsed() {
	p, ok := c.peer.(Lapsing)
	if !ok || c.over {
		return
	}
	for _, s := range c.sessions {
		for _, l := range s.links {
			waits := l.cancel != nil // for the backend's answer
			if l.target == nil && l.source == nil && !waits {
				continue // it is refused, and will hear of it
			}
			switch fault := p.Lapsed(l.attach); {
			case fault == nil:
			case waits:
				l.refuse(fault)
			default:
				l.fail(fault)
			}
		}
	}
	c.stopLapse()
	c.watchLapse()
}
