package chaos

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/relaybox/relaybox/internal/history"
)

// Kind is what a breach is called: a line of the table.
type Kind string

// The kinds of breaches.
const (
	Lost         Kind = "lost"             // an acknowledged write, or its event
	Phantom      Kind = "phantom"          // what nobody has asked for, or was told to have failed
	Doubled      Kind = "duplicate effect" // an event that counted twice
	Disorder     Kind = "order violation"  // at the broker, or a gap in effect
	Unordered    Kind = "not linearizable" // answers that no order explains
	Undecided    Kind = "undecided"        // histories whose check took too long
	Stuck        Kind = "stuck"            // events that were still pending when patience ended
	Parked       Kind = "parked"           // events that were given up, and nothing was wrong with them
	DeadLettered Kind = "dead-lettered"
	// Behind is the state that nobody could explain so far: nothing is pending, nothing is on
	// any subscription, and a read model is behind its entity.
	Behind Kind = "behind"
)

// Kinds are all of them, in the table's order.
var Kinds = []Kind{Lost, Phantom, Doubled, Disorder, Unordered, Undecided, Stuck, Parked, DeadLettered, Behind}

// Breach is one promise that was broken.
type Breach struct {
	Kind Kind   `json:"kind"`
	Key  string `json:"key"`
	Text string `json:"text"`
}

// checkTime bounds the check of one entity's history.
const checkTime = 3 * time.Minute

// reconcile holds what the clients were told against everything else.
func reconcile(e *evidence, record *history.Recorder, limit time.Duration) []Breach {
	keys := map[string]bool{}
	for _, key := range record.Keys() {
		keys[key] = true
	}
	for key := range e.entities {
		keys[key] = true
	}
	for key := range e.topic {
		keys[key] = true
	}
	sorted := slices.Sorted(maps.Keys(keys))
	found := make([][]Breach, len(sorted))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, key := range sorted {
		group.Go(func() error {
			a := account{key: key, e: e, calls: record.Calls(key)}
			a.settle(limit)
			found[i] = a.breaches
			return nil
		})
	}
	_ = group.Wait() // accounts have breaches, not errors
	breaches := slices.Concat(found...)
	for _, id := range e.dead {
		breaches = append(breaches, Breach{DeadLettered, "", "message " + id})
	}
	return breaches
}

// account is the part of the ledger that is about one entity.
type account struct {
	key   string
	e     *evidence
	calls []history.Call

	events   []event // first copies by number, and those that are still in the outbox
	versions []version
	breaches []Breach
}

// version is a change of the entity, as its events tell it.
type version struct {
	events []event
	state  string
}

func (a *account) broken(kind Kind, format string, args ...any) {
	a.breaches = append(a.breaches, Breach{kind, a.key, fmt.Sprintf(format, args...)})
}

func (a *account) settle(limit time.Duration) {
	a.checkLeft()
	a.checkTopic()
	whole := a.checkNumbers()
	a.group()
	if whole && a.checkEntity() {
		a.checkCalls()
	}
	if a.checkModel() && whole { // else what is missing on the topic is to blame
		a.checkEffects(a.e.models[a.key])
	}
	switch v := history.Check(a.calls, limit); v.Judgement {
	case history.Broken:
		a.broken(Unordered, "%s", v.Reason)
	case history.Undecided:
		a.broken(Undecided, "%s", v.Reason)
	}
}

func (a *account) checkLeft() {
	if left := a.e.pending[a.key]; len(left) > 0 {
		a.broken(Stuck, "events %v are still pending", left)
	}
	if left := a.e.parked[a.key]; len(left) > 0 {
		a.broken(Parked, "events %v are parked, and %d wait behind them", left, len(a.e.blocked[a.key]))
	}
}

// checkTopic: the first copies of the events come in the order of their numbers.
func (a *account) checkTopic() {
	seen := map[string]bool{}
	last := event{}
	for _, e := range a.e.topic[a.key] {
		if seen[e.id] {
			continue
		}
		seen[e.id] = true
		if e.seq < last.seq {
			a.broken(Disorder, "event %d came to the topic after event %d (messages %d and %d)", e.seq, last.seq, e.number, last.number)
		}
		last = e
		a.events = append(a.events, e)
	}
	for _, e := range a.e.left[a.key] {
		if !seen[e.id] { // it may have been sent and not be settled
			a.events = append(a.events, e)
		}
	}
	slices.SortStableFunc(a.events, func(x, y event) int { return int(x.seq - y.seq) })
}

// checkNumbers: the numbers are contiguous from 1 to the entity's last one, and each
// belongs to one event.
func (a *account) checkNumbers() (whole bool) {
	before := len(a.breaches)
	next := int64(1)
	for i, e := range a.events {
		if i > 0 && e.seq == a.events[i-1].seq {
			a.broken(Phantom, "events %s and %s both have the number %d", a.events[i-1].id, e.id, e.seq)
			continue
		}
		if e.life != a.events[0].life {
			a.broken(Phantom, "event %d is of incarnation %s, the first one of %s", e.seq, e.life, a.events[0].life)
		}
		if e.seq > next {
			a.missing(next, e.seq-1)
		}
		next = e.seq + 1
	}
	last := a.e.entities[a.key].LastSeq
	if next <= last {
		a.missing(next, last)
	}
	if next > last+1 {
		a.broken(Phantom, "there is an event %d, the entity's last one is %d", next-1, last)
	}
	return len(a.breaches) == before
}

