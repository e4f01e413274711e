package demo

import (
	"errors"
	"maps"
	"slices"
	"time"
)

// checkAnswers looks at what clients were told, without any other witness.
func checkAnswers(key string, attempts []attempt) (bad []*violation) {
	twins := map[string]attempt{}
	for _, a := range attempts {
		if a.outcome == refused && a.status != 404 && a.status != 409 && a.status != 412 && a.status != 429 && a.status != 0 {
			bad = append(bad, broken(refusals, "%s: %s got %d: %.200s", key, a.intent.mark, a.status, a.answer))
		}
		if a.outcome != acknowledged && a.outcome != declined {
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

// firstSent is when each intent, and each Idempotency-Key, was sent first.
func firstSent(attempts []attempt) map[string]time.Time {
	first := map[string]time.Time{}
	for _, a := range attempts {
		for _, name := range []string{a.intent.mark, a.idempotencyKey} {
			if at, again := first[name]; !again || a.sent.Before(at) {
				first[name] = a.sent
			}
		}
	}
	return first
}

// checkRefusals: who was told that there is no such entity, or that its state does not
// allow the request, was told so by a version that was the newest at some moment between
// the request and its answer. Under an Idempotency-Key the answer may be the first one's.
func (h *history) checkRefusals(attempts []attempt, sent map[string]time.Time) (bad []*violation) {
	for _, a := range attempts {
		var reason error
		switch {
		case a.outcome == declined:
			reason = errWrongState
		case a.outcome == refused && a.status == 404:
			reason = errMissing
		default:
			continue
		}
		from := a.sent
		if a.idempotencyKey != "" {
			from = sent[a.idempotencyKey]
		}
		if !h.refuses(a.intent, reason, from, a.answered) {
			bad = append(bad, broken(refusals, "%s: %s got %d (%.200s), and no version of that time was a reason", h.key, a.intent.mark, a.status, a.answer))
		}
	}
	return bad
}

// refuses looks for a version within the time that refuses i for this reason.
func (h *history) refuses(i *intent, reason error, from, to time.Time) bool {
	oldest := int64(0)
	for _, a := range h.acks {
		if a.at.Before(from) {
			oldest = max(oldest, a.version)
		}
	}
	for v := oldest; v < int64(len(h.states)) && (v == oldest || h.begun[v].Before(to)); v++ {
		if _, err := h.kind.become(i, h.states[v]); errors.Is(err, reason) {
			return true
		}
	}
	return false
}
