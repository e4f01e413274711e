package broker

import (
	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// Use is what a client does with an entity.
type Use int

// The uses.
const (
	Anything Use = iota // also of an entity that is disabled
	Sending
	receiving
)

// open says why an entity cannot be used: it has been deleted, or somebody has disabled it. Broker.mu is held.
func (e *Entity) open(u Use) error {
	switch {
	case e.gone:
		return NotFound(e.Path)
	case e.Settings.Status == topology.StatusDisabled && u != Anything, e.Settings.Status == topology.StatusSendDisabled && u == Sending,
		e.Settings.Status == topology.StatusReceiveDisabled && u == receiving:
		return amqpwire.Errorf(condDisabled, "The messaging entity '%s' is disabled for this: its status is %s.", e.Path, e.Settings.Status)
	}
	return nil
}

// Admit notes a link, so that it can be detached when the entity changes.
func (e *Entity) Admit(link amqpserver.Link, u Use) error {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	if err := e.open(u); err != nil {
		return err
	}
	e.links[link] = struct{}{}
	return nil
}

// Part forgets a link.
func (e *Entity) Part(link amqpserver.Link) {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	delete(e.links, link)
}
