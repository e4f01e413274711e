package explore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/relaybox/relaybox/outbox"
)

// Store is the writing side's store: per key, every state that the partition ever had.
// States are values, never changed.
type Store struct {
	w       *World
	keys    []string
	history map[string][]*partition
	// sent tells which events the store has ever held, by id: what may reach the broker.
	sent map[string]outbox.Event
}

type partition struct {
	events []outbox.Event // pending and parked, in order
	memo   string
}

func newStore(w *World) *Store {
	return &Store{w: w, history: map[string][]*partition{}, sent: map[string]outbox.Event{}}
}

// key is the one that the case is about.
func (w *World) key() string {
	if len(w.Store.keys) == 0 {
		return ""
	}
	return w.Store.keys[0]
}

func (s *Store) now(key string) *partition {
	h := s.history[key]
	if len(h) == 0 {
		return &partition{}
	}
	return h[len(h)-1]
}

func (s *Store) set(key string, p *partition) {
	if len(s.history[key]) == 0 {
		s.keys = append(s.keys, key)
		slices.Sort(s.keys)
		s.history[key] = []*partition{{}}
	}
	s.history[key] = append(s.history[key], p)
}

// Seed stores events 1 to n of key as if they had been committed one by one.
func (s *Store) Seed(key string, n int64) {
	for seq := range n {
		p := &partition{events: slices.Clone(s.now(key).events)}
		p.put(s, outbox.Event{Key: key, Seq: seq + 1, ID: fmt.Sprint(key, "/", seq+1), Revision: "1", CreatedAt: time.Now()})
		s.set(key, p)
	}
}

func (p *partition) put(s *Store, e outbox.Event) {
	p.events = append(p.events, e)
	s.sent[e.ID] = e
}

// text is what the partition holds.
func (p *partition) text() string {
	if p.memo == "" {
		p.memo = "events " + eventsText(p.events)
	}
	return p.memo
}

func eventsText(events []outbox.Event) string {
	texts := make([]string, len(events))
	for i, e := range events {
		texts[i] = strconv.FormatInt(e.Seq, 10)
		if e.Parked() {
			texts[i] += " parked"
		}
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// text is the store's part of the state: with all that a replica may still show, if one may.
func (s *Store) text(stale bool) string {
	var b strings.Builder
	for _, key := range s.keys {
		h := s.history[key]
		if !stale {
			h = h[len(h)-1:]
		}
		for _, p := range h {
			b.WriteString(p.text())
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// look is a read of one partition: of its present state, or, as a fault, of an older one
// that shows something else.
func look[T any](p *Proc, ctx context.Context, label, key string, view func(*partition) (T, string)) (T, error) {
	s := p.w.Store
	show := func(at *partition) func() (result, string) {
		return func() (result, string) { v, seen := view(at); return result{value: v}, seen }
	}
	r := p.ask(ctx, call{
		label: label,
		outcomes: func() []outcome {
			now := s.now(key)
			_, seen := view(now)
			all := []outcome{
				{do: show(now)},
				{fault: Fail, do: func() (result, string) { return result{err: timeout(label)}, "" }},
			}
			if !p.w.may(Stale) {
				return all
			}
			shown := []string{seen}
			for _, old := range slices.Backward(s.history[key]) {
				if _, seen := view(old); !slices.Contains(shown, seen) {
					shown = append(shown, seen)
					all = append(all, outcome{name: seen, fault: Stale, do: show(old)})
				}
			}
			return all
		},
		cut: outcome{name: "given up", do: func() (result, string) { return result{err: timeout(label)}, "" }},
	})
	v, _ := r.value.(T)
	return v, r.err
}

func timeout(op string) error     { return &outbox.Error{Class: outbox.Timeout, Op: op} }
func unavailable(op string) error { return &outbox.Error{Class: outbox.Unavailable, Op: op} }

// Queue is the store as a dispatcher of p sees it.
func (p *Proc) Queue() outbox.Queue { return queue{p} }

type queue struct{ p *Proc }

// Find implements outbox.Queue. It searches one key: cases have no more.
func (q queue) Find(ctx context.Context, visit func([]outbox.Head) error) error {
	for _, key := range q.p.w.Store.keys {
		heads, err := look(q.p, ctx, "find", key, func(p *partition) ([]outbox.Head, string) {
			for _, e := range p.events {
				if !e.Parked() {
					return []outbox.Head{{Key: key, CreatedAt: e.CreatedAt}}, key
				}
			}
			return nil, "nothing"
		})
		if err != nil {
			return err
		}
		if len(heads) > 0 {
			if err := visit(heads); err != nil {
				return err
			}
		}
	}
	return nil
}

// Parked implements outbox.Queue. What is parked in a case is not due before its end.
func (q queue) Parked(context.Context, func([]outbox.Head) error) error { return nil }

// Pending implements outbox.Queue.
func (q queue) Pending(ctx context.Context, key string, after int64, limit int) ([]outbox.Event, error) {
	return look(q.p, ctx, "pending", key, func(p *partition) ([]outbox.Event, string) {
		from := slices.IndexFunc(p.events, func(e outbox.Event) bool { return e.Seq > after })
		if from < 0 {
			return nil, "nothing"
		}
		page := p.events[from:min(len(p.events), from+limit)]
		return slices.Clone(page), eventsText(page)
	})
}

// Settle implements outbox.Queue. What it removes must have reached the broker.
func (q queue) Settle(ctx context.Context, key string, events []outbox.Event) error {
	s := q.p.w.Store
	label := "settle " + eventsText(events)
	return q.p.change(ctx, label, func() (result, string) {
		old := s.now(key)
		p := &partition{}
		for _, e := range old.events {
			if !slices.ContainsFunc(events, func(o outbox.Event) bool { return o.ID == e.ID }) {
				p.events = append(p.events, e)
			} else if !q.p.w.Bus.has(e) {
				q.p.w.fail(fmt.Errorf("G1, no loss: event %d was removed from the store, and the broker has never got it", e.Seq))
			}
		}
		if len(p.events) != len(old.events) {
			s.set(key, p)
		}
		return result{}, p.text()
	}, unavailable(label), timeout(label)).err
}

// Park implements outbox.Queue.
func (q queue) Park(ctx context.Context, e outbox.Event, f outbox.Fault) error {
	s := q.p.w.Store
	label := fmt.Sprint("park ", e.Seq)
	return q.p.change(ctx, label, func() (result, string) {
		i := slices.IndexFunc(s.now(e.Key).events, func(o outbox.Event) bool { return o.ID == e.ID })
		if i < 0 || s.now(e.Key).events[i].Parked() || s.now(e.Key).events[i].Revision != e.Revision {
			return result{}, "no longer pending"
		}
		p := &partition{events: slices.Clone(s.now(e.Key).events)}
		p.events[i].Fault, p.events[i].Revision = &f, "2"
		s.set(e.Key, p)
		if q.p.w.Bus.has(e) {
			q.p.w.fail(fmt.Errorf("G9, safe overlap: event %d was parked, and the broker has it", e.Seq))
		}
		return result{}, p.text()
	}, unavailable(label), timeout(label)).err
}

// left is what the store still holds of key.
func (s *Store) left(key string) []outbox.Event {
	return slices.SortedFunc(slices.Values(s.now(key).events), bySeq)
}

func bySeq(a, b outbox.Event) int { return cmp.Compare(a.Seq, b.Seq) }
