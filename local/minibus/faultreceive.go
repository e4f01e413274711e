package minibus

import (
	"github.com/relaybox/relaybox/local/minibus/internal/fault"
)

// fault is what goes wrong with the message that is about to be handed out, or nil.
func (c *consumer) fault() *fault.Armed {
	if c.late {
		c.late = false
		return nil
	}
	return c.in.b.fault(fault.OnReceive, c.in)
}

// interrupt does not hand a message out: it goes back to its place.
func (c *consumer) interrupt(f *fault.Armed, m *message) {
	if m.session != nil {
		m.session.ready.add(m)
	} else {
		c.in.ready.add(m)
	}
	switch f.Do {
	case fault.DropBefore:
		c.link.Cut()
	case fault.Delay, fault.Stall:
		f.Hold(func() {
			c.in.b.mu.Lock()
			defer c.in.b.mu.Unlock()
			c.late = f.Do == fault.Delay
			c.link.Wake()
		})
	default:
		c.link.Fail(f.Refusal())
	}
}

// spoil is what happens to a message that has just been handed out; f may be nil.
func (c *consumer) spoil(f *fault.Armed, m *message) {
	switch {
	case f == nil:
	case f.Do == fault.DropAfter:
		c.link.Cut()
	case !c.deletes:
		c.in.fail(m, nil)
	}
}
