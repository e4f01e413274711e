package broker

import (
	"cmp"
	"fmt"

	"github.com/relaybox/relaybox/local/minibus/amqpserver"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/clock"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/fault"
	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// Entity is a queue, a topic, a subscription or the dead-letter queue of one of them. Broker.mu guards its fields.
type Entity struct {
	topology.Description
	b          *Broker
	Key        string // its path in lower case: in the store and in lookups
	configured uint64 // digest of what the configuration says; 0: it has no such entity
	made       bool   // by a client, and not what is configured

	dead          *Entity   // dead-letter queue; nil in one
	transferDead  *Entity   // transfer dead-letter queue; of a dead-letter queue, where its messages go that cannot be forwarded
	subscriptions []*Entity // of a topic
	parent        *Entity   // topic of a subscription
	forward       *Entity   // ForwardTo; of a dead-letter queue, ForwardDeadLetteredMessagesTo of what it belongs to
	links         map[amqpserver.Link]struct{}
	idle          clock.Alarm          // AutoDeleteOnIdle
	feeders       map[*Entity]struct{} // have messages for this entity that it did not take
	feeding       clock.Alarm          // looks again at what waits to be forwarded
	pumping       bool                 // forwards what it holds

	gone     bool // deleted
	times    times
	last     int64  // sequence number
	bytes    int    // of all messages and sessions' states
	states   [3]int // messages by State
	log      backlog
	ready    ready                      // without sessions
	locks    map[amqpwire.UUID]*message // by token
	hungry   map[*consumer]struct{}     // have credit and found nothing
	sessions map[string]*session        // with sessions
	offers   offers                     // sessions that have messages and no owner
	waiting  []*waiter                  // parked "next session" attaches, oldest first
	history  history                    // duplicate detection
}

// quota is what the messages of the entity may have in bytes.
func (e *Entity) quota() int {
	if e.Settings.MaxMB > 0 {
		return e.Settings.MaxMB << 20
	}
	return e.b.maxBytes
}

// messageKB is how large a message of the entity may be.
func (e *Entity) messageKB() int { return cmp.Or(e.Settings.MaxMessageKB, e.b.tier.MessageKB) }

// MessageLimit is that in bytes, now.
func (e *Entity) MessageLimit() int {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	return e.messageKB() << 10
}

// Reasons that the broker gives in DeadLetterReason.
const (
	reasonMaxDelivery = "MaxDeliveryCountExceeded"
	reasonExpired     = "TTLExpiredException"
	reasonNoSession   = "Session ID is null."
	reasonHops        = "MaxTransferHopCountExceeded"
	reasonFilter      = "FilterEvaluationException" // Service Bus documents no name
	reasonHeader      = "HeaderSizeExceeded"
	reasonTransfer    = "TransferFailed" // Service Bus documents no name
)

const noSession = "The SessionId was not set on a message, and it cannot be sent to the entity. " +
	"Entities that have session support enabled can only receive messages that have the SessionId set to a valid value."

// maxHeader is what the properties and annotations of a message may have together. The sender is not told: the message
// is dead-lettered.
const maxHeader = 64 << 10

// Application properties that say why a message has been dead-lettered.
const (
	PropReason      = "DeadLetterReason"
	PropDescription = "DeadLetterErrorDescription"
)

// maxHops bounds chains of ForwardTo.
const maxHops = 4

// Accept takes what a client sends: all messages or none. It returns their sequence numbers.
func (e *Entity) Accept(batch []*content.Content) ([]int64, error) {
	if err := e.admits(batch, nil); err != nil {
		return nil, err
	}
	return e.take(batch, nil), nil
}

// admits says whether the entity takes messages. promised are the bytes of those that entities have been given already,
// or nil: the batch's are added.
func (e *Entity) admits(batch []*content.Content, promised map[*Entity]int) error {
	if err := e.open(Sending); err != nil {
		return err
	}
	for _, c := range batch {
		if e.Settings.RequiresSession && !c.HasSession {
			return amqpwire.Errorf(amqpwire.CondNotAllowed, noSession)
		}
		if key, ok := c.PartitionKey(); e.Settings.Partitioned && ok && c.HasSession && key != c.SessionID {
			return amqpwire.Errorf(amqpwire.CondNotAllowed, "The PartitionKey '%s' must be the SessionId '%s': '%s' is partitioned.", key, c.SessionID, e.Path)
		}
	}
	size := sizeOf(batch)
	for _, target := range append([]*Entity{e}, e.subscriptions...) {
		if target.bytes+promised[target]+size > target.quota() {
			return amqpwire.Errorf(amqpwire.CondResourceLimit, "%s", target.full())
		}
		if promised != nil {
			promised[target] += size
		}
	}
	return e.b.hasRoom(size)
}

// hasRoom refuses what would be stored while the disk is full.
func (b *Broker) hasRoom(size int) error {
	if err := b.journal.Room(size); err != nil {
		return amqpwire.Errorf(amqpwire.CondResourceLimit, "Nothing was stored: %v.", err)
	}
	return nil
}

func sizeOf(batch []*content.Content) (sum int) {
	for _, c := range batch {
		sum += c.Size
	}
	return sum
}

// take makes messages that the entity admits part of it, and returns their sequence numbers. Those that are scheduled have
// the reserved ones, if there are any; one that is due by now has become another message, as when its time comes.
func (e *Entity) take(batch []*content.Content, reserved []int64) []int64 {
	now := e.b.Now()
	e.times.accessed = now
	numbers := make([]int64, len(batch))
	for i, c := range batch {
		if e.Settings.Duplicates > 0 && !c.Generated && !e.remember(e.identity(c), now) {
			e.last++ // a duplicate is accepted and dropped: the sender must not see a difference
			numbers[i] = e.last
			continue
		}
		m := &message{kept: c, due: c.Due, enqueued: now}
		switch {
		case reserved == nil:
		case c.Due > now:
			m.seq = reserved[i]
		default:
			m.origin = reserved[i]
		}
		numbers[i] = e.put(m, now)
	}
	e.storeSequence()
	return numbers
}

// identity is what tells messages apart in duplicate detection: partitions know nothing of each other.
func (e *Entity) identity(c *content.Content) string {
	if !e.Settings.Partitioned {
		return c.MessageID
	}
	key, ok := c.PartitionKey()
	switch {
	case c.HasSession:
		key = c.SessionID
	case !ok:
		return c.MessageID // which is the key, too
	}
	return fmt.Sprintf("%d %s %s", len(key), key, c.MessageID)
}

// reserve draws sequence numbers.
func (e *Entity) reserve(n int) []int64 {
	numbers := make([]int64, n)
	for i := range numbers {
		e.last++
		numbers[i] = e.last
	}
	e.storeSequence()
	return numbers
}

// Send is accept for a client's link, which a fault may hit.
func (e *Entity) Send(batch []*content.Content) error {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	return e.b.faults.Next(fault.OnSend, e.Key, func(session string) bool { return hasSession(batch, session) }).Around(func() error {
		_, err := e.Accept(batch)
		return err
	})
}

// Manage does what a request to $management asks for, which a fault may hit, with Broker.mu held.
func (e *Entity) Manage(do func() error) error {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	if err := e.open(Anything); err != nil {
		return err
	}
	e.times.accessed = e.b.Now()
	return e.b.fault(fault.OnManage, e).Around(do)
}

// put makes a message part of the entity, or passes it on if the entity forwards or is a topic. It draws a sequence number
// for one that has none.
func (e *Entity) put(m *message, now int64) int64 {
	if m.seq == 0 {
		e.last++
		m.seq = e.last
	}
	m.in, m.place, m.size = e, nowhere, m.kept.Size
	m.alarm = clock.NewAlarm(m)
	switch {
	case m.due > now:
		m.state = Scheduled
		e.keep(m)
		e.b.clock.Set(&m.alarm, m.due)
	case e.Kind == topology.TopicKind:
		e.limitLife(m, now)
		e.tell(Published, m)
		e.publish(m, now)
	case e.forwards():
		e.limitLife(m, now)
		if len(e.ready) == 0 {
			e.passOn(m, e.forward, now)
		} else { // behind what waits
			e.keep(m)
			e.offer(m)
		}
	case e.Settings.RequiresSession && !m.kept.HasSession:
		e.bury(m, content.Property(PropReason, reasonNoSession))
	case e.Kind != topology.DeadLetterKind && m.kept.HeaderSize() > maxHeader:
		e.bury(m, content.Property(PropReason, reasonHeader), content.Property(PropDescription,
			fmt.Sprintf("The properties of the message have %d bytes; %d are allowed.", m.kept.HeaderSize(), maxHeader)))
	default:
		e.limitLife(m, now)
		e.keep(m)
		e.offer(m)
	}
	return m.seq
}

// keep stores a new message.
func (e *Entity) keep(m *message) {
	e.log.add(m)
	e.bytes += m.size
	e.states[m.state]++
	if e.Settings.RequiresSession {
		m.session = e.sessionOf(m.kept.SessionID)
		m.session.messages++
	}
	e.storeMessage(m)
	e.b.warm += m.size
}

// rewrite gives a message another content.
func (e *Entity) rewrite(m *message, c *content.Content) {
	if m.kept != nil {
		e.b.warm -= m.size
	}
	e.bytes += c.Size - m.size
	m.kept, m.size = c, c.Size
	e.b.warm += m.size
	e.storeMessage(m)
}

// limitLife sets when the message expires, by the broker's clock. Its life counts from this enqueueing: the sender's wish,
// at most the default of this entity and of those that it has come through. A dead letter has had its life, and has none in
// the dead-letter queue; where it is forwarded to it is a message like others, but for the wish that is in it.
func (e *Entity) limitLife(m *message, now int64) {
	m.expires = 0
	if e.Kind == topology.DeadLetterKind {
		m.life = 0
		return
	}
	m.life = earlier(m.life, e.Settings.TTL.Milliseconds())
	life := m.life
	if m.source == "" {
		life = earlier(life, m.kept.Life)
		m.expires = m.kept.Deadline
	}
	if end := now + life; life > 0 && end > now {
		m.expires = earlier(m.expires, end)
	}
}

// earlier is the first of two times of which 0 means never.
func earlier(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// publish gives every subscription its copies of the message.
func (e *Entity) publish(m *message, now int64) {
	c := &rules.Candidate{Content: m.kept, Sequence: m.seq, Enqueued: m.enqueued, Expires: m.expires, Deliveries: m.count, Source: m.source}
	for _, s := range e.subscriptions {
		s.choose(m, c, now)
	}
}

// offer makes an unlocked message receivable again and wakes whoever waits for it. Its life may have ended meanwhile.
func (e *Entity) offer(m *message) {
	if !e.lives(m) {
		return
	}
	if m.session != nil {
		m.session.offer(m)
		return
	}
	e.ready.add(m)
	if e.forward != nil {
		if !e.feeding.IsSet() {
			e.pump()
		}
		return
	}
	for c := range e.hungry {
		c.link.Wake()
	}
	clear(e.hungry)
}

// lives ends the life of an unlocked message, or sees to it that it ends in time.
func (e *Entity) lives(m *message) bool {
	switch {
	case m.expires == 0:
		e.b.clock.Cancel(&m.alarm)
	case m.expires <= e.b.Now():
		e.expire(m)
		return false
	default:
		e.b.clock.Set(&m.alarm, m.expires)
	}
	return true
}

// expire ends a message's life.
func (e *Entity) expire(m *message) {
	e.remove(m)
	if e.Settings.DeadLetterLate {
		e.bury(m, content.Property(PropReason, reasonExpired), content.Property(PropDescription, "The message expired and was dead lettered."))
	}
}

// remove takes a message out of the entity for good.
func (e *Entity) remove(m *message) {
	e.unlock(m)
	e.b.clock.Cancel(&m.alarm)
	e.log.remove(m.seq)
	e.bytes -= m.size
	if m.kept != nil {
		e.b.warm -= m.size
	}
	e.states[m.state]--
	e.forget(m)
	if s := m.session; s != nil {
		if m.place != nowhere {
			s.withdraw(m)
		}
		s.messages--
		s.sweep()
	} else if m.place != nowhere {
		e.ready.remove(m)
	}
	e.callFeeders()
}

// activate ends a schedule: the message gets a new number, like one that is sent now.
func (e *Entity) activate(m *message, now int64) {
	c := m.content()
	e.remove(m)
	e.put(&message{kept: c, life: m.life, enqueued: now, origin: m.seq, hops: m.hops, source: m.source}, now)
	e.storeSequence()
}
