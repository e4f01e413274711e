package explore

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/outbox"
)

// SeedEntity stores an entity of version 1 whose event has long been sent.
func (s *Store) SeedEntity(data string) {
	s.history = []*partition{{entity: outbox.Entity{
		Key: key, Version: 1, LastSeq: 1, Data: []byte(data), Batch: "seed", Place: "here", Revision: "1",
		Incarnation: outbox.Incarnation{ID: "seed", First: 1},
	}}}
}

// Writes is the store as a writer of p sees it.
func (p *Proc) Writes() outbox.Store { return writes{p} }

type writes struct{ p *Proc }

// Load implements outbox.Store.
func (s writes) Load(ctx context.Context, _ string) (outbox.Entity, error) {
	return look(s.p, ctx, "load", !s.p.w.Jumps, func(at *partition) (outbox.Entity, string) {
		e := at.entity
		e.Key = key
		return e, at.short()
	})
}

// Receipt implements outbox.Store.
func (s writes) Receipt(ctx context.Context, _, id string) (*outbox.Receipt, error) {
	return look(s.p, ctx, "read receipt", !s.p.w.Jumps, func(at *partition) (*outbox.Receipt, string) {
		i := slices.IndexFunc(at.receipts, func(r outbox.Receipt) bool { return r.ID == id })
		if i < 0 {
			return nil, "none"
		}
		r := at.receipts[i]
		return &r, s.p.w.receiptText(r)
	})
}

// Barrier implements outbox.Store. What it promises begins when it was called.
func (s writes) Barrier(ctx context.Context, _ string) error {
	p := s.p
	asked := len(p.w.Store.history) - 1
	fails := func() (result, string) { return result{err: timeout("barrier")}, "" }
	return p.ask(ctx, call{
		label: "barrier",
		outcomes: func() []outcome {
			return []outcome{
				{do: func() (result, string) { p.floor = max(p.floor, asked); return result{}, "" }},
				{fault: Fail, do: fails},
			}
		},
		cut: outcome{name: "given up", do: fails},
	}).err
}

// Place implements outbox.Store. Nothing happens to the container.
func (s writes) Place(context.Context, string) (outbox.Place, error) {
	return outbox.Place{ID: "here"}, nil
}

// Commit implements outbox.Store.
func (s writes) Commit(ctx context.Context, c outbox.Commit) (outbox.Revisions, error) {
	p, store := s.p, s.p.w.Store
	label := p.commitText(c)
	r := p.change(ctx, label, func() (result, string) {
		now := store.now()
		for i, r := range c.Receipts {
			if slices.ContainsFunc(slices.Concat(now.receipts, c.Receipts[:i]), func(o outbox.Receipt) bool { return o.ID == r.ID }) {
				return result{err: &outbox.ReceiptExistsError{ID: r.ID}}, "receipt exists"
			}
		}
		if c.Entity.Revision != now.entity.Revision {
			return result{err: outbox.ErrConflict}, "conflict"
		}
		next := now.clone()
		next.entity = c.Entity
		next.entity.Revision = fmt.Sprint(len(store.history) + 1)
		next.receipts = append(next.receipts, c.Receipts...)
		for _, e := range c.Events {
			e.Revision = "1"
			next.put(store, e)
		}
		store.set(next)
		made := outbox.Revisions{Entity: next.entity.Revision, Events: slices.Repeat([]string{"1"}, len(c.Events))}
		return result{value: made}, "revision " + next.entity.Revision
	}, &outbox.Error{Class: outbox.Throttled, Op: label}, &outbox.Error{Class: outbox.Ambiguous, Op: label})
	made, _ := r.value.(outbox.Revisions)
	return made, r.err
}

// commitText is a batch with the ids that were drawn called by who drew them.
func (p *Proc) commitText(c outbox.Commit) string {
	var t strings.Builder
	fmt.Fprintf(&t, "commit %s over %q: version %d %s", p.named(c.Entity.Batch), c.Entity.Revision, c.Entity.Version, contents(c.Entity))
	if c.Entity.Incarnation.ID != "" {
		fmt.Fprint(&t, " of ", p.named(c.Entity.Incarnation.ID))
	}
	if len(c.Events) > 0 {
		fmt.Fprint(&t, ", events ", eventsText(c.Events))
	}
	for _, r := range c.Receipts {
		fmt.Fprint(&t, ", ", p.w.receiptText(r))
	}
	return t.String()
}

func contents(e outbox.Entity) string {
	switch {
	case e.Version == 0:
		return "nothing"
	case e.Deleted:
		return "deleted"
	}
	return string(e.Data)
}

func (w *World) receiptText(r outbox.Receipt) string {
	return fmt.Sprintf("receipt %.5s %s: %d %s by %s", r.ID, r.RequestHash, r.Answer.Status, r.Answer.ETag, w.names[r.Batch])
}

// short is the entity for a person; two states of a path never have the same.
func (p *partition) short() string {
	if p.entity.Revision == "" {
		return "nothing"
	}
	return fmt.Sprintf("revision %s, version %d %s", p.entity.Revision, p.entity.Version, contents(p.entity))
}

// Write lets p carry out a request, from a moment on that the explorer chooses.
func (p *Proc) Write(writer *outbox.Writer, name string, req outbox.Request) *Op {
	o := &Op{p: p, name: name, req: req}
	p.w.ops = append(p.w.ops, o)
	p.Call(name, func(ctx context.Context) {
		o.begin()
		answer, err := writer.Write(ctx, req)
		o.end(answer, err)
	})
	return o
}
