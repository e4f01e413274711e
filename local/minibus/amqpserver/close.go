package amqpserver

import "github.com/relaybox/relaybox/local/minibus/amqpwire"

// onClose answers close (2.7.9); the reader ends once the writer has sent the answer.
func (c *conn) onClose() error {
	c.send(0, &amqpwire.Close{})
	c.closing = true
	c.kick()
	return nil
}
