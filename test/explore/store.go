package explore

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relaybox/relaybox/outbox"
)

// key is the one that all cases are about: keys have nothing in common.
const key = "note:1"

// Store is the writing side's store: every state that the partition ever had. States are
// values, never changed.
type Store struct {
	w       *World
	history []*partition
	// sent tells which events the store has ever held, by id: what may reach the broker.
	sent map[string]outbox.Event
}

type partition struct {
	entity   outbox.Entity
	receipts []outbox.Receipt
	events   []outbox.Event // pending and parked, in order
	memo     string
}

func (p *partition) clone() *partition {
	return &partition{entity: p.entity, receipts: slices.Clone(p.receipts), events: slices.Clone(p.events)}
}

func newStore(w *World) *Store {
	return &Store{w: w, history: []*partition{{}}, sent: map[string]outbox.Event{}}
}

func (s *Store) now() *partition { return s.history[len(s.history)-1] }

func (s *Store) set(p *partition) { s.history = append(s.history, p) }

// Seed stores events 1 to n as if they had been committed one by one.
func (s *Store) Seed(n int64) {
	for seq := range n {
		p := s.now().clone()
		p.put(s, outbox.Event{Key: key, Seq: seq + 1, ID: fmt.Sprint("e", seq+1), Revision: "1", CreatedAt: time.Now()})
		s.set(p)
	}
}

func (p *partition) put(s *Store, e outbox.Event) {
	p.events = append(p.events, e)
	s.sent[e.ID] = e
}

// text is what the partition holds.
func (p *partition) text(w *World) string {
	if p.memo == "" {
		p.memo = "events " + eventsText(p.events)
		if p.entity.Revision != "" {
			p.memo += fmt.Sprintf(" %s, batch %s, of %s", p.short(), w.names[p.entity.Batch], w.names[p.entity.Incarnation.ID])
		}
		for _, r := range p.receipts {
			p.memo += ", " + w.receiptText(r)
		}
	}
	return p.memo
}

