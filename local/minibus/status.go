package minibus

import (
	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// use is what a client does with an entity.
type use int

const (
	anything use = iota
	sending
	receiving
)

// open says why an entity cannot be used: it has been deleted, or somebody has disabled it. broker.mu is held.
func (e *entity) open(u use) error {
	switch {
	case e.gone:
		return notFound(e.Path)
	case e.Settings.Status == topology.StatusDisabled && u != anything, e.Settings.Status == topology.StatusSendDisabled && u == sending,
		e.Settings.Status == topology.StatusReceiveDisabled && u == receiving:
		return amqpwire.Errorf(condDisabled, "The messaging entity '%s' is disabled for this: its status is %s.", e.Path, e.Settings.Status)
	}
	return nil
}

// admit notes a link, so that it can be detached when the entity changes.
func (e *entity) admit(link amqpserver.Link, u use) error {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	if err := e.open(u); err != nil {
		return err
	}
	e.links[link] = struct{}{}
	return nil
}

// part forgets a link.
func (e *entity) part(link amqpserver.Link) {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	delete(e.links, link)
}
