package explore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// Views is the consumer's store: every state that the one read model ever had. Its data is
// the list of the events that had their effect.
type Views struct {
	w       *World
	history []view
}

type view struct {
	model   inbox.Model
	effects []int64
	early   []inbox.Early
}

func newViews(w *World) *Views { return &Views{w: w, history: []view{{}}} }

func (v *Views) now() view { return v.history[len(v.history)-1] }

func (v view) text() string {
	text := fmt.Sprintf("effects %d", v.effects)
	if len(v.model.Early) > 0 || len(v.early) > 0 {
		text += fmt.Sprintf(", early %v", v.model.Early)
	}
	return text
}

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

// reads is a read of the store: whatever it has been in, if replicas lag.
func (m models) reads(ctx context.Context, label string, show func(at view) any) (any, error) {
	v := m.p.w.Views
	does := func(at view) func() (result, string) {
		return func() (result, string) { return result{value: show(at)}, at.text() }
	}
	fails := func() (result, string) {
		return result{err: &inbox.Transient{Op: label, Err: errors.New("away")}}, ""
	}
	r := m.p.ask(ctx, call{
		label: label,
		outcomes: func() []outcome {
			all := []outcome{{do: does(v.now())}, {fault: Fail, do: fails}}
			if label == "load" { // early events are read under the token of the model
				for _, old := range v.history[:len(v.history)-1] {
					all = append(all, outcome{name: old.text(), fault: Stale, do: does(old)})
				}
			}
			return all
		},
		cut: outcome{name: "given up", do: fails},
	})
	return r.value, r.err
}

// Load implements inbox.Store.
func (m models) Load(ctx context.Context, key string) (inbox.Model, error) {
	value, err := m.reads(ctx, "load", func(at view) any {
		model := at.model
		model.Key = key
		return model
	})
	model, _ := value.(inbox.Model)
	return model, err
}

// Early implements inbox.Store.
func (m models) Early(ctx context.Context, _ string, limit int) ([]inbox.Early, error) {
	value, err := m.reads(ctx, "early", func(at view) any {
		all := slices.Clone(at.early)
		slices.SortFunc(all, func(a, b inbox.Early) int { return cmp.Compare(a.Event.Seq, b.Event.Seq) })
		return all[:min(limit, len(all))]
	})
	early, _ := value.([]inbox.Early)
	return early, err
}

// Waiting implements inbox.Store: nobody sweeps here, for nothing is missing in the end.
func (m models) Waiting(context.Context, time.Time, func([]string) error) error { return nil }

// Commit implements inbox.Store.
func (m models) Commit(ctx context.Context, c inbox.Change) (string, error) {
	v := m.p.w.Views
	label := fmt.Sprintf("apply %s over %q, early %v", c.Model.Data, c.Model.Revision, c.Model.Early)
	away := &inbox.Transient{Op: label, Err: errors.New("away")}
	r := m.p.change(ctx, label, func() (result, string) {
		now := v.now()
		if now.model.Revision != c.Model.Revision {
			return result{err: inbox.ErrConflict}, "conflict"
		}
		next := view{model: c.Model, early: slices.Clone(now.early)}
		for _, e := range c.Remove {
			next.early = slices.DeleteFunc(next.early, func(o inbox.Early) bool { return o.Event.Seq == e.Event.Seq })
		}
		next.early = append(next.early, c.Add...)
		next.model.Revision = fmt.Sprint(len(v.history))
		if len(c.Model.Data) > 0 {
			if err := json.Unmarshal(c.Model.Data, &next.effects); err != nil {
				v.w.fail(err)
			}
		}
		v.history = append(v.history, next)
		v.check(next)
		return result{value: next.model.Revision}, next.text()
	}, away, away)
	revision, _ := r.value.(string)
	return revision, r.err
}

// check looks at what an event's effect must be: the next one. And who is early is listed.
func (v *Views) check(now view) {
	for i, seq := range now.effects {
		switch {
		case seq != int64(i)+1:
			v.w.fail(fmt.Errorf("G3 and G4, effects in order, each once, without gaps: the read model has had %d", now.effects))
		case now.model.LastSeq != now.effects[len(now.effects)-1]:
			v.w.fail(fmt.Errorf("G4: the read model has had %d and says it is at %d", now.effects, now.model.LastSeq))
		}
	}
	var there inbox.Numbers
	for _, e := range now.early {
		there = there.With(e.Event.Seq, e.Event.Seq)
	}
	if !slices.Equal(there, now.model.Early) {
		v.w.fail(fmt.Errorf("G1, no loss: early are %v, and the model says %v", there, now.model.Early))
	}
}

// Consume receives messages, as many at a time as it has hands, and gives them their effect.
func (p *Proc) Consume(box *inbox.Inbox, hands int, decode func(outbox.Event) (inbox.Event, error)) {
	for n := range hands {
		hand := fmt.Sprint("hand ", n)
		p.Run(hand, func(ctx context.Context) {
			for {
				m, err := p.receive(ctx, hand)
				if err != nil {
					return
				}
				if err := handle(ctx, box, decode, m); err != nil {
					p.w.Bus.abandon(m)
					if ctx.Err() != nil {
						return
					}
					continue
				}
				p.complete(ctx, m)
			}
		})
	}
}

func handle(ctx context.Context, box *inbox.Inbox, decode func(outbox.Event) (inbox.Event, error), m message) error {
	e, err := decode(m.event)
	if err == nil {
		_, err = box.Once(ctx, e)
	}
	return err
}
