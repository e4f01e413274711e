package amqpserver

import "github.com/relaybox/relaybox/local/minibus/amqpwire"

// pump sends what the ready links have, as far as credit, windows and the output buffer allow. It reports whether
// there is more to do after the output has been written.
func (c *conn) pump() (more bool) {
	if c.closing || c.over {
		c.ready = nil
		return false
	}
	// Links that come up while pumping are behind the end of this list: they get the next step.
	ready := c.ready
	c.ready = nil
	for _, l := range ready {
		l.queued = false
		if len(c.out) > maxOutput || !l.pump() {
			l.queue()
			more = true
		}
	}
	return more || len(c.ready) > 0
}

// pump moves deliveries of one link. It reports false if it stopped although it could go on.
func (l *link) pump() (finished bool) {
	s := l.session
	if l.gone || l.detached || l.source == nil || s.ended {
		return true
	}
	room := true // messages may be large
	emit := func(tag, payload []byte) bool {
		l.emit(tag, payload)
		room = len(s.conn.out) <= maxOutput && len(s.held) == 0
		return room
	}
	for range maxTakes {
		n := min(l.credit, s.out.left, takeAtOnce)
		if n == 0 || len(s.held) > 0 || !room {
			break
		}
		got := l.source.Take(int(n), emit)
		if got > 0 {
			s.conn.rely()
		}
		if got < int(n) && room {
			l.giveBack()
			return true // the source wakes the link
		}
	}
	if s.out.left == 0 || len(s.held) > 0 {
		return true // the client's next flow queues the link
	}
	if l.credit == 0 {
		l.giveBack()
		return true
	}
	return false
}

// giveBack answers a drain once there is nothing that could use the credit.
func (l *link) giveBack() {
	if l.drain {
		l.drained()
	}
}

// emit sends one delivery.
func (l *link) emit(tag, payload []byte) {
	s := l.session
	id := s.nextID
	s.nextID++
	settled := l.settled || l.replies != nil
	if tag == nil {
		tag = []byte{byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id)}
	}
	if !settled {
		s.unsettled[id] = &delivery{link: l, tag: append([]byte(nil), tag...)}
	}
	if l.replies != nil {
		s.conn.unsent -= len(payload)
	}
	l.credit--
	l.sent++
	t := amqpwire.Transfer{Handle: l.handle, DeliveryID: &id, DeliveryTag: tag, MessageFormat: new(uint32(0)), Settled: &settled}
	c := s.conn
	start, frames := len(c.out), 0
	c.out, frames = amqpwire.AppendTransfers(c.out, s.channel, t, payload, c.maxFrame)
	if len(s.held) == 0 && uint64(frames) <= uint64(s.out.left) {
		s.out.sent(frames)
		return
	}
	s.hold(l, c.out[start:])
	c.out = c.out[:start]
	s.letOut()
}
