package broker

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/fault"
)

// Inject switches faults on. One for an entity that is not there would never happen.
func (b *Broker) Inject(list ...fault.Fault) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.faults.Inject(b.faultKey, list...)
}

// faultKey is the key of an entity that a fault is for.
func (b *Broker) faultKey(path string) (string, error) {
	key := Normalize(path)
	if b.entities[key] != nil {
		return key, nil
	}
	var names []string
	for _, e := range b.entities {
		if e.dead != nil { // not a dead-letter queue: there would be three of each
			names = append(names, e.Path)
		}
	}
	slices.Sort(names)
	if more := len(names) - namesShown; more > 0 {
		names = append(names[:namesShown], fmt.Sprintf("%d more", more))
	}
	return "", fmt.Errorf("there is none of that path; there are %s, and their dead-letter queues", strings.Join(names, ", "))
}

// namesShown bounds the list that a mistaken name is answered with.
const namesShown = 10

// Injected lists the faults that are or were switched on.
func (b *Broker) Injected() []fault.Injected { return b.faults.List() }

// ClearFaults switches all faults off. What a Stall has held back goes out.
func (b *Broker) ClearFaults() {
	b.mu.Lock()
	resume := b.faults.Clear()
	b.mu.Unlock()
	resume()
}

// hasSession says whether a message is of a session that a pattern fits.
func hasSession(batch []*content.Content, pattern string) bool {
	return slices.ContainsFunc(batch, func(c *content.Content) bool {
		fits, _ := path.Match(pattern, c.SessionID) // it was tried when the fault was switched on
		return fits && c.HasSession
	})
}

// AttachFault is what an attach is answered because of a fault, or nil.
func (e *Entity) AttachFault() error {
	return e.b.fault(fault.OnAttach, e).Around(func() error { return nil })
}

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
