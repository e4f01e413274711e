package broker

import (
	"bytes"

	"github.com/google/uuid"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/clock"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/fault"
)

// What a transaction may have, as with the service, and what a connection may have of them.
const (
	maxTransactionTime  = 2 * 60_000 // milliseconds
	maxTransactionItems = 100
	maxTransactions     = 100
	maxTransactionBytes = 64 << 20 // of all that a connection has: ours, the service names none
)

// Transaction is what is sent and settled together, in any entities of the namespace. Nothing of it shows before it is
// committed, and all of it is one batch of the journal then: both happen under Broker.mu, which guards it.
type Transaction struct {
	b     *Broker
	of    *Receivers
	by    any // who has begun it
	id    string
	alarm clock.Alarm
	late  bool  // it has taken too long, and is rolled back
	spoil error // a part was refused, and it is rolled back
	count int
	bytes int

	sent    []sending
	settled []settling
	deeds   []deed
	tokens  map[amqpwire.UUID]bool
	called  map[scheduled]bool // off
}

type sending struct {
	to       *Entity
	batch    []*content.Content
	reserved []int64 // the sequence numbers that the client has been told, of what is scheduled
}

// deed is what else a request asks for.
type deed struct {
	can func() error
	do  func()
}

// scheduled names a message.
type scheduled struct {
	in  *Entity
	seq int64
}

type settling struct {
	in    *Entity
	token amqpwire.UUID
	state amqpwire.State
	again bool       // a fault: it is confirmed, and delivered once more
	by    func(Held) // instead of state: what a request asks for
}

// Begin begins a transaction of a connection and returns its id. by is whoever may roll it back with others of its own.
func (b *Broker) Begin(r *Receivers, by any) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(r.transactions) >= maxTransactions && !r.forgetLate() {
		return nil, amqpwire.Errorf(amqpwire.CondResourceLimit, "The connection has %d transactions that have not ended.", maxTransactions)
	}
	id := uuid.New()
	t := &Transaction{b: b, of: r, by: by, id: string(id[:]), tokens: map[amqpwire.UUID]bool{}, called: map[scheduled]bool{}}
	t.alarm = clock.NewAlarm(t)
	b.clock.Set(&t.alarm, b.Now()+maxTransactionTime)
	r.transactions[t.id] = t
	return id[:], nil
}

// forgetLate forgets a transaction that has taken too long and that nobody has ended, if there is one.
func (r *Receivers) forgetLate() bool {
	for _, t := range r.transactions {
		if t.late {
			t.end()
			return true
		}
	}
	return false
}

// Ring implements clock.Ringer. The id stays, so that its owner hears why.
func (t *Transaction) Ring(int64) {
	t.late = true
	t.letGo()
}

// letGo forgets what is part of the transaction.
func (t *Transaction) letGo() {
	t.of.transactional -= t.bytes
	t.sent, t.settled, t.deeds, t.tokens, t.called, t.bytes = nil, nil, nil, nil, nil, 0
}

// Spoil has a transaction be rolled back, because a part of it was refused and its owner has not been told.
func (b *Broker) Spoil(r *Receivers, id []byte, why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if t := r.transactions[string(id)]; t != nil && t.spoil == nil {
		t.spoil = why
		t.letGo()
	}
}

// transaction finds one that something may still become part of.
func (r *Receivers) transaction(id []byte) (*Transaction, error) {
	t := r.transactions[string(id)]
	switch {
	case t == nil:
		return nil, amqpwire.Errorf(amqpwire.CondUnknownTransaction, "There is no such transaction on this connection.")
	case t.late:
		return nil, amqpwire.Errorf(amqpwire.CondTransactionTimeout, "The transaction has taken more than %d s and is rolled back.", maxTransactionTime/1000)
	case t.spoil != nil:
		return nil, rolledBack(t.spoil)
	}
	return t, nil
}

