package amqpserver

import (
	"slices"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// onDisposition settles deliveries that we have sent (2.7.6). What a client says about its own sending is of no
// interest: the broker has settled that already.
func (s *session) onDisposition(p *amqpwire.Disposition) {
	if p.Role != amqpwire.RoleReceiver {
		return
	}
	last := p.First
	if p.Last != nil {
		last = *p.Last
	}
	for _, id := range s.between(p.First, last) {
		s.settle(id, p)
	}
}

// between lists the unsettled deliveries of a range in order. A hostile range costs no more than what is unsettled.
func (s *session) between(first, last uint32) []uint32 {
	var ids []uint32
	if first == last {
		if s.unsettled[first] != nil {
			ids = []uint32{first}
		}
		return ids
	}
	for id := range s.unsettled {
		if id-first <= last-first { // serial numbers (2.8.10)
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b uint32) int { return int(int32(a - b)) })
	return ids
}

func (s *session) settle(id uint32, p *amqpwire.Disposition) {
	d := s.unsettled[id]
	if _, ok := p.State.(*amqpwire.Received); ok || p.State == nil {
		if p.Settled {
			delete(s.unsettled, id) // forgotten without an outcome: its lock decides
		}
		return
	}
	delete(s.unsettled, id)
	err := d.link.source.Settle(d.tag, p.State)
	s.conn.rely()
	s.conn.conclude(err, func(err error) { s.confirm(id, p, err) })
}

// confirm tells the client what has become of its verdict.
func (s *session) confirm(id uint32, p *amqpwire.Disposition, err error) {
	if p.Settled || s.ended || s.conn.sessions[s.channel] != s {
		return
	}
	// The answer is accepted whatever the client chose: mirroring a rejection makes it report an error.
	reply := &amqpwire.Disposition{Role: amqpwire.RoleSender, First: id, Settled: true, State: &amqpwire.Accepted{}}
	if err != nil {
		reply.State = &amqpwire.Rejected{Error: asError(err)}
	}
	s.conn.send(s.channel, reply)
}