func eventsText(events []outbox.Event) string {
	texts := make([]string, len(events))
	for i, e := range events {
		texts[i] = strconv.FormatInt(e.Seq, 10)
		if e.Parked() {
			texts[i] += " parked" + strings.TrimLeft(e.Revision, "1")
		}
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// text is the store's part of the state: with all that a replica may still show, if one may.
func (s *Store) text(stale bool) string {
	var b strings.Builder
	h := s.history
	if !stale {
		h = h[len(h)-1:]
	}
	for _, p := range h {
		b.WriteString(p.text(s.w))
		b.WriteByte('\n')
	}
	return b.String()
}

// look is a read of the partition: of its present state, or, as a fault, of an older one that
// shows something else. Reads of a session go back no further than the last one did.
func look[T any](p *Proc, ctx context.Context, label string, session bool, view func(*partition) (T, string)) (T, error) {
	s, floor := p.w.Store, p.floor
	fails := func() (result, string) { return result{err: timeout(label)}, "" }
	show := func(at int) func() (result, string) {
		return func() (result, string) {
			v, seen := view(s.history[at])
			if session {
				p.floor = max(p.floor, at)
			}
			return result{value: v}, seen
		}
	}
	r := p.ask(ctx, call{
		label: label,
		outcomes: func() []outcome {
			now := len(s.history) - 1
			if !p.w.may(Stale) {
				return []outcome{{do: show(now)}, {fault: Fail, do: fails}}
			}
			all := []outcome{{}, {fault: Fail, do: fails}}
			_, seen := view(s.history[now])
			shown := []string{seen}
			for at, old := range s.history[floor:] {
				switch _, text := view(old); {
				case text == seen && all[0].do == nil:
					all[0].do = show(floor + at) // the oldest that looks like the present one
				case !slices.Contains(shown, text):
					shown = append(shown, text)
					all = append(all, outcome{name: text, fault: Stale, do: show(floor + at)})
				}
			}
			return all
		},
		cut: outcome{name: "given up", do: fails},
	})
	v, _ := r.value.(T)
	return v, r.err
}

func timeout(op string) error     { return &outbox.Error{Class: outbox.Timeout, Op: op} }
func unavailable(op string) error { return &outbox.Error{Class: outbox.Unavailable, Op: op} }

// Queue is the store as a dispatcher of p sees it.
func (p *Proc) Queue() outbox.Queue { return queue{p} }

type queue struct{ p *Proc }

// Find implements outbox.Queue.
func (q queue) Find(ctx context.Context, visit func([]outbox.Head) error) error {
	return q.find(ctx, "find", visit, func(e outbox.Event) bool { return !e.Parked() })
}

// Parked implements outbox.Queue.
func (q queue) Parked(ctx context.Context, visit func([]outbox.Head) error) error {
	return q.find(ctx, "find parked", visit, outbox.Event.Parked)
}

func (q queue) find(ctx context.Context, label string, visit func([]outbox.Head) error, wanted func(outbox.Event) bool) error {
	heads, err := look(q.p, ctx, label, false, func(p *partition) ([]outbox.Head, string) {
		at := slices.IndexFunc(p.events, wanted)
		if at < 0 {
			return nil, "nothing"
		}
		h := outbox.Head{Key: key, CreatedAt: p.events[at].CreatedAt}
		if f := p.events[at].Fault; f != nil {
			h.Due = f.Due()
		}
		return []outbox.Head{h}, key
	})
	if err != nil || len(heads) == 0 {
		return err
	}
	return visit(heads)
}

// Pending implements outbox.Queue.
func (q queue) Pending(ctx context.Context, _ string, after int64, limit int) ([]outbox.Event, error) {
	return look(q.p, ctx, "pending", false, func(p *partition) ([]outbox.Event, string) {
		from := slices.IndexFunc(p.events, func(e outbox.Event) bool { return e.Seq > after })
		if from < 0 {
			return nil, "nothing"
		}
		page := p.events[from:min(len(p.events), from+limit)]
		return slices.Clone(page), eventsText(page)
	})
}

// Settle implements outbox.Queue. What it removes must have reached the broker.
func (q queue) Settle(ctx context.Context, _ string, events []outbox.Event) error {
	s := q.p.w.Store
	label := "settle " + eventsText(events)
	return q.p.change(ctx, label, func() (result, string) {
		old := s.now()
		p := &partition{entity: old.entity, receipts: old.receipts}
		for _, e := range old.events {
			if !slices.ContainsFunc(events, func(o outbox.Event) bool { return o.ID == e.ID }) {
				p.events = append(p.events, e)
			} else if !q.p.w.Bus.has(e) {
				q.p.w.fail(fmt.Errorf("G1, no loss: event %d was removed from the store, and the broker has never got it", e.Seq))
			}
		}
		if len(p.events) != len(old.events) {
			s.set(p)
		}
		return result{}, eventsText(p.events)
	}, unavailable(label), timeout(label)).err
}

// Park implements outbox.Queue.
func (q queue) Park(ctx context.Context, e outbox.Event, f outbox.Fault) error {
	s := q.p.w.Store
	label := fmt.Sprint("park ", e.Seq)
	return q.p.change(ctx, label, func() (result, string) {
		i := slices.IndexFunc(s.now().events, func(o outbox.Event) bool { return o.ID == e.ID })
		if i < 0 || s.now().events[i].Revision != e.Revision {
			return result{}, "another revision"
		}
		if !e.Parked() && q.p.w.Bus.has(e) {
			q.p.w.fail(fmt.Errorf("G9, safe overlap: event %d was parked, and the broker has it", e.Seq))
		}
		p := s.now().clone()
		p.events[i].Fault, p.events[i].Revision = &f, e.Revision+"'"
		s.set(p)
		return result{}, eventsText(p.events)
	}, unavailable(label), timeout(label)).err
}
