package minibus

import "github.com/relaybox/relaybox/local/minibus/amqpwire"

// fault is what goes wrong with the message that is about to be handed out, or nil.
func (c *consumer) fault() *armed {
	if c.late {
		c.late = false
		return nil
	}
	return c.in.b.fault(OnReceive, c.in)
}

// interrupt does not hand a message out: it goes back to its place.
func (c *consumer) interrupt(f *armed, m *message) {
	if m.session != nil {
		m.session.ready.add(m)
	} else {
		c.in.ready.add(m)
	}
	switch f.Do {
	case DropBefore:
		c.link.Cut()
	case Delay, Stall:
		f.hold(func() {
			c.in.b.mu.Lock()
			defer c.in.b.mu.Unlock()
			c.late = f.Do == Delay
			c.link.Wake()
		})
	default:
		c.link.Fail(f.refusal())
	}
}

// spoil is what happens to a message that has just been handed out; f may be nil.
func (c *consumer) spoil(f *armed, m *message) {
	switch {
	case f == nil:
	case f.Do == DropAfter:
		c.link.Cut()
	case !c.deletes:
		c.in.fail(m, nil)
	}
}

// spoils says whether a settlement finds its lock lost, or a completion is not the end of the message.
func (f *armed) spoils(state amqpwire.State) bool {
	if f == nil {
		return false
	}
	_, completes := state.(*amqpwire.Accepted)
	return f.Do == LoseLock || f.Do == Duplicate && completes
}
