package explore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/outbox"
)

// Bus is the broker: what it accepted, in order, and what of it a subscription still has to
// deliver, one message at a time, to whoever holds the session's lock.
type Bus struct {
	w *World
	// Refuses are the events that the broker refuses for what they are.
	Refuses []int64
	// Drops: a copy inside the duplicate detection's window is accepted and goes nowhere.
	Drops bool
	// Copies says that it matters which copies came in which order: somebody consumes them.
	Copies bool
	log    []outbox.Event
	next   int   // the first message that is not completed
	lock   int   // counts the locks
	owner  *Proc // who has the session, nil for nobody
}

func newBus(w *World) *Bus { return &Bus{w: w} }

func (b *Bus) has(e outbox.Event) bool {
	return slices.ContainsFunc(b.log, func(o outbox.Event) bool { return o.ID == e.ID })
}

// take accepts one copy of an event, and looks at what it must be.
func (b *Bus) take(e outbox.Event) string {
	stored, ok := b.w.Store.sent[e.ID]
	switch {
	case !ok || stored.Key != e.Key || stored.Seq != e.Seq || string(stored.Envelope) != string(e.Envelope):
		b.w.fail(fmt.Errorf("G2, no phantom: event %d (%s) reached the broker, and was never committed", e.Seq, e.ID))
	case e.Seq > b.reached()+1:
		b.w.fail(fmt.Errorf("G3, order: event %d reached the broker before event %d", e.Seq, b.reached()+1))
	}
	if !b.Drops || !b.has(e) {
		b.log = append(b.log, e)
	}
	return b.text()
}

func (b *Bus) reached() (seq int64) {
	for _, e := range b.log {
		seq = max(seq, e.Seq)
	}
	return seq
}

// text is the broker's part of the state.
func (b *Bus) text() string {
	if !b.Copies {
		return fmt.Sprint("broker has ", b.reached())
	}
	var t strings.Builder
	t.WriteString("broker [")
	for i, e := range b.log {
		if i == b.next {
			t.WriteString("| ")
		}
		fmt.Fprint(&t, e.Seq, " ")
	}
	t.WriteString("]")
	return t.String()
}

// Publisher is the broker as a dispatcher of p sees it. Each event travels alone, so that
// those of others come between.
func (p *Proc) Publisher() outbox.Publisher { return publisher{p} }

type publisher struct{ p *Proc }

// Publish implements outbox.Publisher.
func (s publisher) Publish(ctx context.Context, events []outbox.Event) []error {
	results := make([]error, len(events))
	for i, e := range events {
		if i > 0 && results[i-1] != nil {
			results[i] = outbox.ErrNotAttempted
			continue
		}
		results[i] = s.send(ctx, e)
	}
	return results
}

func (s publisher) send(ctx context.Context, e outbox.Event) error {
	b := s.p.w.Bus
	label := fmt.Sprint("send ", e.Seq)
	return s.p.change(ctx, label, func() (result, string) {
		if slices.Contains(b.Refuses, e.Seq) {
			return result{err: &outbox.Error{Class: outbox.Rejected, Op: label}}, "refused"
		}
		return result{}, b.take(e)
	}, unavailable(label), timeout(label)).err
}

// message is one delivery.
type message struct {
	event outbox.Event
	place int
	lock  int
}

// receive waits for the next message of the session, with the session's lock.
func (p *Proc) receive(ctx context.Context) (message, error) {
	b := p.w.Bus
	r := p.ask(ctx, call{label: "receive", outcomes: func() []outcome {
		if b.next >= len(b.log) || b.owner != nil && b.owner != p {
			return nil
		}
		return []outcome{{do: func() (result, string) {
			if b.owner == nil {
				b.lock++
			}
			b.owner = p
			m := message{b.log[b.next], b.next, b.lock}
			return result{value: m}, fmt.Sprint("event ", m.event.Seq)
		}}}
	}})
	m, _ := r.value.(message)
	return m, r.err
}

// complete tells the broker that the message is done with; without the lock it is not.
func (p *Proc) complete(ctx context.Context, m message) {
	b := p.w.Bus
	_ = p.change(ctx, fmt.Sprint("complete ", m.event.Seq), func() (result, string) {
		if b.lock != m.lock || b.next != m.place || b.owner == nil {
			return result{}, "no lock"
		}
		b.next++
		return result{}, b.text()
	}, errCut, errCut)
}

// abandon gives the message back.
func (p *Proc) abandon(m message) {
	if b := p.w.Bus; b.lock == m.lock {
		b.owner = nil
	}
}

// left frees the session of who is gone.
func (b *Bus) left(p *Proc) {
	if b.owner == p {
		b.owner = nil
	}
}
