package explore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// Views is the consumer's store: every state that the one read model ever had. Its data is
// the list of the events that had their effect.
type Views struct {
	w *World
	// Forgets: receipts are gone at once, as their time to live has it in the end.
	Forgets bool
	history []view
}

type view struct {
	model    inbox.Model
	effects  []int64
	receipts []string
}

func newViews(w *World) *Views { return &Views{w: w, history: []view{{}}} }

func (v *Views) now() view { return v.history[len(v.history)-1] }

func (v view) text() string { return fmt.Sprintf("effects %d", v.effects) }

// text is the read models' part of the state.
func (v *Views) text(stale bool) string {
	h := v.history
	if !stale {
		h = h[len(h)-1:]
	}
	var b strings.Builder
	for _, one := range h {
		b.WriteString(one.text())
	}
	return b.String()
}

// effect is the inbox.Apply of all cases: it notes the event.
func effect(model json.RawMessage, e inbox.Event) (json.RawMessage, error) {
	var effects []int64
	if len(model) > 0 {
		if err := json.Unmarshal(model, &effects); err != nil {
			return nil, err
		}
	}
	return json.Marshal(append(effects, e.Seq))
}

// Models is the consumer's store as p sees it.
func (p *Proc) Models() inbox.Store { return models{p} }

type models struct{ p *Proc }

type loaded struct {
	model inbox.Model
	seen  bool
}

// Load implements inbox.Store.
func (m models) Load(ctx context.Context, key, eventID string) (inbox.Model, bool, error) {
	v := m.p.w.Views
	show := func(at view) func() (result, string) {
		return func() (result, string) {
			model := at.model
			model.Key = key
			return result{value: loaded{model, slices.Contains(at.receipts, eventID)}}, at.text()
		}
	}
	fails := func() (result, string) {
		return result{err: &inbox.Transient{Op: "load", Err: errors.New("away")}}, ""
	}
	r := m.p.ask(ctx, call{
		label: "load",
		outcomes: func() []outcome {
			all := []outcome{{do: show(v.now())}, {fault: Fail, do: fails}}
			for _, old := range v.history[:len(v.history)-1] {
				all = append(all, outcome{name: old.text(), fault: Stale, do: show(old)})
			}
			return all
		},
		cut: outcome{name: "given up", do: fails},
	})
	l, _ := r.value.(loaded)
	return l.model, l.seen, r.err
}

// Apply implements inbox.Store.
func (m models) Apply(ctx context.Context, model inbox.Model, eventID string) error {
	v := m.p.w.Views
	label := fmt.Sprintf("apply %s over %q", model.Data, model.Revision)
	away := &inbox.Transient{Op: label, Err: errors.New("away")}
	return m.p.change(ctx, label, func() (result, string) {
		now := v.now()
		switch {
		case slices.Contains(now.receipts, eventID):
			return result{err: inbox.ErrDuplicate}, "duplicate"
		case now.model.Revision != model.Revision:
			return result{err: inbox.ErrConflict}, "conflict"
		}
		next := view{model: model}
		if !v.Forgets {
			next.receipts = append(slices.Clone(now.receipts), eventID)
		}
		next.model.Revision = fmt.Sprint(len(v.history))
		if err := json.Unmarshal(model.Data, &next.effects); err != nil {
			v.w.fail(err)
		}
		v.history = append(v.history, next)
		v.check(next)
		return result{}, next.text()
	}, away, away).err
}

// check looks at what an event's effect must be: the next one.
func (v *Views) check(now view) {
	for i, seq := range now.effects {
		switch {
		case seq != int64(i)+1:
			v.w.fail(fmt.Errorf("G3 and G4, effects in order, each once, without gaps: the read model has had %d", now.effects))
		case now.model.LastSeq != now.effects[len(now.effects)-1]:
			v.w.fail(fmt.Errorf("G4: the read model has had %d and says it is at %d", now.effects, now.model.LastSeq))
		}
	}
}

// Consume receives messages one after another and gives them their effect.
func (p *Proc) Consume(box *inbox.Inbox, decode func(outbox.Event) (inbox.Event, error)) {
	p.Run("consumer", func(ctx context.Context) {
		for {
			m, err := p.receive(ctx)
			if err != nil {
				return
			}
			if err := handle(ctx, box, decode, m); err != nil {
				p.abandon(m)
				if ctx.Err() != nil {
					return
				}
				continue
			}
			p.complete(ctx, m)
		}
	})
}

func handle(ctx context.Context, box *inbox.Inbox, decode func(outbox.Event) (inbox.Event, error), m message) error {
	e, err := decode(m.event)
	if err == nil {
		_, err = box.Once(ctx, e)
	}
	return err
}
