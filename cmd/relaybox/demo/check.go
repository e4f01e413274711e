package demo

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// verdict is the outcome of the check, and the figures of the table.
type verdict struct {
	broken []*violation

	acknowledged int // intents that some client was told are done
	unknown      int // intents that no client knows the end of
	found        int // changes that were applied though nobody was told
	events       int // events that the changes make
	published    int // distinct events on the bus
	copies       int // further copies of them on the bus
	consumed     int // distinct events that the consumer applied
	lost         int // events that must exist and had no effect
	disorder     int // events on the bus before an earlier one of their profile
	histories    map[string]*history
}

// check holds the evidence against every invariant.
func check(e evidence) verdict {
	v := verdict{histories: map[string]*history{}}
	for _, key := range e.keys() {
		v.checkKey(key, e)
	}
	slices.SortStableFunc(v.broken, func(a, b *violation) int {
		return cmp.Compare(slices.Index(pathOrder, a.invariant), slices.Index(pathOrder, b.invariant))
	})
	return v
}

var pathOrder = []string{everyWrite, refusals, noLostWrite, noPhantom, conditions, oneChange, nothingLeft, noLostEvent, noPhantomEvent, busOrder, viewEqual, oneEffect}

func (e evidence) keys() []string {
	all := map[string]bool{}
	for key := range e.attempts {
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
	return slices.Sorted(maps.Keys(all))
}

func (v *verdict) checkKey(key string, e evidence) {
	attempts, stored, seen := e.attempts[key], e.store[key], e.views[key]
	v.countAttempts(attempts)
	v.broken = append(v.broken, checkAnswers(key, attempts)...)

	bus, copies := distinct(e.bus[key])
	v.copies += copies
	v.published += len(bus)
	v.consumed += len(seen.receipts)

	h, bad := reconstruct(key, attempts, stored.entity, bySeq(bus))
	v.histories[key] = h
	v.found += h.found
	v.events += len(h.events)
	v.broken = append(v.broken, bad...)
	for _, id := range stored.leftover {
		v.broken = append(v.broken, broken(nothingLeft, "%s", id))
	}
	v.checkBus(h, bus)
	v.checkView(h, bus, seen)
}

// bySeq finds events by their own numbers.
func bySeq(events []busEvent) map[int64]busEvent {
	found := make(map[int64]busEvent, len(events))
	for _, e := range events {
		found[e.seq] = e
	}
	return found
}

func (v *verdict) countAttempts(attempts []attempt) {
	done, open := map[string]bool{}, map[string]bool{}
	for _, a := range attempts {
		switch a.outcome {
		case acknowledged:
			done[a.intent.mark] = true
		case unknown:
			open[a.intent.mark] = true
		}
	}
	v.acknowledged += len(done)
	for mark := range open {
		if !done[mark] {
			v.unknown++
		}
	}
}

// checkAnswers looks at what clients were told, without any other witness.
func checkAnswers(key string, attempts []attempt) (bad []*violation) {
	twins := map[string]attempt{}
	for _, a := range attempts {
		if a.outcome == refused && a.status != 404 && a.status != 409 && a.status != 412 && a.status != 429 && a.status != 0 {
			bad = append(bad, broken(refusals, "%s: %s got %d: %.200s", key, a.intent.mark, a.status, a.answer))
		}
		if a.outcome != acknowledged {
			continue
		}
		if a.idempotencyKey != "" {
			first, twice := twins[a.idempotencyKey]
			if twice && (first.status != a.status || first.version != a.version || first.answer != a.answer) {
				bad = append(bad, broken(oneChange, "%s: %s got %d version %d and %d version %d", key, a.idempotencyKey, first.status, first.version, a.status, a.version))
			}
			twins[a.idempotencyKey] = a
		}
	}
	return append(bad, checkRealTime(key, attempts)...)
}

// checkRealTime: a write that was sent after another one's answer must not end up
// before it.
func checkRealTime(key string, attempts []attempt) (bad []*violation) {
	spans := map[string]attempt{} // by mark: first sent, first acknowledged
	for _, a := range attempts {
		span, again := spans[a.intent.mark]
		if !again {
			span = attempt{intent: a.intent, sent: a.sent}
		}
		if a.sent.Before(span.sent) {
			span.sent = a.sent
		}
		if a.outcome == acknowledged && (span.outcome != acknowledged || a.answered.Before(span.answered)) {
			span.outcome, span.answered, span.version = acknowledged, a.answered, a.version
		}
		spans[a.intent.mark] = span
	}
	maps.DeleteFunc(spans, func(_ string, a attempt) bool { return a.outcome != acknowledged || a.version == 0 })
	ended := slices.SortedFunc(maps.Values(spans), func(a, b attempt) int { return a.answered.Compare(b.answered) })
	begun := slices.SortedFunc(maps.Values(spans), func(a, b attempt) int { return a.sent.Compare(b.sent) })
	var floor attempt
	for _, b := range begun {
		for len(ended) > 0 && ended[0].answered.Before(b.sent) {
			if ended[0].version > floor.version {
				floor = ended[0]
			}
			ended = ended[1:]
		}
		if b.version < floor.version {
			bad = append(bad, broken(conditions, "%s: %s was acknowledged as version %d before %s was sent, which became version %d",
				key, floor.intent.mark, floor.version, b.intent.mark, b.version))
		}
	}
	return bad
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
			v.broken = append(v.broken, broken(noLostEvent, "%s: event %d (%s) is not on the bus", h.key, seq, want.kind))
		case got.kind != want.kind || !got.state.equal(want.state):
			v.broken = append(v.broken, broken(noPhantomEvent, "%s: event %d says %s of %v, the change was %s of %v", h.key, seq, got.kind, got.state, want.kind, want.state))
		}
	}
}

// checkView compares the consumer's read model with the history's end.
func (v *verdict) checkView(h *history, bus []busEvent, seen view) {
	for _, e := range bus {
		if !seen.receipts[e.id] {
			v.lost++
			v.broken = append(v.broken, broken(oneEffect, "%s: event %d (%s) was not applied", h.key, e.seq, e.id))
		}
	}
	v.lost += max(0, len(h.events)-len(bus))
	if len(seen.receipts) > len(bus) {
		v.broken = append(v.broken, broken(oneEffect, "%s: %d events were applied, the bus carried %d", h.key, len(seen.receipts), len(bus)))
	}
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
	if last := h.states[len(h.states)-1]; !m.Data.State.equal(last) {
		v.broken = append(v.broken, broken(viewEqual, "%s: the model holds %v, the last write made %v", h.key, m.Data.State, last))
	}
	if want := h.effects(); !maps.Equal(m.Data.View.Applied, want) {
		v.broken = append(v.broken, broken(oneEffect, "%s: the model has applied %v, the changes make %v", h.key, m.Data.View.Applied, want))
	}
}

// effects counts the events by type, as the model must have counted them.
func (h *history) effects() map[string]int64 {
	n := map[string]int64{}
	for _, e := range h.events {
		n[strings.TrimPrefix(e.kind, "relaybox.profile.")]++
	}
	return n
}
