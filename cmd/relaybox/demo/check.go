package demo

import (
	"cmp"
	"maps"
	"slices"
)

// verdict is the outcome of the check, and the figures of the table.
type verdict struct {
	broken []*violation

	acknowledged int // intents that some client was told are done
	declined     int // intents that some client was told the state does not allow
	unknown      int // intents that no client knows the end of
	found        int // changes that were applied though nobody was told
	events       int // events that the changes make
	published    int // distinct events on the bus
	copies       int // further copies of them on the bus
	kept         int // entities that the cache has
	consumed     int // distinct events that the consumer applied
	lost         int // events that must exist and had no effect
	disorder     int // events on the bus before an earlier one of their entity
	listed       int // profiles whose address the second consumer has
	unlisted     int // profiles of which it has another one, or none
	histories    map[string]*history
	kinds        map[*kind]*tally
}

// tally are the figures of one kind.
type tally struct{ acknowledged, declined, events, entities int }

// check holds the evidence against every invariant.
func check(e evidence) verdict {
	v := verdict{histories: map[string]*history{}, kinds: map[*kind]*tally{}}
	for _, k := range kinds {
		v.kinds[k] = &tally{}
	}
	for _, key := range e.keys() {
		v.checkKey(key, e)
	}
	for _, id := range e.dead {
		v.broken = append(v.broken, broken(noDeadLetter, "message %s", id))
	}
	slices.SortStableFunc(v.broken, func(a, b *violation) int {
		return cmp.Compare(slices.Index(pathOrder, a.invariant), slices.Index(pathOrder, b.invariant))
	})
	return v
}

func (e evidence) keys() []string {
	all := map[string]bool{}
	for key := range e.attempts {
		all[key] = true
	}
	for key := range e.shown {
		all[key] = true
	}
	for key := range e.store {
		all[key] = true
	}
	for key := range e.bus {
		all[key] = true
	}
	for key := range e.views {
		all[key] = true
	}
	for key := range e.list {
		all[key] = true
	}
	return slices.Sorted(maps.Keys(all))
}

func (v *verdict) checkKey(key string, e evidence) {
	attempts, stored, seen := e.attempts[key], e.store[key], e.views[key]
	kind, id := splitKey(key)
	if kind == nil {
		if stored.entity != nil || seen.model != nil || e.list[key] != nil {
			v.broken = append(v.broken, broken(noPhantom, "%s: nobody asked for anything of this kind", key))
		}
		return
	}
	t := v.kinds[kind]
	v.countAttempts(attempts, t)
	v.broken = append(v.broken, checkAnswers(key, attempts)...)
	v.broken = append(v.broken, checkRecent(key, e.recent[key], attempts)...)

	bus, copies := distinct(e.bus[key])
	v.copies += copies
	v.published += len(bus)
	if m := seen.model; m != nil {
		v.consumed += int(m.LastSeq - m.Gaps)
	}

	h, bad := reconstruct(key, kind, attempts, stored.entity, bySeq(bus))
	v.histories[key] = h
	v.found += h.found
	v.events += len(h.events)
	t.events += len(h.events)
	t.entities += min(1, len(h.events))
	v.broken = append(v.broken, bad...)
	if len(bad) == 0 { // else not every version is known
		v.broken = append(v.broken, h.checkReads(e.shown[key])...)
	}
	for _, id := range slices.Concat(stored.leftover, seen.early) {
		v.broken = append(v.broken, broken(nothingLeft, "%s", id))
	}
	v.checkBus(h, bus)
	v.checkView(h, id, bus, seen)
	v.checkList(h, e.list[key])
	if e.kept != nil {
		v.checkKept(h, stored.entity, e, bus)
	}
}

// bySeq finds events by their own numbers.
func bySeq(events []busEvent) map[int64]busEvent {
	found := make(map[int64]busEvent, len(events))
	for _, e := range events {
		found[e.seq] = e
	}
	return found
}

func (v *verdict) countAttempts(attempts []attempt, t *tally) {
	done, no, open := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, a := range attempts {
		switch a.outcome {
		case acknowledged:
			done[a.intent.mark] = true
		case declined:
			no[a.intent.mark] = true
		case unknown:
			open[a.intent.mark] = true
		}
	}
	v.acknowledged += len(done)
	t.acknowledged += len(done)
	v.declined += len(no)
	t.declined += len(no)
	for mark := range open {
		if !done[mark] {
			v.unknown++
		}
	}
}

// checkBus compares the bus with the events that the changes make.
func (v *verdict) checkBus(h *history, bus []busEvent) {
	last := int64(0)
	on := map[int64]busEvent{}
	for _, e := range bus {
		if e.seq < last {
			v.disorder++
			v.broken = append(v.broken, broken(busOrder, "%s: event %d (%s) came after event %d", h.key, e.seq, e.id, last))
		}
		last = max(last, e.seq)
		if other, twice := on[e.seq]; twice {
			v.broken = append(v.broken, broken(noPhantomEvent, "%s: events %s and %s both have number %d", h.key, other.id, e.id, e.seq))
		}
		on[e.seq] = e
		if e.seq < 1 || e.seq > int64(len(h.events)) {
			v.broken = append(v.broken, broken(noPhantomEvent, "%s: event %d (%s) belongs to no change", h.key, e.seq, e.id))
		}
	}
	for i, want := range h.events {
		seq := int64(i + 1)
		got, there := on[seq]
		switch {
		case !there:
			v.broken = append(v.broken, broken(noLostEvent, "%s: event %d (%s) is not on the bus", h.key, seq, want.name))
		case got.name != want.name || !same(got.state, want.state):
			v.broken = append(v.broken, broken(noPhantomEvent, "%s: event %d says %s of %s, the change was %s of %s", h.key, seq, got.name, show(got.state), want.name, show(want.state)))
		}
	}
}

// checkView compares the consumer's read model with the history's end.
func (v *verdict) checkView(h *history, id string, bus []busEvent, seen view) {
	for _, e := range bus {
		if seen.model == nil || e.seq > seen.model.LastSeq {
			v.lost++
			v.broken = append(v.broken, broken(oneEffect, "%s: event %d (%s) was not applied", h.key, e.seq, e.id))
		}
	}
	v.lost += max(0, len(h.events)-len(bus))
	if seen.model == nil {
		if len(h.events) > 0 {
			v.broken = append(v.broken, broken(viewEqual, "%s: there is no read model", h.key))
		}
		return
	}
	m := seen.model
	if m.LastSeq != int64(len(h.events)) || m.Gaps != 0 {
		v.broken = append(v.broken, broken(viewEqual, "%s: the model stands at event %d with %d gaps, the store at %d", h.key, m.LastSeq, m.Gaps, len(h.events)))
	}
	last := h.states[len(h.states)-1]
	switch got, err := h.kind.read(m.Data.State); {
	case err != nil:
		v.broken = append(v.broken, broken(viewEqual, "%s: the model's state: %v", h.key, err))
	case m.Data.ID != id || !same(got, last):
		v.broken = append(v.broken, broken(viewEqual, "%s: the model holds %s as %q, the last write made %s", h.key, show(got), m.Data.ID, show(last)))
	}
	if got, want := canonical(m.Data.View), canonical(encode(h.kind.view(h.events))); got != want {
		v.broken = append(v.broken, broken(oneEffect, "%s: the view is %s, the changes make %s", h.key, got, want))
	}
}
