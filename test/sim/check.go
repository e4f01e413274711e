package sim

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/relaybox/relaybox/internal/history"
)

// event is an event as the topic has it.
type event struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Sequence string `json:"sequence"`
	Key      string `json:"partitionkey"`
	Subject  string `json:"subject"`
	Trace    string `json:"traceparent"`
	Life     string `json:"incarnation"`
	First    string `json:"incarnationfirst"`

	Since time.Time `json:"incarnationsince"`
	Drawn time.Time `json:"incarnationdrawn"`
	Data  struct {
		State map[string]any `json:"state"`
	} `json:"data"`

	seq, first int64
}

// name is the event's without what it belongs to.
func (e event) name() string { return e.Type[strings.LastIndexByte(e.Type, '.')+1:] }

// check is what must hold when everything has arrived; rest is what has not.
func (w *world) check(rest string, report *Report, breach func(string, string, ...any)) {
	if rest != "" {
		breach("G1", "%v after the last fault %s", drainTime, rest)
	}
	if err := w.cosmos().Check(); err != nil {
		breach("store", "%v", err)
	}
	for _, lost := range w.forgotten {
		breach("G4", "%s", lost)
	}
	topic := w.topic(breach, report)
	stored, shown := w.documents(entities), w.documents(views)
	for _, key := range w.calls.Keys() {
		c := &checker{w: w, key: key, kind: kindOf(key), lines: topic[key], waiting: outboxOf(stored[key]), breach: breach, report: report}
		_ = json.Unmarshal(stored[key]["entity"], &c.entity)
		_ = json.Unmarshal(shown[key]["model"], &c.model)
		c.events = c.lines.of(c.entity.Incarnation.ID)
		c.own()
		c.poisoned()
		c.numbers()
		c.effects()
		c.history()
		report.Calls += len(w.calls.Calls(key))
		for _, l := range c.lines {
			report.Events += len(l.events)
		}
	}
	for key, docs := range stored {
		for _, e := range outboxOf(docs) {
			switch {
			case e.Parked() && !e.poisonous():
				breach("G6", "%s: an event is parked that could be sent: %s", key, e.Envelope)
			case e.TTL != nil:
				breach("G7", "%s: event %d expires", key, e.Seq)
			}
		}
	}
	for _, m := range w.broker().Peek(viewsPath + "/$DeadLetterQueue") {
		if m.Properties["junk"] == nil {
			breach("G6", "a good event is among the dead letters: %s", m.Body)
		}
	}
}

// topic reads all that the topic has taken, first copies only, and judges their order.
func (w *world) topic(breach func(string, string, ...any), report *Report) map[string]stream {
	first := map[string]stream{}
	for _, m := range w.broker().Peek(watchPath) {
		if m.Properties["junk"] != nil {
			continue
		}
		report.Copies++
		e, err := decode(m.Body)
		if err != nil {
			breach("G2", "the topic has taken what is no event: %v: %s", err, m.Body)
			continue
		}
		all := first[e.Key]
		l := all.line(e.Life)
		if l == nil {
			if e.first > 1 && !all.reach(e.first-1) {
				breach("G3", "%s: the topic took number %d, the first of incarnation %s, before its predecessor", e.Key, e.seq, e.Life)
			}
			l = &line{life: e.Life, first: e.first, since: e.Since, drawn: e.Drawn}
			first[e.Key] = append(all, l)
		}
		switch next := l.first + int64(len(l.events)); {
		case e.seq == next:
			l.events = append(l.events, e)
		case e.seq > next:
			breach("G3", "%s: the topic took number %d after %d", e.Key, e.seq, next-1)
			return first
		default:
			if known := l.events[e.seq-l.first]; known.ID != e.ID || known.Trace != e.Trace {
				breach("G2", "%s: number %d was given to two events, %s and %s", e.Key, e.seq, known.Trace, e.Trace)
			}
		}
	}
	return first
}

