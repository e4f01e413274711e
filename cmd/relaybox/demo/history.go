package demo

import (
	"slices"
	"time"
)

// history is the life of one entity, put together from what the clients were told and,
// where a client was told nothing, from what the bus saw.
type history struct {
	key  string
	kind *kind
	// states[v] is the entity after version v; states[0] is nil.
	states []state
	// begun[v] is when the intent that made version v was sent first.
	begun []time.Time
	// lastSeq[v] is the number of version v's last event.
	lastSeq []int64
	// events are what the bus must have carried, from seq 1.
	events []expected
	// acks are the acknowledged changes, for latencies.
	acks []ack
	// found counts the changes whose request had an unknown outcome and was applied.
	found int
}

// expected is an event that must exist.
type expected struct {
	name  string
	state state
	at    time.Time // as the bus saw it, zero if it did not
}

// ack is the first acknowledgement of a change.
type ack struct {
	version int64
	at      time.Time
}

// reconstruct finds which intent made each version of the entity. It returns as much
// of the history as it could explain.
func reconstruct(key string, k *kind, attempts []attempt, stored *entityDoc, bus map[int64]busEvent) (*history, []*violation) {
	h := &history{key: key, kind: k, states: []state{nil}, begun: []time.Time{{}}, lastSeq: []int64{0}}
	if stored == nil {
		stored = &entityDoc{}
	}
	told, open, bad := sortAnswers(key, attempts, stored.Version)
	doubted, sent := map[string]bool{}, firstSent(attempts)
	for _, a := range attempts {
		doubted[a.intent.mark] = doubted[a.intent.mark] || a.outcome == unknown
	}
	for v := int64(1); v <= stored.Version; v++ {
		made, fault := h.maker(v, told[v], &open, doubted, bus)
		if fault != nil {
			return h, append(bad, fault)
		}
		if fault := h.extend(made, bus); fault != nil {
			return h, append(bad, fault)
		}
		h.begun = append(h.begun, sent[made.mark])
		bad = append(bad, h.checkTold(v, made, told[v], doubted)...)
	}
	bad = append(bad, h.checkRefusals(attempts, sent)...)
	for _, a := range open {
		if a.outcome == acknowledged {
			bad = append(bad, broken(noLostWrite, "%s: %s was acknowledged and no version is that deletion", key, a.intent.mark))
		}
	}
	return h, append(bad, h.checkEntity(stored)...)
}

// sortAnswers splits the attempts into those whose client was told a version, and the
// open ones: acknowledged deletions first, whose answer names no version, then those
// without an answer, which may have been applied or not.
func sortAnswers(key string, attempts []attempt, newest int64) (told map[int64][]attempt, open []attempt, bad []*violation) {
	told = map[int64][]attempt{}
	settled := map[string]bool{} // Idempotency-Keys, which may make one change only
	for _, a := range attempts {
		if a.outcome == declined {
			settled[a.idempotencyKey] = true
		}
		if a.outcome != acknowledged {
			continue
		}
		if a.version == 0 && a.ifMatch > 0 {
			a.version = a.ifMatch + 1 // what If-Match allows, and nothing else
		}
		switch again := a.idempotencyKey != "" && settled[a.idempotencyKey]; {
		case a.version > newest:
			bad = append(bad, broken(noLostWrite, "%s: %s was acknowledged as version %d, the store holds version %d", key, a.intent.mark, a.version, newest))
		case a.version > 0:
			told[a.version] = append(told[a.version], a)
		case !again:
			open = append(open, a)
		}
		settled[a.idempotencyKey] = true
	}
	delete(settled, "")
	for _, a := range attempts {
		if a.outcome == unknown && !settled[a.idempotencyKey] {
			settled[a.idempotencyKey] = a.idempotencyKey != ""
			open = append(open, a)
		}
	}
	return told, open, bad
}

// maker returns the intent that made version v: the one whose client was told so, or
// an open one that gives what the bus saw. If the bus saw nothing, any that fits is taken:
// the version is in the store, and the missing event is what will be reported.
func (h *history) maker(v int64, told []attempt, open *[]attempt, doubted map[string]bool, bus map[int64]busEvent) (*intent, *violation) {
	var made *intent
	for _, a := range told {
		if a.intent.verb == keep || doubted[a.intent.mark] && !h.fits(v, a.intent, bus) {
			continue // it found what it wanted and made nothing; checkTold looks whether that is so
		}
		if made != nil && made.mark != a.intent.mark {
			return nil, broken(oneChange, "%s: version %d was given to both %s and %s", h.key, v, made.mark, a.intent.mark)
		}
		made = a.intent
	}
	if made != nil {
		h.acks = append(h.acks, firstAck(v, made, told))
		return made, nil
	}
	for i, a := range *open {
		if !h.fits(v, a.intent, bus) {
			continue
		}
		*open = slices.Delete(*open, i, i+1)
		if a.outcome == acknowledged {
			h.acks = append(h.acks, ack{version: v, at: a.answered})
		} else {
			h.found++
		}
		return a.intent, nil
	}
	return nil, broken(noPhantom, "%s: nobody asked for version %d", h.key, v)
}

