package broker

import (
	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/fault"
)

// consumer is a receiving link on an entity. Broker.mu guards what changes.
type consumer struct {
	with    *Receivers
	name    string // of the link
	in      *Entity
	link    amqpserver.Link
	session *session        // that it owns; nil: none, or lost
	filter  *amqpwire.Entry // the session filter as the client sent it; nil: no sessions
	deletes bool            // receive-and-delete
	waiter  *waiter         // while parked
	late    bool            // a Delay is over: the next message goes out
	gone    bool
}

// Take implements amqpserver.Source.
func (c *consumer) Take(n int, emit func(tag, payload []byte) (room bool)) int {
	b := c.in.b
	b.mu.Lock()
	defer b.mu.Unlock()
	room := true
	for i := range n {
		if !room {
			return i
		}
		m := c.next()
		if m == nil {
			return i
		}
		f := c.fault()
		if f != nil && f.Do != fault.LoseLock && f.Do != fault.DropAfter {
			c.interrupt(f, m)
			return i
		}
		if i == 0 {
			c.in.times.accessed = c.in.b.Now()
		}
		c.in.readAhead(m)
		if c.deletes {
			b.scratch = m.appendTo(b.scratch[:0], form{})
			c.in.remove(m)
			room = emit(nil, b.scratch)
			c.spoil(f, m)
			continue
		}
		c.in.lock(m)
		b.scratch = m.appendTo(b.scratch[:0], form{lock: true})
		tag := lockTag(m.token)
		room = emit(tag[:], b.scratch)
		c.in.rest(m)
		c.spoil(f, m)
	}
	return n
}

// next takes the first receivable message out of its heap. If there is none, the consumer will be woken.
func (c *consumer) next() *message {
	var from *ready
	switch {
	case c.gone, c.in.open(receiving) != nil, c.in.forward != nil:
		return nil
	case c.in.Settings.RequiresSession:
		if c.session == nil || c.session.until <= c.in.b.Now() {
			return nil
		}
		from = &c.session.ready
	default:
		from = &c.in.ready
	}
	now := c.in.b.Now()
	for len(*from) > 0 {
		m := (*from)[0]
		from.remove(m)
		if m.expires == 0 || m.expires > now {
			return m
		}
		c.in.expire(m) // its alarm is due but has not rung yet
	}
	c.in.hungry[c] = struct{}{}
	return nil
}

// Settle implements amqpserver.Source.
func (c *consumer) Settle(tag []byte, state amqpwire.State) error {
	if len(tag) != len(amqpwire.UUID{}) {
		return errLockLost
	}
	c.in.b.mu.Lock()
	defer c.in.b.mu.Unlock()
	token, f := lockTag(amqpwire.UUID(tag)), c.in.b.fault(fault.OnSettle, c.in)
	return f.Around(func() error {
		if m := c.in.locks[token]; m != nil && f.Spoils(state) {
			c.in.fail(m, nil)
			if f.Do == fault.Duplicate {
				return nil
			}
		}
		return c.in.settle(token, state)
	})
}

// lockTag converts a lock token to a delivery tag, and back: the tag is a .NET GUID, whose first three groups are
// little-endian.
func lockTag(u amqpwire.UUID) amqpwire.UUID {
	u[0], u[1], u[2], u[3] = u[3], u[2], u[1], u[0]
	u[4], u[5] = u[5], u[4]
	u[6], u[7] = u[7], u[6]
	return u
}

// ticksAtEpoch is the Unix epoch in .NET ticks: 100 ns since 0001-01-01.
const ticksAtEpoch = 621355968000000000

// Describe implements amqpserver.Source: a session's id is told by echoing the filter in the shape in which it came.
func (c *consumer) Describe(a *amqpwire.Attach) {
	c.in.b.mu.Lock()
	defer c.in.b.mu.Unlock()
	if len(a.Source.Filter) == 0 {
		return
	}
	source := *a.Source
	source.Filter = nil // what is told is in force (3.5.3), and of other filters none is
	a.Source = &source
	if c.filter == nil || c.session == nil {
		return
	}
	f := *c.filter
	if d, ok := f.Value.(amqpwire.Described); ok {
		f.Value = amqpwire.Described{Descriptor: d.Descriptor, Value: c.session.id}
	} else {
		f.Value = c.session.id
	}
	source.Filter = amqpwire.Map{f}
	a.Properties = append(a.Properties, amqpwire.Entry{
		Key: amqpwire.Symbol("com.microsoft:locked-until-utc"), Value: c.session.until*10_000 + ticksAtEpoch,
	})
}

// Detach implements amqpserver.Source. Message locks stay; a session is given back.
func (c *consumer) Detach() {
	c.in.b.mu.Lock()
	defer c.in.b.mu.Unlock()
	c.detach()
}

func (c *consumer) detach() {
	c.gone = true
	c.in.times.accessed = c.in.b.Now() // it has been receiving until now
	delete(c.in.hungry, c)
	delete(c.in.links, c.link)
	if c.with.byName[c.name] == c {
		delete(c.with.byName, c.name)
	}
	if c.waiter != nil {
		c.waiter.leave()
	}
	if c.session != nil {
		c.session.close()
	}
}