func decode(envelope []byte) (e event, err error) {
	if err = json.Unmarshal(envelope, &e); err != nil {
		return e, err
	}
	if _, err = fmt.Sscanf(e.Sequence, "%d", &e.seq); err != nil || e.seq < 1 {
		return e, fmt.Errorf("sequence %q: %w", e.Sequence, err)
	}
	if _, err = fmt.Sscanf(e.First, "%d", &e.first); err != nil || e.first < 1 || e.seq < e.first {
		return e, fmt.Errorf("sequence %q of an incarnation from %q: %w", e.Sequence, e.First, err)
	}
	return e, nil
}

// checker judges one entity.
type checker struct {
	w             *world
	key           string
	kind          *kind
	lines         stream
	events        []event   // that the topic took of the entity's incarnation
	waiting       []waiting // that it did not, because the first of them is poison
	entity, model numbered
	breach        func(string, string, ...any)
	report        *Report
}

// own: what has the entity's number is of its kind and has its id.
func (c *checker) own() {
	for _, e := range c.lines.events() {
		if kind := strings.Split(e.Type, "."); kind[len(kind)-2] != c.kind.name || c.kind.key(e.Subject) != c.key {
			c.breach("G2", "%s: number %d is an event of another entity: %s of %s", c.key, e.seq, e.Type, e.Subject)
		}
	}
}

// poisoned: what the broker refuses was tried as often as the policy says, and says why it
// is parked.
func (c *checker) poisoned() {
	for n, e := range c.waiting {
		switch {
		case e.Parked() && (e.Fault.Attempts < parkAfter || e.Fault.Reason == ""):
			c.breach("G5", "%s: event %d is parked after %d attempts, because of %q", c.key, e.Seq, e.Fault.Attempts, e.Fault.Reason)
		case e.Parked() != (n == 0):
			c.breach("G5", "%s: event %d is the %dth that waits; is it parked? %v", c.key, e.Seq, n+1, e.Parked())
		}
	}
}

// numbers: every event that was numbered was delivered, and none that was not. Poison ends
// what can be.
func (c *checker) numbers() {
	last := c.entity.LastSeq
	if len(c.waiting) > 0 && c.waiting[0].poisonous() {
		last = c.waiting[0].Seq - 1
	}
	before := max(0, c.entity.Incarnation.First-1)
	switch n := before + int64(len(c.events)); {
	case n < last || !c.lines.reach(last):
		c.breach("G1", "%s: %d events could be sent, the topic took %d", c.key, last, n)
	case n > max(before, c.entity.LastSeq):
		c.breach("G2", "%s: %d events were committed, the topic took %d: %v", c.key, c.entity.LastSeq, n, c.events[c.entity.LastSeq-before:])
	case n > max(before, last):
		c.breach("G5", "%s: the topic took %d events, although number %d was refused", c.key, n, last+1)
	}
	for _, l := range c.lines {
		if top := l.first + int64(len(l.events)) - 1; top > c.committedIn(l.life) {
			c.breach("G2", "%s: the topic took number %d of incarnation %s, in which %d were committed", c.key, top, l.life, c.committedIn(l.life))
		}
	}
}

// committedIn is how far an incarnation has come in the store, in either life.
func (c *checker) committedIn(life string) (last int64) {
	for _, e := range append(c.w.ends(c.key), c.entity) {
		if e.Incarnation.ID == life {
			last = max(last, e.LastSeq)
		} else {
			last = max(last, e.Incarnation.First-1) // it may be the one that was left for that
		}
	}
	for _, l := range c.lines {
		if l.life != life {
			last = max(last, l.first-1)
		}
	}
	return last
}

// effects: each event had its effect once, and the view is what the events say.
func (c *checker) effects() {
	var view struct {
		State map[string]any  `json:"state"`
		View  json.RawMessage `json:"view"`
	}
	_ = json.Unmarshal(c.model.Data, &view)
	lost, ok := c.lines.explain(c.kind.applied(view.View))
	if !ok {
		c.breach("G4", "%s: events at the topic %v, effects %v", c.key, c.lines, c.kind.applied(view.View))
	}
	if c.model.Gaps > lost {
		c.breach("G3", "%s: the consumer went on over %d missing events, %d of them missing with the container", c.key, c.model.Gaps, lost)
	}
	c.report.Lost += int(lost)
	if n := len(c.events); n > 0 {
		if last := fmt.Sprint(c.events[n-1].Data.State); fmt.Sprint(view.State) != last {
			c.breach("G1", "%s: the last event says %s, the view %s", c.key, last, c.model.Data)
		}
	}
}