func (a *account) missing(from, to int64) {
	for seq := from; seq <= to; seq++ {
		a.broken(Lost, "event %d is neither on the topic nor in the outbox", seq)
	}
}

// group makes versions of events: email-changed follows the event of the same change.
func (a *account) group() {
	for _, e := range a.events {
		if n := len(a.versions); n > 0 && e.name == "email-changed" {
			a.versions[n-1].events = append(a.versions[n-1].events, e)
			a.versions[n-1].state = e.state
			continue
		}
		a.versions = append(a.versions, version{events: []event{e}, state: e.state})
	}
}

// checkEntity: the entity is what its events made of it.
func (a *account) checkEntity() (whole bool) {
	entity, ok := a.e.entities[a.key]
	if !ok {
		return len(a.events) == 0
	}
	if int64(len(a.versions)) != entity.Version {
		a.broken(Lost, "the entity is at version %d, its events make %d", entity.Version, len(a.versions))
		return false
	}
	if n := len(a.versions); n > 0 && a.versions[n-1].state != canonical(entity.Data) {
		a.broken(Lost, "the entity holds %s, its last event says %s", canonical(entity.Data), a.versions[n-1].state)
	}
	return true
}

// checkCalls notes what became of each call, by the trace that its event carries, and looks
// for acknowledged writes that made nothing and for changes that nobody asked for.
func (a *account) checkCalls() {
	made := map[string]int64{}
	for n, v := range a.versions {
		made[v.events[0].trace] = int64(n + 1)
	}
	byKey := map[string]bool{} // Idempotency-Keys of which a call has made a version
	for i := range a.calls {
		c := &a.calls[i]
		c.Effect = history.NoEffect
		if n, ok := made[c.Trace]; ok {
			c.Effect = history.Effect(n)
			byKey[c.IdempotencyKey] = true
			delete(made, c.Trace)
		}
	}
	for trace, n := range made {
		a.broken(Phantom, "version %d was made by a request that nobody sent (trace %q)", n, trace)
	}
	for _, c := range a.calls {
		a.checkCall(c, c.IdempotencyKey != "" && byKey[c.IdempotencyKey])
	}
}

// checkCall: an acknowledged write is among the versions, with what was acknowledged.
func (a *account) checkCall(c history.Call, replayed bool) {
	switch {
	case c.Outcome != history.Answered || c.Method == "GET":
	case c.Answer.Status == 204:
		if c.Effect <= 0 && !replayed {
			a.broken(Lost, "an acknowledged deletion made no version: %v", c)
		}
	case c.Answer.Status == 200 || c.Answer.Status == 201:
		n, _ := history.Version(c.Answer.ETag)
		if n < 1 || n > int64(len(a.versions)) {
			a.broken(Lost, "acknowledged as version %d of %d: %v", n, len(a.versions), c)
		} else if v := a.versions[n-1]; v.state != c.Answer.Content() {
			a.broken(Lost, "acknowledged as version %d, which is %s by its event: %v", n, v.state, c)
		}
	}
}

// checkModel: the read model is at the entity's last event.
func (a *account) checkModel() (there bool) {
	entity, ok := a.e.entities[a.key]
	if !ok || entity.LastSeq == 0 {
		return false
	}
	model := a.e.models[a.key]
	idle := a.e.standing().idle()
	if model.LastSeq < entity.LastSeq && len(a.e.left[a.key]) == 0 {
		kind, state := Stuck, "and something is still under way"
		if idle {
			kind, state = Behind, "nothing is pending and nothing on the subscription"
		}
		a.broken(kind, "the read model is at event %d, the entity at %d, %s", model.LastSeq, entity.LastSeq, state)
		return false
	}
	if model.LastSeq < entity.LastSeq {
		return false // told as pending or parked
	}
	if model.LastSeq > entity.LastSeq {
		a.broken(Phantom, "the read model is at event %d, the entity at %d", model.LastSeq, entity.LastSeq)
	}
	if got, want := canonical(model.Data.State), canonical(entity.Data); got != want {
		a.broken(Disorder, "the read model is at the last event and holds %s, the entity %s", got, want)
	}
	return true
}

// checkEffects: the consumer met no gap, and the view counts each event by its name.
func (a *account) checkEffects(model modelDoc) {
	if model.Gaps > 0 {
		a.broken(Disorder, "the consumer met %d gaps", model.Gaps)
	}
	applied := model.Data.View.Applied
	want := map[string]int64{}
	for _, e := range a.events {
		want[e.name]++
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if applied[name] > want[name] {
			a.broken(Doubled, "%d events %s counted as %d", want[name], name, applied[name])
		}
		if applied[name] < want[name] {
			a.broken(Lost, "of %d events %s only %d had their effect", want[name], name, applied[name])
		}
	}
	for name := range applied {
		if want[name] == 0 {
			a.broken(Phantom, "%d events %s had an effect, and there were none", applied[name], name)
		}
	}
}
