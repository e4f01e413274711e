package servicebus

import (
	"context"
	"errors"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/relaybox/relaybox/outbox"
)

// shipment sends the longest run of items that fits into one message batch.
type shipment struct {
	p     *Publisher
	items []item
	// packed are the items in the batch, in order; rest those behind it.
	packed []item
	rest   []item
	// large tells that the one packed item fits into no batch and goes by itself.
	large bool
}

func (p *Publisher) newShipment(items []item) *shipment {
	return &shipment{p: p, items: items}
}

// send ships a batch and settles its items, each by itself if the batch is refused for
// what is in it. It returns the items still to do, and the fault that made it stop.
func (s *shipment) send(ctx context.Context) (rest []item, f *fault) {
	f = s.ship(ctx)
	switch {
	case f == nil || len(s.packed) == 0:
		return s.rest, f
	case !f.class.Permanent():
		return append(s.packed, s.rest...), f
	case len(s.packed) == 1:
		s.refuse(s.packed[0], *f)
		return s.rest, nil
	}
	return s.oneByOne(ctx, *f)
}

// oneByOne finds the items for which the broker refused the batch, so that they stop
// their own keys only. If it takes each alone, it is the mixture that it refused.
func (s *shipment) oneByOne(ctx context.Context, why fault) (rest []item, f *fault) {
	refused := why.class != outbox.Rejected
	for i, it := range s.packed {
		one := s.p.newShipment([]item{it})
		f := one.ship(ctx)
		switch {
		case f == nil:
		case f.class.Permanent():
			s.refuse(it, *f)
			refused = true
		default:
			return append(s.packed[i:], s.rest...), f
		}
	}
	if !refused && mixed(s.packed) {
		s.p.oneSession.Store(true)
	}
	return s.rest, nil
}

func mixed(items []item) bool {
	for _, it := range items {
		if it.event().Key != items[0].event().Key {
			return true
		}
	}
	return false
}

// ship packs and sends, twice if the first send met a session that was broken before,
// and settles the packed items if that went well.
func (s *shipment) ship(ctx context.Context) *fault {
	for try := 0; ; try++ {
		f, stale := s.once(ctx)
		if f == nil {
			for _, it := range s.packed {
				it.c.settle(it.i, nil)
			}
			return nil
		}
		if !stale || try > 0 {
			return f
		}
	}
}

// once makes one attempt. stale means that the link was good for nothing, so that a
// fresh one may do better.
func (s *shipment) once(ctx context.Context) (f *fault, stale bool) {
	link, packet, f := s.pack(ctx)
	if f != nil || len(s.packed) == 0 {
		return f, false
	}
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	began := time.Now()
	var err error
	if s.large {
		err = link.single(ctx, message(s.packed[0].event()))
	} else {
		err = packet.send(ctx)
	}
	if err == nil {
		s.tell(began, nil)
		return nil, false
	}
	fault := diagnose(ctx, err, sending)
	s.tell(began, &outbox.Error{Class: fault.class, Condition: fault.condition, Op: "send to " + s.p.topic, Err: fault.err})
	link.failed(fault, time.Since(began))
	return &fault, fault.broken && ctx.Err() == nil
}

// tell tells the observer of a send that has ended.
func (s *shipment) tell(began time.Time, err error) {
	if s.p.observer == nil {
		return
	}
	sent := Sent{Topic: s.p.topic, Events: make([]*outbox.Event, len(s.packed)), Began: began, Took: time.Since(began), Err: err}
	for i, it := range s.packed {
		sent.Events[i] = it.event()
	}
	s.p.observer(sent)
}

// pack fills a message batch from the items. Items that can't go are settled here.
func (s *shipment) pack(ctx context.Context) (link, packet, *fault) {
	s.packed, s.rest, s.large = nil, s.items, false
	ctx, cancel := s.deadline(ctx)
	defer cancel()
	l, err := s.p.attach(ctx, s.p.topic)
	if err != nil {
		return nil, nil, new(diagnose(ctx, err, attaching))
	}
	b, err := l.batch(ctx)
	if err != nil {
		f := diagnose(ctx, err, attaching)
		l.failed(f, stallTime)
		return nil, nil, &f
	}
	for len(s.rest) > 0 && s.take(b, s.rest[0]) {
		s.rest = s.rest[1:]
	}
	s.items = append(s.packed[:len(s.packed):len(s.packed)], s.rest...) // what a second attempt starts from
	return l, b, nil
}

// take puts it into the batch, or out of the way. False: the batch is complete without it.
func (s *shipment) take(b packet, it item) bool {
	e := it.event()
	switch {
	case s.large, s.p.oneSession.Load() && len(s.packed) > 0 && s.packed[0].event().Key != e.Key:
		return false
	case it.c.abandoned():
		it.c.settle(it.i, errNoAnswer) // nobody will see it
		return true
	case it.c.blocked(it.i):
		it.c.settle(it.i, outbox.ErrNotAttempted)
		return true
	}
	if err := check(e); err != nil {
		s.refuse(it, fault{class: outbox.Rejected, err: err})
		return true
	}
	switch err := b.add(message(e)); {
	case err == nil:
	case !errors.Is(err, azservicebus.ErrMessageTooLarge):
		s.refuse(it, fault{class: outbox.Rejected, err: err}) // it can't even be encoded
		return true
	case len(s.packed) > 0:
		return false
	default:
		s.large = true
	}
	s.packed = append(s.packed, it)
	return true
}

// deadline bounds a step by the send timeout and by the most patient of its callers.
func (s *shipment) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	until := time.Now().Add(s.p.timeout)
	var last time.Time
	for _, it := range s.items {
		if it.c.until.IsZero() {
			return context.WithDeadline(ctx, until)
		}
		if it.c.until.After(last) {
			last = it.c.until
		}
	}
	if last.Before(until) {
		until = last
	}
	return context.WithDeadline(ctx, until)
}

func (s *shipment) refuse(it item, f fault) { it.c.settle(it.i, it.c.fault(it.i, f)) }

// fail gives the fault to the first event of each key in each call, and
// ErrNotAttempted to those behind it.
func (s *shipment) fail(items []item, f fault) {
	for _, it := range items {
		if it.c.blocked(it.i) {
			it.c.settle(it.i, outbox.ErrNotAttempted)
		} else {
			s.refuse(it, f)
		}
	}
}
