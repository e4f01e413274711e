package broker

import (
	"container/heap"
	"slices"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/clock"
	"github.com/relaybox/relaybox/local/minibus/internal/fault"
)

// session is the messages of one session id, and its state. Broker.mu guards it. It exists as long as there is
// something to remember: messages, a state, or an owner.
type session struct {
	in       *Entity
	id       string
	messages int   // in the backlog, whatever their state
	ready    ready // receivable, in order
	locked   map[*message]struct{}
	state    []byte
	stateAt  int64 // when the state was set

	owner *consumer
	until int64 // end of the owner's lock
	alarm clock.Alarm
	place int // in entity.offers, or nowhere
}

// sessionOf finds a session or makes it.
func (e *Entity) sessionOf(id string) *session {
	s := e.sessions[id]
	if s == nil {
		s = &session{in: e, id: id, locked: map[*message]struct{}{}, place: nowhere}
		s.alarm = clock.NewAlarm(s)
		e.sessions[id] = s
	}
	return s
}

// sweep forgets a session that has nothing left.
func (s *session) sweep() {
	if s.messages == 0 && s.owner == nil && s.state == nil {
		delete(s.in.sessions, s.id)
	}
}

// offer makes a message of the session receivable: for its owner, or for whoever accepts the session.
func (s *session) offer(m *message) {
	s.ready.add(m)
	if s.owner == nil {
		s.advertise()
	} else if _, hungry := s.in.hungry[s.owner]; hungry {
		delete(s.in.hungry, s.owner)
		s.owner.link.Wake()
	}
}

// withdraw takes a message out of what is receivable.
func (s *session) withdraw(m *message) {
	s.ready.remove(m)
	if s.place == nowhere {
		return
	}
	if len(s.ready) == 0 {
		heap.Remove(&s.in.offers, s.place)
	} else {
		heap.Fix(&s.in.offers, s.place)
	}
}

// advertise gives a session that has messages and no owner to the first who waits, or lists it for the next.
func (s *session) advertise() {
	if s.owner != nil || len(s.ready) == 0 {
		return
	}
	if s.place != nowhere {
		heap.Fix(&s.in.offers, s.place)
		return
	}
	if len(s.in.waiting) > 0 {
		w := s.in.waiting[0]
		w.leave()
		s.acquire(w.consumer)
		w.consumer.link.Attached(w.consumer, nil)
		return
	}
	heap.Push(&s.in.offers, s)
}

// acquire makes a consumer the owner.
func (s *session) acquire(c *consumer) {
	if s.place != nowhere {
		heap.Remove(&s.in.offers, s.place)
	}
	s.owner, c.session = c, s
	s.in.links[c.link] = struct{}{}
	s.renew()
}

// renew extends the owner's lock.
func (s *session) renew() {
	s.until = s.in.b.Now() + s.in.Settings.Lock.Milliseconds()
	s.in.b.clock.Set(&s.alarm, s.until)
}

// Ring implements clock.Ringer: the lock has expired. Its messages have failed, and the owner's link ends.
func (s *session) Ring(int64) {
	owner := s.owner
	s.leave(func(m *message) { s.in.fail(m, nil) })
	owner.link.Fail(errSessionLockLost)
}

// close ends ownership because the owner went. Its messages come back in order and uncounted.
func (s *session) close() { s.leave(s.in.release) }

// leave takes the session from its owner; back returns each message that it had locked.
func (s *session) leave(back func(*message)) {
	s.in.b.clock.Cancel(&s.alarm)
	s.owner.session = nil
	locked := make([]*message, 0, len(s.locked))
	for m := range s.locked {
		locked = append(locked, m)
	}
	slices.SortFunc(locked, func(a, b *message) int { return int(a.seq - b.seq) })
	owner := s.owner
	for _, m := range locked {
		back(m) // the owner still stands, so that the session is not offered before its order is restored
	}
	if s.owner == owner {
		s.owner = nil
	}
	s.until = 0
	s.advertise()
	s.sweep()
}

// ownedBy finds a session and checks that one of a connection's links holds it.
func (e *Entity) ownedBy(r *Receivers, id string) (*session, error) {
	s := e.sessions[id]
	if s == nil || s.owner == nil || s.owner.with != r || s.until <= e.b.Now() {
		return nil, errSessionLockLost
	}
	return s, nil
}

// acceptNamed locks a session for a consumer; it need not have messages.
func (e *Entity) acceptNamed(id string, c *consumer) error {
	s := e.sessionOf(id)
	if s.owner != nil {
		return amqpwire.Errorf(condSessionNotLocked, "The requested session '%s' cannot be accepted. It may be locked by another receiver.", id)
	}
	s.acquire(c)
	return nil
}

// acceptNext locks the session with the oldest message that is waiting, if there is one.
func (e *Entity) acceptNext(c *consumer) bool {
	if len(e.offers) == 0 {
		return false
	}
	first := 0
	if f := e.b.fault(fault.OnAccept, e); f != nil {
		first = f.Pick(len(e.offers))
	}
	e.offers[first].acquire(c)
	return true
}

// waiter is a receiver that waits for any session.
type waiter struct {
	in       *Entity
	consumer *consumer
	alarm    clock.Alarm
}

// park lets a consumer wait until a session has messages, at most for some time.
func (e *Entity) park(c *consumer, millis int64) *waiter {
	w := &waiter{in: e, consumer: c}
	w.alarm = clock.NewAlarm(w)
	e.waiting = append(e.waiting, w)
	e.b.clock.Set(&w.alarm, e.b.Now()+millis)
	return w
}

// leave ends the waiting.
func (w *waiter) leave() {
	w.in.b.clock.Cancel(&w.alarm)
	if i := slices.Index(w.in.waiting, w); i >= 0 {
		w.in.waiting = slices.Delete(w.in.waiting, i, i+1)
	}
}

// Ring implements clock.Ringer.
func (w *waiter) Ring(int64) {
	w.consumer.detach() // the link never was one: nobody else will
	w.consumer.link.Attached(nil, amqpwire.Errorf(condTimeout,
		"The operation did not complete within the allotted timeout. No session with messages became available."))
}

// offers is a heap of sessions, the one with the oldest message first.
type offers []*session

func (o offers) Len() int           { return len(o) }
func (o offers) Less(i, j int) bool { return o[i].ready[0].seq < o[j].ready[0].seq }
func (o offers) Swap(i, j int) {
	o[i], o[j] = o[j], o[i]
	o[i].place, o[j].place = i, j
}

// Push implements heap.Interface.
func (o *offers) Push(x any) {
	s := x.(*session)
	s.place = len(*o)
	*o = append(*o, s)
}

// Pop implements heap.Interface.
func (o *offers) Pop() any {
	old := *o
	s := old[len(old)-1]
	old[len(old)-1] = nil
	*o = old[:len(old)-1]
	s.place = nowhere
	return s
}