// join counts what becomes part of the transaction: messages, and what is kept of them.
func (t *Transaction) join(n, bytes int) error {
	if t.count+n > maxTransactionItems {
		return amqpwire.Errorf(amqpwire.CondResourceLimit, "A transaction has at most %d messages.", maxTransactionItems)
	}
	if t.of.transactional+bytes > maxTransactionBytes {
		return amqpwire.Errorf(amqpwire.CondResourceLimit,
			"The transactions of a connection hold at most %d bytes: end some of them first, or send in smaller ones.", maxTransactionBytes)
	}
	t.count += n
	t.bytes += bytes
	t.of.transactional += bytes
	return nil
}

// SendIn notes what a client's link sends as part of a transaction. What the entity would refuse it refuses now.
func (e *Entity) SendIn(r *Receivers, id []byte, batch []*content.Content) error {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	return e.b.faults.Next(fault.OnSend, e.Key, func(session string) bool { return hasSession(batch, session) }).Around(func() error {
		_, err := e.enlist(r, id, batch, false)
		return err
	})
}

// ScheduleIn has messages be scheduled when a transaction of a connection is committed. Their sequence numbers are theirs
// now. The caller holds Broker.mu.
func (e *Entity) ScheduleIn(r *Receivers, id []byte, batch []*content.Content) ([]int64, error) {
	return e.enlist(r, id, batch, true)
}

func (e *Entity) enlist(r *Receivers, id []byte, batch []*content.Content, numbered bool) (reserved []int64, err error) {
	t, err := r.transaction(id)
	if err == nil {
		err = e.admits(batch, nil)
	}
	if err == nil {
		err = t.join(len(batch), sizeOf(batch))
	}
	if err != nil {
		return nil, err
	}
	if numbered {
		reserved = e.reserve(len(batch))
	}
	t.sent = append(t.sent, sending{e, batch, reserved})
	return reserved, nil
}

// CancelScheduledIn has scheduled messages be removed when a transaction of a connection is committed: all, or nothing of it
// happens. It says whether they are there. The caller holds Broker.mu.
func (e *Entity) CancelScheduledIn(r *Receivers, id []byte, numbers []int64) (bool, error) {
	t, err := r.transaction(id)
	if err != nil {
		return false, err
	}
	for _, seq := range numbers {
		if e.scheduled(seq) == nil || t.called[scheduled{e, seq}] {
			return false, nil
		}
	}
	if err := t.join(len(numbers), 0); err != nil {
		return false, err
	}
	for _, seq := range numbers {
		if t.called[scheduled{e, seq}] {
			continue // it is named twice
		}
		t.called[scheduled{e, seq}] = true
		t.deeds = append(t.deeds, deed{
			can: func() error {
				if e.scheduled(seq) == nil {
					return amqpwire.Errorf(amqpwire.CondNotFound, "The scheduled message %d does not exist any more.", seq)
				}
				return nil
			},
			do: func() { e.remove(e.scheduled(seq)) },
		})
	}
	return true, nil
}

// SetSessionStateIn has a state be stored when a transaction of a connection is committed. The caller holds Broker.mu.
func (e *Entity) SetSessionStateIn(r *Receivers, txn []byte, id string, state []byte) error {
	t, err := r.transaction(txn)
	if err == nil {
		err = e.mayHave(r, id, state)
	}
	if err == nil {
		err = t.join(1, len(state))
	}
	if err != nil {
		return err
	}
	state = bytes.Clone(state)
	t.deeds = append(t.deeds, deed{
		can: func() error { return e.mayHave(r, id, state) },
		do:  func() { e.sessions[id].setState(state) },
	})
	return nil
}

// SettleIn implements amqpserver.EnlistedSource: the message stays locked until the transaction ends, and if it is rolled
// back, after that.
func (c *consumer) SettleIn(id, tag []byte, state amqpwire.State) error {
	if len(tag) != len(amqpwire.UUID{}) {
		return errLockLost
	}
	c.in.b.mu.Lock()
	defer c.in.b.mu.Unlock()
	token := lockTag(amqpwire.UUID(tag))
	f := c.in.b.fault(fault.OnSettle, c.in)
	return f.Around(func() error {
		t, err := c.with.transaction(id)
		if err != nil {
			return err
		}
		again := f.Spoils(state)
		if m := c.in.locks[token]; m != nil && again && f.Do == fault.LoseLock {
			c.in.fail(m, nil)
		}
		m, err := c.in.held(token)
		if err != nil || t.tokens[token] {
			return errLockLost
		}
		if _, err := c.in.notes(m, state); err != nil {
			return err
		}
		kept, size := lasting(state)
		if err := t.join(1, size); err != nil {
			return err
		}
		t.tokens[token] = true
		t.settled = append(t.settled, settling{in: c.in, token: token, state: kept, again: again})
		return nil
	})
}

