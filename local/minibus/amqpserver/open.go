package amqpserver

import (
	"time"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// minBeat bounds how often a client can make us write heartbeats.
const minBeat = 250 * time.Millisecond

// onOpen answers open (2.7.1).
func (c *conn) onOpen(p *amqpwire.Open) error {
	if c.peer != nil {
		return amqpwire.Errorf(amqpwire.CondIllegalState, "second open")
	}
	c.maxFrame = maxFrameSize
	if p.MaxFrameSize != nil {
		if *p.MaxFrameSize < amqpwire.MinMaxFrameSize {
			return amqpwire.Errorf(amqpwire.CondInvalidField, "max-frame-size %d is below %d", *p.MaxFrameSize, amqpwire.MinMaxFrameSize)
		}
		c.maxFrame = int(min(*p.MaxFrameSize, maxFrameSize))
	}
	if p.IdleTimeOut != nil && *p.IdleTimeOut > 0 {
		half := time.Duration(*p.IdleTimeOut) * time.Millisecond / 2 // 2.4.5
		c.beat = max(min(half, heartbeatEvery), minBeat)
	}
	c.peer = c.srv.backend.Connect(c.net.RemoteAddr().String())
	c.send(0, &amqpwire.Open{
		ContainerID: "relaybox-minibus", MaxFrameSize: new(uint32(maxFrameSize)), ChannelMax: new(uint16(maxChannel)),
		IdleTimeOut: new(uint32(idleTimeOut / time.Millisecond)),
	})
	return nil
}
