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
	"github.com/relaybox/relaybox/local/minibus"
)

// event is an event as the topic has it.
type event struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Sequence string `json:"sequence"`
	Key      string `json:"partitionkey"`
	Subject  string `json:"subject"`
	Trace    string `json:"traceparent"`
	Data     struct {
		State map[string]any `json:"state"`
	} `json:"data"`

	seq int64
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
	topic := w.topic(breach, report)
	stored, shown := w.documents(entities), w.documents(views)
	for _, key := range w.calls.Keys() {
		events := topic[key]
		c := &checker{w: w, key: key, kind: kindOf(key), events: events, waiting: outboxOf(stored[key]), breach: breach, report: report}
		_ = json.Unmarshal(stored[key]["entity"], &c.entity)
		_ = json.Unmarshal(shown[key]["model"], &c.model)
		c.own()
		c.poisoned()
		c.numbers()
		c.effects()
		c.history()
		report.Calls += len(w.calls.Calls(key))
		report.Events += len(events)
	}
	for key, docs := range stored {
		for _, e := range outboxOf(docs) {
			switch {
			case e.Parked && !e.poisonous():
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
func (w *world) topic(breach func(string, string, ...any), report *Report) map[string][]event {
	first := map[string][]event{}
	for _, m := range w.broker().Peek(watchPath) {
		if m.Properties["junk"] != nil {
			continue
		}
		report.Copies++
		e, err := read(m)
		if err != nil {
			breach("G2", "the topic has taken what is no event: %v: %s", err, m.Body)
			continue
		}
		known := first[e.Key]
		switch n := int64(len(known)); {
		case e.seq == n+1:
			first[e.Key] = append(known, e)
		case e.seq > n+1:
			breach("G3", "%s: the topic took number %d after %d", e.Key, e.seq, n)
			return first
		case known[e.seq-1].ID != e.ID || known[e.seq-1].Trace != e.Trace:
			breach("G2", "%s: number %d was given to two events, %s and %s", e.Key, e.seq, known[e.seq-1].Trace, e.Trace)
		}
	}
	return first
}

func read(m minibus.Message) (e event, err error) {
	if err = json.Unmarshal(m.Body, &e); err != nil {
		return e, err
	}
	if _, err = fmt.Sscanf(e.Sequence, "%d", &e.seq); err != nil || e.seq < 1 {
		return e, fmt.Errorf("sequence %q: %w", e.Sequence, err)
	}
	return e, nil
}

// checker judges one entity.
type checker struct {
	w             *world
	key           string
	kind          *kind
	events        []event   // that the topic took
	waiting       []waiting // that it did not, because the first of them is poison
	entity, model numbered
	breach        func(string, string, ...any)
	report        *Report
}

// own: what has the entity's number is of its kind and has its id.
func (c *checker) own() {
	for _, e := range c.events {
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
		case e.Parked && (e.Fault.Attempts < parkAfter || e.Fault.Reason == ""):
			c.breach("G5", "%s: event %d is parked after %d attempts, because of %q", c.key, e.Seq, e.Fault.Attempts, e.Fault.Reason)
		case e.Parked != (n == 0):
			c.breach("G5", "%s: event %d is the %dth that waits; is it parked? %v", c.key, e.Seq, n+1, e.Parked)
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
	switch n := int64(len(c.events)); {
	case n < last:
		c.breach("G1", "%s: %d events could be sent, the topic took %d", c.key, last, n)
	case n > c.entity.LastSeq:
		c.breach("G2", "%s: %d events were committed, the topic took %d: %v", c.key, c.entity.LastSeq, n, c.events[c.entity.LastSeq:])
	case n > last:
		c.breach("G5", "%s: the topic took %d events, although number %d was refused", c.key, n, last+1)
	}
}

// effects: each event had its effect once, and the view is what the events say.
func (c *checker) effects() {
	var view struct {
		State map[string]any  `json:"state"`
		View  json.RawMessage `json:"view"`
	}
	_ = json.Unmarshal(c.model.Data, &view)
	want := map[string]int64{}
	for _, e := range c.events {
		want[e.name()]++
	}
	if applied := c.kind.applied(view.View); len(want) > 0 && !maps.Equal(want, applied) {
		c.breach("G4", "%s: events at the topic %v, effects %v", c.key, want, applied)
	}
	if c.model.Gaps > 0 {
		c.breach("G3", "%s: the consumer went on over %d missing events", c.key, c.model.Gaps)
	}
	if n := len(c.events); n > 0 {
		if last := fmt.Sprint(c.events[n-1].Data.State); fmt.Sprint(view.State) != last {
			c.breach("G1", "%s: the last event says %s, the view %s", c.key, last, c.model.Data)
		}
	}
}

// history: the answers fit one order, and every event belongs to a call that may have made it.
func (c *checker) history() {
	calls := c.w.calls.Calls(c.key)
	versions, version := map[string]int64{}, int64(0)
	for _, e := range c.committed() {
		if e.name() != "email-changed" { // which follows the updated of the same write
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
	c.report.histories = append(c.report.histories, keyed{c.key, calls})
}

// committed are the entity's events, those that wait behind poison too.
func (c *checker) committed() []event {
	all := slices.Clone(c.events)
	for _, waiting := range c.waiting {
		var e event
		_ = json.Unmarshal(waiting.Envelope, &e)
		all = append(all, e)
	}
	return all
}

// keyed is what clients asked of an entity and were told.
type keyed struct {
	key   string
	calls []history.Call
}

// Judge looks for an order that explains the answers. Outside of the bubble: inside, its limit
// never comes while it computes.
func (r *Report) Judge() {
	for _, h := range r.histories {
		switch v := history.Check(h.calls, 20*time.Second); v.Judgement {
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
