package amqpserver

import "github.com/relaybox/relaybox/local/minibus/amqpwire"

// onBegin makes a session (2.7.2) and answers on the same channel number.
func (c *conn) onBegin(channel uint16, p *amqpwire.Begin) error {
	if channel > maxChannel {
		return amqpwire.Errorf(amqpwire.CondFramingError, "channel %d is above the agreed %d", channel, maxChannel)
	}
	if c.sessions[channel] != nil {
		return amqpwire.Errorf(amqpwire.CondNotAllowed, "channel %d has a session already", channel)
	}
	s := &session{
		conn: c, channel: channel, links: map[uint32]*link{}, unsettled: map[uint32]*delivery{},
		in: inWindow{next: p.NextOutgoingID, left: incomingWindow}, out: outWindow{left: p.IncomingWindow},
	}
	c.sessions[channel] = s
	c.send(channel, &amqpwire.Begin{
		RemoteChannel: new(channel), IncomingWindow: incomingWindow, OutgoingWindow: incomingWindow,
		HandleMax: new(uint32(maxHandle)),
	})
	return nil
}