// history: the answers fit one order, and every event belongs to a call that may have made it.
func (c *checker) history() {
	calls := c.w.calls.Calls(c.key)
	r := c.w.rebirth()
	if r == nil {
		c.judge(history.Start{}, calls, c.committed(c.entity, c.waiting, numbered{}, ""))
		return
	}
	var left, found numbered
	_ = json.Unmarshal(r.left[c.key]["entity"], &left)
	_ = json.Unmarshal(r.found[c.key]["entity"], &found)
	old := c.committed(left, outboxOf(r.left[c.key]), numbered{}, "")
	now := c.committed(c.entity, c.waiting, found, left.Incarnation.ID)
	fresh := map[string]bool{}
	for _, e := range now {
		fresh[e.Life] = true
	}
	for _, e := range old {
		delete(fresh, e.Life)
	}
	before, after := r.divide(calls, fresh)
	c.judge(history.Start{}, before, old)
	c.judge(r.start(c.key, before), after, now)
	c.report.Taken += int(max(0, left.LastSeq-max(found.LastSeq, c.lines.top(left.Incarnation.ID))))
}

// judge gives the calls of one life their effects, and leaves them to Judge.
func (c *checker) judge(from history.Start, calls []history.Call, events []event) {
	versions, version := map[string]int64{}, from.Version
	for _, e := range events {
		if !e.follows() {
			version++
		}
		if parts := strings.Split(e.Trace, "-"); len(parts) == 4 && versions[parts[1]] == 0 {
			versions[parts[1]] = version
		}
	}
	for n := range calls {
		calls[n].Effect = history.NoEffect
		if v := versions[calls[n].Trace]; v > 0 {
			calls[n].Effect = history.Effect(v)
			delete(versions, calls[n].Trace)
		}
	}
	if len(versions) > 0 {
		c.breach("G2", "%s: events of nobody's calls: %v", c.key, slices.Collect(maps.Keys(versions)))
	}
	c.report.histories = append(c.report.histories, keyed{c.key, from, calls})
}

// committed are the events of one life of an entity, from what it began with to what it was
// at its end: the topic took them, or they waited when it ended. gone is the incarnation that
// it had when its container went.
func (c *checker) committed(end numbered, waiting []waiting, begin numbered, gone string) []event {
	known := map[string]map[int64]event{} // by incarnation and number
	note := func(e event) {
		if known[e.Life] == nil {
			known[e.Life] = map[int64]event{}
		}
		known[e.Life][e.seq] = e
	}
	for _, e := range c.lines.events() {
		note(e)
	}
	for _, w := range waiting {
		if e, err := decode(w.Envelope); err == nil {
			note(e)
		}
	}
	var all []event
	life, at := end.Incarnation.ID, end.LastSeq
	for at > begin.LastSeq {
		e, ok := known[life][at]
		if !ok {
			return all // breaches of other guarantees say what is missing
		}
		all = append(all, e)
		if at--; at < e.first {
			life = before(known, e, begin.Incarnation.ID, gone)
		}
	}
	slices.Reverse(all)
	return all
}

// keyed is what clients asked of an entity and were told.
type keyed struct {
	key   string
	from  history.Start
	calls []history.Call
}

// Judge looks for an order that explains the answers. Outside of the bubble: inside, its limit
// never comes while it computes.
func (r *Report) Judge() {
	for _, h := range r.histories {
		switch v := h.from.Check(h.calls, 2*time.Minute); v.Judgement {
		case history.Broken:
			r.Breaches = append(r.Breaches, Breach{"G0", h.key + ": " + v.Reason})
		case history.Undecided:
			r.Breaches = append(r.Breaches, Breach{"undecided", h.key + ": " + v.Reason})
		}
	}
}

// read adds a current read to the history: it must show what was acknowledged.
func (w *world) read(key string) {
	c := w.client(50)
	for range 10 {
		if call := c.call(context.Background(), request{key: key, method: http.MethodGet, current: true}, w.instances[0], c.trace()); call.Outcome == history.Answered {
			return
		}
		time.Sleep(time.Second)
	}
}
