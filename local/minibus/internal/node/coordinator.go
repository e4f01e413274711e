package node

import (
	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
)

// coordinator is a link that controls transactions. It needs no token: what becomes part of one comes over links that do.
type coordinator struct{ peer *peer }

var (
	_ amqpserver.Coordinator = (*coordinator)(nil)
	_ amqpserver.Transacting = (*peer)(nil)
)

// MaxMessageSize implements amqpserver.Target.
func (*coordinator) MaxMessageSize() uint64 { return content.MaxSize }

// Receive implements amqpserver.Target; amqpserver calls Declare and Discharge instead.
func (*coordinator) Receive(uint32, []byte) error { return nil }

// Declare implements amqpserver.Coordinator.
func (c *coordinator) Declare() ([]byte, error) { return c.peer.nodes.Begin(c.peer.receivers, c) }

// Discharge implements amqpserver.Coordinator.
func (c *coordinator) Discharge(id []byte, fail bool) error {
	return c.peer.nodes.End(c.peer.receivers, id, fail)
}

// Detach implements amqpserver.Target: what has not ended is rolled back (4.3).
func (c *coordinator) Detach() { c.peer.nodes.RollBack(c.peer.receivers, c) }

// Spoil implements amqpserver.Transacting.
func (p *peer) Spoil(txn []byte, why error) { p.nodes.Spoil(p.receivers, txn, why) }