// fits: version v may be the work of i.
func (h *history) fits(v int64, i *intent, bus map[int64]busEvent) bool {
	old := h.states[v-1]
	next, err := h.kind.become(i, old)
	seen, there := bus[h.lastSeq[v-1]+1]
	return err == nil && !same(old, next) && (!there || same(next, seen.state))
}

func firstAck(v int64, made *intent, told []attempt) ack {
	first := ack{version: v}
	for _, a := range told {
		if a.intent.mark == made.mark && (first.at.IsZero() || a.answered.Before(first.at)) {
			first.at = a.answered
		}
	}
	return first
}

// extend applies made to the newest state and notes the events that must follow.
func (h *history) extend(made *intent, bus map[int64]busEvent) *violation {
	v := len(h.states)
	old := h.states[v-1]
	next, err := h.kind.become(made, old)
	if err != nil {
		return broken(noPhantom, "%s: version %d was made by %v", h.key, v, err)
	}
	if same(old, next) {
		return broken(noPhantom, "%s: version %d by %s changes nothing", h.key, v, made.mark)
	}
	for _, name := range h.kind.events(old, next) {
		h.events = append(h.events, expected{name, next, bus[int64(len(h.events)+1)].at})
	}
	h.states = append(h.states, next)
	h.lastSeq = append(h.lastSeq, int64(len(h.events)))
	return nil
}

// checkTold compares what clients of version v were told with the history. A doubted
// intent was sent before without an answer: its repetition may have found its own work, even
// under a version that somebody else has made since.
func (h *history) checkTold(v int64, made *intent, told []attempt, doubted map[string]bool) (bad []*violation) {
	for _, a := range told {
		unchanged := a.ifMatch == v
		if a.intent.verb == keep {
			if kept, err := h.kind.parse(a.intent.body); err != nil || !unchanged || !same(kept, h.states[v]) {
				bad = append(bad, broken(conditions, "%s: %s was to keep version %d and was told %d, which holds %s", h.key, a.intent.mark, a.ifMatch, v, show(h.states[v])))
			}
			continue
		}
		if a.intent.mark != made.mark {
			if again, err := h.kind.become(a.intent, h.states[v]); err != nil || !same(again, h.states[v]) {
				bad = append(bad, broken(noLostWrite, "%s: %s was acknowledged as version %d, which holds %s", h.key, a.intent.mark, v, show(h.states[v])))
			}
		}
		created := a.ifMatch == 0 && h.states[v-1] == nil
		if a.ifMatch >= 0 && a.ifMatch != v-1 && !created && !(unchanged && doubted[a.intent.mark]) {
			bad = append(bad, broken(conditions, "%s: %s demanded version %d and made version %d", h.key, a.intent.mark, a.ifMatch, v))
		}
	}
	return bad
}

func (h *history) checkEntity(stored *entityDoc) (bad []*violation) {
	last := h.states[len(h.states)-1]
	got, err := h.kind.read(stored.Data)
	switch {
	case err != nil:
		bad = append(bad, broken(noLostWrite, "%s: stored data: %v", h.key, err))
	case !same(got, last) || stored.Deleted != (last == nil) && stored.Version > 0:
		bad = append(bad, broken(noLostWrite, "%s: version %d holds %s, the last write made %s", h.key, stored.Version, show(got), show(last)))
	}
	if stored.LastSeq != int64(len(h.events)) {
		bad = append(bad, broken(noLostEvent, "%s: the store has numbered %d events, the changes make %d", h.key, stored.LastSeq, len(h.events)))
	}
	return bad
}

// checkRecent looks whether those who said how old an answer may be were shown what had been
// acknowledged by then.
func checkRecent(key string, shown []recent, attempts []attempt) (bad []*violation) {
	for _, r := range shown {
		for _, a := range attempts {
			if a.outcome == acknowledged && a.version > r.version && a.answered.Before(r.since) {
				bad = append(bad, broken(newEnough, "%s: a reader was shown version %d, and version %d had been acknowledged %v before the oldest that was allowed",
					key, r.version, a.version, r.since.Sub(a.answered)))
				break
			}
		}
	}
	return bad
}

// checkReads compares what readers were shown of a version with what it holds. How new it was is
// looked at only where they have said how old it may be.
func (h *history) checkReads(shown map[reading]bool) (bad []*violation) {
	for r := range shown {
		if r.version >= int64(len(h.states)) {
			bad = append(bad, broken(trueRead, "%s: a reader was shown version %d, and there are %d", h.key, r.version, len(h.states)-1))
			continue
		}
		if got, err := h.kind.parse([]byte(r.body)); err != nil || !same(got, h.states[r.version]) {
			bad = append(bad, broken(trueRead, "%s: a reader was shown %.200s as version %d, which holds %s", h.key, r.body, r.version, show(h.states[r.version])))
		}
	}
	return bad
}
