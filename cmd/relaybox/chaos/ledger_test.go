package chaos

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/internal/history"
)

const key = "profile:x"

// world is a run that went well: three writes to one entity, and a deletion whose answer was
// lost. Tests spoil it.
type world struct {
	e     *evidence
	calls []history.Call
}

func state(name string) string { return fmt.Sprintf(`{"displayName":%q}`, name) }

func message(seq int64, name, who string) event {
	e := event{number: seq, id: fmt.Sprint("e", seq), life: "a", name: name, seq: seq, trace: fmt.Sprint("t", seq)}
	if who != "" {
		e.state = state(who)
	}
	return e
}

func well() *world {
	at := func(second int) time.Time { return time.Date(2026, 1, 1, 0, 0, second, 0, time.UTC) }
	put := func(n int, status int, who string) history.Call {
		return history.Call{
			Method: "PUT", Body: state(who), Trace: fmt.Sprint("t", n), Start: at(2 * n), End: at(2*n + 1), Outcome: history.Answered,
			Answer: history.Answer{Status: status, ETag: fmt.Sprintf(`"%d-a"`, n), Body: fmt.Sprintf(`{"id":"x","displayName":%q,"version":%d}`, who, n)},
		}
	}
	var model modelDoc
	model.LastSeq, model.Data.State = 4, json.RawMessage(state("Eve"))
	model.Data.View.Applied = map[string]int64{"created": 2, "updated": 1, "deleted": 1}
	return &world{
		e: &evidence{
			entities: map[string]entityDoc{key: {Version: 4, LastSeq: 4, Data: json.RawMessage(state("Eve"))}},
			pending:  map[string][]int64{}, left: map[string][]event{}, parked: map[string][]int64{}, models: map[string]modelDoc{key: model},
			topic: map[string][]event{key: {message(1, "created", "Ann"), message(2, "updated", "Bob"), message(1, "created", "Ann"), message(3, "deleted", ""), message(4, "created", "Eve")}},
		},
		calls: []history.Call{
			put(1, 201, "Ann"), put(2, 200, "Bob"),
			{Method: "DELETE", Trace: "t3", Start: at(6), End: at(7), Outcome: history.Open},
			put(4, 201, "Eve"),
			{Method: "PUT", Body: state("Zoe"), Trace: "t9", Start: at(3), End: at(4), Outcome: history.NotStored},
		},
	}
}

func (w *world) breaches() (kinds []Kind, texts []string) {
	var record history.Recorder
	for _, c := range w.calls {
		record.Add(key, c)
	}
	for _, b := range reconcile(w.e, &record, time.Second) {
		kinds, texts = append(kinds, b.Kind), append(texts, b.Text)
	}
	return kinds, texts
}

func (w *world) model(change func(*modelDoc)) {
	m := w.e.models[key]
	change(&m)
	w.e.models[key] = m
}

