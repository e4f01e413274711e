package demo

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// history is the life of one profile, put together from what the clients were told and,
// where a client was told nothing, from what the bus saw.
type history struct {
	key string
	// states[v] is the profile after version v; states[0] is nil.
	states []*person
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
	kind  string
	state *person
}

// ack is the first acknowledgement of a change.
type ack struct {
	version int64
	at      time.Time
}

// violation is a broken invariant.
type violation struct {
	invariant string
	detail    string
}

func broken(invariant, format string, args ...any) *violation {
	return &violation{invariant: invariant, detail: fmt.Sprintf(format, args...)}
}

// The invariants, in the order of an event's path.
const (
	everyWrite     = "every write is acknowledged in the end"
	noLostWrite    = "an acknowledged write is in the store"
	noPhantom      = "what is in the store was asked for"
	conditions     = "If-Match holds and an acknowledged write is never undone"
	oneChange      = "twins of one Idempotency-Key make one change and get one answer"
	refusals       = "a valid write is not refused"
	nothingLeft    = "no event is left pending or parked"
	noLostEvent    = "every change's events are on the bus"
	noPhantomEvent = "every event on the bus belongs to a change"
	busOrder       = "events of a profile are on the bus in order"
	viewEqual      = "the read model equals the last acknowledged profile"
	oneEffect      = "every event had its effect exactly once"
)

// reconstruct finds which intent made each version of the profile. It returns as much
// of the history as it could explain.
func reconstruct(key string, attempts []attempt, stored *entityDoc, bus map[int64]busEvent) (*history, []*violation) {
	h := &history{key: key, states: []*person{nil}, lastSeq: []int64{0}}
	if stored == nil {
		stored = &entityDoc{}
	}
	told, open, bad := sortAnswers(key, attempts, stored.Version)
	doubted := map[string]bool{}
	for _, a := range attempts {
		doubted[a.intent.mark] = doubted[a.intent.mark] || a.outcome == unknown
	}
	for v := int64(1); v <= stored.Version; v++ {
		made, fault := h.maker(v, told[v], &open, bus)
		if fault != nil {
			return h, append(bad, fault)
		}
		if fault := h.extend(made); fault != nil {
			return h, append(bad, fault)
		}
		bad = append(bad, h.checkTold(v, told[v], doubted)...)
	}
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
func (h *history) maker(v int64, told []attempt, open *[]attempt, bus map[int64]busEvent) (*intent, *violation) {
	var made *intent
	for _, a := range told {
		if a.intent.verb == keep {
			continue
		}
		if made != nil && made.mark != a.intent.mark {
			return nil, broken(oneChange, "%s: version %d was given to both %s and %s", h.key, v, made.mark, a.intent.mark)
		}
		made = a.intent
	}
	if made != nil {
		h.acks = append(h.acks, firstAck(v, told))
		return made, nil
	}
	seen, there := bus[h.lastSeq[v-1]+1]
	for i, a := range *open {
		next, err := a.intent.apply(h.states[v-1])
		if err != nil || there && !next.equal(seen.state) {
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

func firstAck(v int64, told []attempt) ack {
	first := ack{version: v}
	for _, a := range told {
		if a.intent.verb != keep && (first.at.IsZero() || a.answered.Before(first.at)) {
			first.at = a.answered
		}
	}
	return first
}

// extend applies made to the newest state and notes the events that must follow.
func (h *history) extend(made *intent) *violation {
	v := len(h.states)
	old := h.states[v-1]
	next, err := made.apply(old)
	if err != nil {
		return broken(noPhantom, "%s: version %d was made by %v", h.key, v, err)
	}
	types := eventTypes(old, next)
	if len(types) == 0 {
		return broken(noPhantom, "%s: version %d by %s changes nothing", h.key, v, made.mark)
	}
	for _, kind := range types {
		h.events = append(h.events, expected{kind, next})
	}
	h.states = append(h.states, next)
	h.lastSeq = append(h.lastSeq, int64(len(h.events)))
	return nil
}

// checkTold compares what clients of version v were told with the history. A doubted
// intent was sent before without an answer: its repetition may have found its own work.
func (h *history) checkTold(v int64, told []attempt, doubted map[string]bool) (bad []*violation) {
	for _, a := range told {
		unchanged := a.ifMatch == v
		if a.intent.verb == keep {
			if same, err := a.intent.apply(nil); err != nil || !unchanged || !same.equal(h.states[v]) {
				bad = append(bad, broken(conditions, "%s: %s was to keep version %d and was told %d, which holds %v", h.key, a.intent.mark, a.ifMatch, v, h.states[v]))
			}
			continue
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
	got, err := parsePerson(stored.Data)
	switch {
	case err != nil:
		bad = append(bad, broken(noLostWrite, "%s: stored data: %v", h.key, err))
	case !got.equal(last) || stored.Deleted != (last == nil) && stored.Version > 0:
		bad = append(bad, broken(noLostWrite, "%s: version %d holds %v, the last write made %v", h.key, stored.Version, got, last))
	}
	if stored.LastSeq != int64(len(h.events)) {
		bad = append(bad, broken(noLostEvent, "%s: the store has numbered %d events, the changes make %d", h.key, stored.LastSeq, len(h.events)))
	}
	return bad
}

func parsePerson(text json.RawMessage) (*person, error) {
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	p := new(person)
	if err := json.Unmarshal(text, p); err != nil {
		return nil, err
	}
	return p, nil
}
