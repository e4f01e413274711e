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
	ids := s.between(p.First, last)
	if len(ids) == 0 {
		s.conn.spoil(p.State, p.Settled, errGone)
	}
	for _, id := range ids {
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
	if t, transactional := p.State.(*amqpwire.Transactional); transactional {
		d.txn = string(t.TxnID) // it is settled when that is committed, and if it is rolled back the client may settle it again
	} else {
		delete(s.unsettled, id)
	}
	err := verdict(d.link.source, d.tag, p.State)
	s.conn.spoil(p.State, p.Settled, err)
	s.conn.rely()
	s.conn.conclude(err, func(err error) { s.confirm(id, p, err) })
}

// confirm tells the client what has become of its verdict.
func (s *session) confirm(id uint32, p *amqpwire.Disposition, err error) {
	if p.Settled || s.ended || s.conn.sessions[s.channel] != s {
		return
	}
	reply := &amqpwire.Disposition{Role: amqpwire.RoleSender, First: id, Settled: true, State: echo(p.State)}
	if err != nil {
		reply.State = &amqpwire.Rejected{Error: asError(err)}
	}
	s.conn.send(s.channel, reply)
}

// echo is a verdict as its confirmation repeats it: there are clients that take any other outcome for a failure, and an
// error in it too.
func echo(verdict amqpwire.State) amqpwire.State {
	switch v := verdict.(type) {
	case *amqpwire.Rejected:
		return &amqpwire.Rejected{}
	case *amqpwire.Modified:
		return &amqpwire.Modified{DeliveryFailed: v.DeliveryFailed, UndeliverableHere: v.UndeliverableHere}
	case *amqpwire.Transactional:
		return &amqpwire.Transactional{TxnID: v.TxnID, Outcome: echo(v.Outcome)}
	}
	return verdict
}