func TestLedger(t *testing.T) {
	t.Parallel()
	topic := func(w *world) []event { return w.e.topic[key] }
	for name, c := range map[string]struct {
		spoil func(*world)
		want  []Kind
	}{
		"all is well":            {func(*world) {}, nil},
		"nothing happened":       {func(w *world) { *w = world{e: &evidence{}} }, nil},
		"an event is gone":       {func(w *world) { w.e.topic[key] = append(topic(w)[:1], topic(w)[3:]...) }, []Kind{Lost}},
		"the last event is gone": {func(w *world) { w.e.topic[key] = topic(w)[:4] }, []Kind{Lost}},
		"an event is pending": {func(w *world) {
			w.e.topic[key] = topic(w)[:4]
			w.e.pending[key], w.e.left[key] = []int64{4}, []event{message(4, "created", "Eve")}
			w.model(func(m *modelDoc) { m.LastSeq = 3 })
		}, []Kind{Stuck}},
		"an event is parked": {func(w *world) {
			w.e.topic[key] = topic(w)[:4]
			w.e.parked[key], w.e.left[key] = []int64{4}, []event{message(4, "created", "Eve")}
			w.model(func(m *modelDoc) { m.LastSeq = 3 })
		}, []Kind{Parked}},
		"order at the broker": {func(w *world) { l := topic(w); l[1], l[3] = l[3], l[1] }, []Kind{Disorder}},
		"two events with one number": {func(w *world) {
			e := message(2, "updated", "Bob")
			e.id = "other"
			w.e.topic[key] = append(topic(w), e)
		}, []Kind{Disorder, Phantom}},
		"an event that no write made": {func(w *world) { w.e.topic[key] = append(topic(w), message(5, "updated", "Eve")) }, []Kind{Phantom}},
		"a change nobody asked for":   {func(w *world) { w.calls = w.calls[:3] }, []Kind{Phantom}},
		"told not stored, and was":    {func(w *world) { w.calls[4].Trace, w.calls[1].Trace = "t2", "t9" }, []Kind{Unordered}},
		"acknowledged, and not made":  {func(w *world) { w.calls[1].Answer.ETag = `"5-a"` }, []Kind{Lost, Unordered}},
		"acknowledged other content": {func(w *world) {
			w.calls[1].Answer.Body = `{"id":"x","displayName":"Rob","version":2}`
			w.calls[1].Body = state("Rob")
		}, []Kind{Lost}},
		"a deletion that was not": {func(w *world) {
			d := w.calls[2]
			d.Outcome, d.Answer.Status, d.Trace = history.Answered, 204, "t7"
			d.Start, d.End = d.Start.Add(4*time.Second), d.End.Add(5*time.Second)
			w.calls = append(w.calls, d)
		}, []Kind{Lost, Unordered}},
		"the store has forgotten": {func(w *world) {
			e := w.e.entities[key]
			e.Data = json.RawMessage(state("Bob"))
			w.e.entities[key] = e
			w.model(func(m *modelDoc) { m.Data.State = e.Data })
		}, []Kind{Lost}},
		"counted twice":             {func(w *world) { w.model(func(m *modelDoc) { m.Data.View.Applied["updated"] = 2 }) }, []Kind{Doubled}},
		"no effect":                 {func(w *world) { w.model(func(m *modelDoc) { m.Data.View.Applied["updated"] = 0 }) }, []Kind{Lost}},
		"an effect of nothing":      {func(w *world) { w.model(func(m *modelDoc) { m.Data.View.Applied["moved"] = 1 }) }, []Kind{Phantom}},
		"a gap":                     {func(w *world) { w.model(func(m *modelDoc) { m.Gaps = 1 }) }, []Kind{Disorder}},
		"the model holds old state": {func(w *world) { w.model(func(m *modelDoc) { m.Data.State = json.RawMessage(state("Bob")) }) }, []Kind{Disorder}},
		"behind with nothing to do": {func(w *world) { w.model(func(m *modelDoc) { m.LastSeq = 3 }) }, []Kind{Behind}},
		"behind with work":          {func(w *world) { w.model(func(m *modelDoc) { m.LastSeq = 3 }); w.e.waiting.active = 1 }, []Kind{Stuck}},
		"a dead letter":             {func(w *world) { w.e.dead = []string{"e2"} }, []Kind{DeadLettered}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := well()
			c.spoil(w)
			kinds, texts := w.breaches()
			require.Equal(t, c.want, kinds, "%v", texts)
		})
	}
}

// TestEmailChangedIsNoVersion: two events of one write are one version.
func TestEmailChangedIsNoVersion(t *testing.T) {
	t.Parallel()
	a := account{key: key, events: []event{message(1, "created", "Ann"), message(2, "updated", "Bob"), message(3, "email-changed", "Bob"), message(4, "deleted", "")}}
	a.group()
	require.Len(t, a.versions, 3)
	require.Len(t, a.versions[1].events, 2)
}
