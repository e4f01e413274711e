package explore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/outbox"
)

// Bus is the broker: what it accepted, in order, and what of it a subscription without sessions
// still has to deliver, the first message first, but each under a lock of its own.
type Bus struct {
	w *World
	// Refuses are the events that the broker refuses for what they are.
	Refuses []int64
	// Drops: a copy inside the duplicate detection's window is accepted and goes nowhere.
	Drops bool
	// Copies says that it matters which copies came in which order: somebody consumes them.
	Copies bool
	log    []outbox.Event
	held   map[int]*lock // who has a message, by its place in log
	done   map[int]bool  // what is completed
}

// lock is one delivery of a message.
type lock struct{ owner *Proc }

func newBus(w *World) *Bus { return &Bus{w: w, held: map[int]*lock{}, done: map[int]bool{}} }

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
		fmt.Fprint(&t, e.Seq)
		switch {
		case b.done[i]:
			t.WriteString("✓")
		case b.held[i] != nil:
			t.WriteString("…")
		}
		t.WriteString(" ")
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
	lock  *lock
}

// free is the place of the first message that nobody has, -1 for none.
func (b *Bus) free() int {
	for i := range b.log {
		if !b.done[i] && b.held[i] == nil {
			return i
		}
	}
	return -1
}

// left are the messages that are not completed.
func (b *Bus) left() (events []outbox.Event) {
	for i, e := range b.log {
		if !b.done[i] {
			events = append(events, e)
		}
	}
	return events
}

// receive waits for the next message, and locks it.
func (p *Proc) receive(ctx context.Context, hand string) (message, error) {
	b := p.w.Bus
	r := p.ask(ctx, call{label: "receive " + hand, outcomes: func() []outcome {
		at := b.free()
		if at < 0 {
			return nil
		}
		return []outcome{{do: func() (result, string) {
			m := message{b.log[at], at, &lock{p}}
			b.held[at] = m.lock
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
		if b.held[m.place] != m.lock {
			return result{}, "no lock"
		}
		delete(b.held, m.place)
		b.done[m.place] = true
		return result{}, b.text()
	}, errCut, errCut)
}

// abandon gives the message back.
func (b *Bus) abandon(m message) {
	b.w.mu.Lock()
	defer b.w.mu.Unlock()
	if b.held[m.place] == m.lock {
		delete(b.held, m.place)
	}
}

// gone frees the messages of who is gone.
func (b *Bus) gone(p *Proc) {
	for at, l := range b.held {
		if l.owner == p {
			delete(b.held, at)
		}
	}
}

// unlock are the messages whose lock may run out: the place and its owner, the first first.
func (b *Bus) unlock() (places []int) {
	for at := range b.log {
		if b.held[at] != nil {
			places = append(places, at)
		}
	}
	return places
}
