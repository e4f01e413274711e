package broker

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// Forwarding is a pump: what an entity that forwards holds goes on as soon as it can, in order. A message of a queue or
// subscription that cannot go waits in the transfer dead-letter queue, and so does a dead letter that never can: there it
// can be received. Another dead letter stays where it is, and goes when the target has room, is enabled, or is there again.

// What is passed on at a time: others use the broker before the rest goes.
const (
	pumpMessages = 512
	pumpBytes    = 1 << 20
)

// pumpLater is when, in milliseconds, a full disk is looked at again.
const pumpLater = 1000

// forwards says whether what comes is passed on without being stored first.
func (e *Entity) forwards() bool { return e.forward != nil && e.Kind != topology.DeadLetterKind }

// pump passes on what is there, in order: some now and, if there is more, the rest a little later.
func (e *Entity) pump() {
	if e.pumping {
		return // what is passed on has come back
	}
	e.pumping = true
	defer func() { e.pumping = false }()
	for n, bytes := 0, 0; len(e.ready) > 0 && e.forward != nil; n++ {
		first := e.ready[0]
		switch {
		case n == pumpMessages || bytes > pumpBytes:
			e.b.clock.Set(&e.feeding, e.b.Now()+1)
			return
		case e.b.Room() != nil:
			e.b.clock.Set(&e.feeding, e.b.Now()+pumpLater)
			return
		case !e.pass(first):
			e.forward.wait(e)
			return
		}
		bytes += first.size
	}
}

// pass passes a message of the backlog on, unless it has to wait.
func (e *Entity) pass(m *message) bool {
	e.readAhead(m)
	now := e.b.Now()
	switch {
	case m.expires != 0 && m.expires <= now:
		e.expire(m) // its alarm is due but has not rung yet
	case e.Kind != topology.DeadLetterKind:
		e.remove(m)
		e.passOn(m, e.forward, now)
	case e.forward.never(m):
		e.remove(m)
		e.transferDead.put(&message{kept: m.content(), enqueued: m.enqueued, origin: m.origin, count: m.count, source: m.source, hops: m.hops}, now)
		e.transferDead.storeSequence()
	case e.forward.refusal(m) != "":
		return false
	default:
		e.remove(m)
		e.hand(m, e.forward, m.origin)
	}
	return true
}

// never says whether an entity will not take a message however long that waits.
func (e *Entity) never(m *message) bool {
	if m.hops >= maxHops {
		return true
	}
	if e.gone {
		return false // what comes in its place may be another
	}
	return e.Settings.RequiresSession && !m.content().HasSession || slices.ContainsFunc(e.subscriptions, m.exceeds) || m.exceeds(e)
}

// exceeds says whether an entity could not hold a message if it held nothing else.
func (m *message) exceeds(e *Entity) bool { return m.size > e.quota() }

// wait notes who has messages for an entity that it does not take now.
func (e *Entity) wait(feeder *Entity) {
	if e.feeders == nil {
		e.feeders = map[*Entity]struct{}{}
	}
	e.feeders[feeder] = struct{}{}
}

// callFeeders has those who wait look again: soon, and not in the middle of what is being done.
func (e *Entity) callFeeders() {
	if e.parent != nil {
		e.parent.callFeeders() // it takes what its subscriptions have room for
	}
	for feeder := range e.feeders {
		e.b.clock.Set(&feeder.feeding, e.b.Now())
	}
	clear(e.feeders)
}

// feeding is an entity that looks again at what waits to be forwarded.
type feeding Entity

// Ring implements clock.Ringer.
func (f *feeding) Ring(int64) {
	e := (*Entity)(f)
	if !e.gone {
		e.pump()
	}
}

// pumpAll looks at every entity that forwards, after entities have come, changed or gone.
func (b *Broker) pumpAll() {
	for _, e := range b.entities {
		if e.forward != nil && e.log.live > 0 {
			b.clock.Set(&e.feeding, b.Now())
		}
	}
}

// passOn forwards a message that is not in the backlog (any more).
func (e *Entity) passOn(m *message, to *Entity, now int64) {
	if m.hops >= maxHops {
		e.bury(m, content.Property(PropReason, reasonHops))
		return
	}
	if refusal := to.refusal(m); refusal != "" {
		e.deadLetter(m, e.transferDead, m.hops, []amqpwire.Pair{content.Property(PropReason, reasonTransfer), content.Property(PropDescription, refusal)})
		return
	}
	e.hand(m, to, m.seq)
}

// refusal says why an entity does not take a message that is passed on to it; "": it takes it.
func (e *Entity) refusal(m *message) string {
	switch {
	case e.open(Sending) != nil:
		return e.open(Sending).Error()
	case e.Settings.RequiresSession && !m.content().HasSession:
		return noSession
	}
	if crowded := e.crowded(m.size); crowded != nil {
		return crowded.full()
	}
	return ""
}

// crowded is the first of those that store what an entity takes, itself or its subscriptions, which has no room for it; or nil.
func (e *Entity) crowded(size int) *Entity {
	if e.bytes+size > e.quota() {
		return e
	}
	for _, s := range e.subscriptions {
		if s.bytes+size > s.quota() {
			return s
		}
	}
	return nil
}

func (e *Entity) full() string {
	return fmt.Sprintf("The entity '%s' has reached its quota of %d bytes. Receive messages to make room.", e.Path, e.quota())
}

// hand makes a message part of another entity, which takes it.
func (e *Entity) hand(m *message, to *Entity, origin int64) {
	to.put(&message{kept: m.content(), life: m.life, enqueued: m.enqueued, origin: origin, count: m.deadCount(), hops: m.hops + 1, source: m.source}, e.b.Now())
	to.storeSequence()
}

// deadCount is the delivery count of a dead letter, which goes with it.
func (m *message) deadCount() uint32 {
	if m.source == "" {
		return 0
	}
	return m.count
}

// bury moves a message, which is in the backlog no more, to the dead-letter queue.
func (e *Entity) bury(m *message, why ...amqpwire.Pair) {
	to := e.dead
	if e.Kind == topology.DeadLetterKind {
		to = e // there is nowhere below a dead-letter queue
	}
	hops := m.hops
	if target := to.forward; target != nil && to != e {
		switch {
		case target.never(m):
			to = to.transferDead
		case len(to.ready) == 0 && target.refusal(m) == "":
			to = target
			hops++
		}
	}
	e.deadLetter(m, to, hops, why)
}

// deadLetter makes a message with a reason part of a dead-letter queue, or of where that one's messages go.
func (e *Entity) deadLetter(m *message, to *Entity, hops uint8, why []amqpwire.Pair) {
	e.tell(DeadLettered, m)
	c := m.content()
	explained, err := c.With(why)
	if err != nil {
		e.b.log.Error("application properties cannot be extended", "entity", e.Path, "sequence", m.seq, "error", err)
		explained = c
	}
	to.put(&message{kept: explained, enqueued: m.enqueued, origin: m.seq, count: m.count, source: cmp.Or(m.source, e.Path), hops: hops}, e.b.Now())
	to.storeSequence()
}