// Enlist has messages be settled when a transaction of a connection is committed. bytes is what is kept for that.
func (h Held) Enlist(r *Receivers, id []byte, settle func(Held), bytes int) error {
	t, err := r.transaction(id)
	if err != nil {
		return err
	}
	for _, m := range h.list {
		if t.tokens[m.token] {
			return errLockLost
		}
	}
	if err := t.join(len(h.list), bytes); err != nil {
		return err
	}
	for _, m := range h.list {
		if !t.tokens[m.token] { // it is named once
			t.tokens[m.token] = true
			t.settled = append(t.settled, settling{in: h.in, token: m.token, by: settle})
		}
	}
	return nil
}

// lasting is an outcome whose bytes outlive the frame that it came in, and how many they are.
func lasting(outcome amqpwire.State) (kept amqpwire.State, size int) {
	switch o := outcome.(type) {
	case *amqpwire.Modified:
		kept := *o
		kept.MessageAnnotations = bytes.Clone(o.MessageAnnotations)
		return &kept, len(kept.MessageAnnotations)
	case *amqpwire.Rejected:
		if e := o.Error; e != nil {
			kept := amqpwire.Error{Condition: e.Condition, Description: e.Description, Info: bytes.Clone(e.Info)}
			return &amqpwire.Rejected{Error: &kept}, len(kept.Condition) + len(kept.Description) + len(kept.Info)
		}
	}
	return outcome, 0
}

// End commits a transaction, or rolls it back.
func (b *Broker) End(r *Receivers, id []byte, fail bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, err := r.transaction(id)
	known := r.transactions[string(id)]
	if known != nil {
		defer known.end()
	}
	switch {
	case fail && known != nil && known.spoil != nil:
		return nil // it is rolled back, as its owner wants
	case err != nil || fail:
		return err
	}
	return t.commit()
}

// RollBack ends all transactions that somebody has begun.
func (b *Broker) RollBack(r *Receivers, by any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, t := range r.transactions {
		if t.by == by {
			t.end()
		}
	}
}

// end takes a transaction out.
func (t *Transaction) end() {
	t.b.clock.Cancel(&t.alarm)
	delete(t.of.transactions, t.id)
	t.letGo()
}

// commit does all of it, or nothing and says why not.
func (t *Transaction) commit() error {
	promised := map[*Entity]int{}
	for _, s := range t.sent {
		if err := s.to.admits(s.batch, promised); err != nil {
			return rolledBack(err)
		}
	}
	held := make([]*message, len(t.settled)) // and so they stay, also if their locks should end while this is done
	for i, s := range t.settled {
		var err error
		if held[i], err = s.in.held(s.token); err != nil {
			return rolledBack(err)
		}
	}
	for _, d := range t.deeds {
		if err := d.can(); err != nil {
			return rolledBack(err)
		}
	}
	for _, s := range t.sent {
		s.to.take(s.batch, s.reserved)
	}
	for _, d := range t.deeds {
		d.do()
	}
	for i, s := range t.settled {
		switch m := held[i]; {
		case s.again:
			s.in.fail(m, nil)
		case s.by != nil:
			s.by(Held{s.in, []*message{m}})
		default:
			if err := s.in.finish(m, s.state); err != nil {
				t.b.log.Error("a message cannot be settled in its transaction", "entity", s.in.Path, "error", err) // the state is good
			}
		}
	}
	return nil
}

func rolledBack(why error) error {
	return amqpwire.Errorf(amqpwire.CondRolledBack, "The transaction is rolled back: %v", why)
}
