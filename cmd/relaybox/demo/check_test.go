package demo

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// world is an honest system in memory: it carries out a workload and leaves the
// evidence that a flawless run would leave.
type world struct {
	now   time.Time
	lives map[string]*life
	evidence
}

type life struct {
	state        *person
	version, seq int64
	applied      map[string]int64
}

func newWorld() *world {
	return &world{
		now: time.Unix(0, 0), lives: map[string]*life{},
		evidence: evidence{attempts: map[string][]attempt{}, store: map[string]partition{}, views: map[string]view{}, bus: map[string][]busEvent{}},
	}
}

func (w *world) tick() time.Time {
	w.now = w.now.Add(time.Millisecond)
	return w.now
}

// carryOut does one write. silent loses its answer.
func (w *world) carryOut(t *testing.T, wr write, silent bool) {
	l := w.lives[wr.key]
	if l == nil {
		l = &life{applied: map[string]int64{}}
		w.lives[wr.key] = l
	}
	want := wr.want
	if l.state == nil && want.verb != put {
		want = wr.instead
	}
	if want.verb == keep {
		want.body = encode(l.state)
	}
	a := attempt{intent: &want, idempotencyKey: wr.idempotencyKey, ifMatch: -1, sent: w.tick()}
	if wr.conditional && l.state != nil {
		a.ifMatch = l.version
	}
	if want.verb != keep {
		w.change(t, wr.key, l, &want)
	}
	a.answered = w.tick()
	a.outcome, a.status, a.version = acknowledged, 200, l.version
	if want.verb == remove {
		a.status, a.version = 204, 0
	}
	if silent {
		a.outcome, a.status, a.version = unknown, 0, 0
	}
	w.attempts[wr.key] = append(w.attempts[wr.key], a)
	if wr.twin {
		w.attempts[wr.key] = append(w.attempts[wr.key], a)
	}
}

func (w *world) change(t *testing.T, key string, l *life, i *intent) {
	next, err := i.apply(l.state)
	require.NoError(t, err)
	seen := w.views[key]
	if seen.receipts == nil {
		seen = view{receipts: map[string]bool{}}
	}
	for _, kind := range eventTypes(l.state, next) {
		l.seq++
		l.applied[strings.TrimPrefix(kind, "relaybox.profile.")]++
		id := fmt.Sprintf("%s-event-%d", key, l.seq)
		w.bus[key] = append(w.bus[key], busEvent{number: int64(w.now.UnixNano()) + l.seq, id: id, kind: kind, seq: l.seq, state: next})
		seen.receipts[id] = true
	}
	l.state = next
	l.version++
	data := json.RawMessage(nil)
	if next != nil {
		data = encode(next)
	}
	w.store[key] = partition{entity: &entityDoc{Version: l.version, LastSeq: l.seq, Deleted: next == nil, Data: data}}
	seen.model = &modelDoc{LastSeq: l.seq}
	seen.model.Data.ID, seen.model.Data.State, seen.model.Data.View.Applied = key, next, maps.Clone(l.applied)
	w.views[key] = seen
}

func live(t *testing.T, seed uint64, silentPercent int) *world {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := newWorld()
	for _, wr := range plan(rng, 150, 10) {
		w.carryOut(t, wr, chance(rng, silentPercent))
	}
	return w
}

func describe(bad []*violation) []string {
	var out []string
	for _, v := range bad {
		out = append(out, v.invariant+": "+v.detail)
	}
	return out
}

func TestCheckAcceptsAFlawlessRun(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		w := live(t, seed, 0)
		v := check(w.evidence)
		require.Empty(t, describe(v.broken), "seed %d", seed)
		require.Equal(t, 150, v.acknowledged)
		require.Zero(t, v.unknown)
		require.Equal(t, v.events, v.published)
		require.Equal(t, v.events, v.consumed)
		require.Greater(t, v.events, 150, "email-changed stands beside updated")
	}
}

func TestCheckFindsUnansweredWritesOnTheBus(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		v := check(live(t, seed, 10).evidence)
		require.Empty(t, describe(v.broken), "seed %d", seed)
		require.Positive(t, v.unknown)
		require.Positive(t, v.found)
	}
}

func TestCheckNamesWhatIsBroken(t *testing.T) {
	t.Parallel()
	const key = "demo-007"
	last := func(w *world) *attempt {
		all := w.attempts[key]
		for i := range slices.Backward(all) {
			if all[i].intent.verb != keep && all[i].version > 0 {
				return &all[i]
			}
		}
		panic("no acknowledged write")
	}
	cases := []struct {
		name, invariant string
		spoil           func(w *world)
	}{
		{"lost write", noLostWrite, func(w *world) {
			a := *last(w)
			lost := intent{mark: "lost", verb: put, body: encode(person{DisplayName: "lost"})}
			a.intent, a.ifMatch, a.idempotencyKey = &lost, -1, ""
			a.version = w.store[key].entity.Version + 1
			w.attempts[key] = append(w.attempts[key], a)
		}},
		{"lost deletion", noLostWrite, func(w *world) {
			gone := intent{mark: "gone", verb: remove}
			w.attempts[key] = append(w.attempts[key], attempt{intent: &gone, ifMatch: -1, outcome: acknowledged, status: 204})
		}},
		{"other data", noLostWrite, func(w *world) { w.store[key].entity.Data = encode(person{DisplayName: "somebody"}) }},
		{"phantom version", noPhantom, func(w *world) { w.store[key].entity.Version++ }},
		{"version twice", oneChange, func(w *world) {
			a := *last(w)
			second := *a.intent
			second.mark = "second"
			a.intent, a.idempotencyKey = &second, ""
			w.attempts[key] = append(w.attempts[key], a)
		}},
		{"twins differ", oneChange, func(w *world) {
			a := last(w)
			a.idempotencyKey = "twin"
			b := *a
			b.answer = "another"
			w.attempts[key] = append(w.attempts[key], b)
		}},
		{"condition ignored", conditions, func(w *world) { last(w).ifMatch = last(w).version + 7 }},
		{"back in time", conditions, func(w *world) {
			a := last(w)
			a.sent, a.answered = time.Unix(-2, 0), time.Unix(-1, 0)
		}},
		{"refused", refusals, func(w *world) {
			a := *last(w)
			a.outcome, a.status, a.version = refused, 422, 0
			w.attempts[key] = append(w.attempts[key], a)
		}},
		{"pending", nothingLeft, func(w *world) {
			p := w.store[key]
			p.leftover = []string{"ob-1"}
			w.store[key] = p
		}},
		{"number skipped", noLostEvent, func(w *world) { w.store[key].entity.LastSeq++ }},
		{"event not on the bus", noLostEvent, func(w *world) { w.bus[key] = w.bus[key][:len(w.bus[key])-1] }},
		{"event of another type", noPhantomEvent, func(w *world) { w.bus[key][1].kind = "relaybox.profile.other" }},
		{"number twice", noPhantomEvent, func(w *world) {
			e := w.bus[key][0]
			e.id = "other"
			w.bus[key] = append(w.bus[key], e)
		}},
		{"order", busOrder, func(w *world) { b := w.bus[key]; b[1], b[2] = b[2], b[1] }},
		{"old model", viewEqual, func(w *world) { w.views[key].model.LastSeq-- }},
		{"gap", viewEqual, func(w *world) { w.views[key].model.Gaps++ }},
		{"other model", viewEqual, func(w *world) { w.views[key].model.Data.State = &person{DisplayName: "x"} }},
		{"effect twice", oneEffect, func(w *world) { w.views[key].model.Data.View.Applied["created"]++ }},
		{"no effect", oneEffect, func(w *world) { delete(w.views[key].receipts, w.bus[key][0].id) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := live(t, 3, 0)
			require.Empty(t, describe(check(w.evidence).broken))
			c.spoil(w)
			v := check(w.evidence)
			require.NotEmpty(t, v.broken)
			all := describe(v.broken)
			require.True(t, slices.ContainsFunc(v.broken, func(b *violation) bool { return b.invariant == c.invariant }), "%q is not among %q", c.invariant, all)
		})
	}
}

func TestCopiesOnTheBusAreCounted(t *testing.T) {
	t.Parallel()
	w := live(t, 4, 0)
	key := slices.Sorted(maps.Keys(w.bus))[0]
	copied := w.bus[key][0]
	copied.number = 1 << 62
	w.bus[key] = append(w.bus[key], copied)
	v := check(w.evidence)
	require.Empty(t, describe(v.broken))
	require.Equal(t, 1, v.copies)
}

func TestInOrderDropsRedeliveries(t *testing.T) {
	t.Parallel()
	got := inOrder([]busEvent{{number: 3, id: "c"}, {number: 1, id: "a"}, {number: 3, id: "c"}, {number: 2, id: "b"}})
	require.Equal(t, []busEvent{{number: 1, id: "a"}, {number: 2, id: "b"}, {number: 3, id: "c"}}, got)
}

func TestPlanIsRepeatableAndMixed(t *testing.T) {
	t.Parallel()
	one := plan(rand.New(rand.NewPCG(7, 7)), 1000, 100)
	two := plan(rand.New(rand.NewPCG(7, 7)), 1000, 100)
	require.Equal(t, one, two)
	seen := map[string]int{}
	largest := 0
	for _, w := range one {
		seen[w.want.verb.method()]++
		if w.twin {
			seen["twin"]++
		}
		if w.conditional {
			seen["conditional"]++
		}
		largest = max(largest, len(w.want.body))
	}
	for _, what := range []string{"PUT", "PATCH", "DELETE", "twin", "conditional"} {
		require.Positive(t, seen[what], what)
	}
	require.Greater(t, largest, 200_000)
	require.Less(t, largest, 240<<10, "an event must still fit on the bus")
}

func TestMergePatch(t *testing.T) {
	t.Parallel()
	cur := &person{DisplayName: "Ada", Email: "a@b.c", Locale: "en", Attributes: map[string]string{"x": "1", "y": "2"}}
	next, err := merge(cur, []byte(`{"displayName":"Eve","locale":null,"attributes":{"x":null,"z":"3"}}`))
	require.NoError(t, err)
	require.Equal(t, &person{DisplayName: "Eve", Email: "a@b.c", Attributes: map[string]string{"y": "2", "z": "3"}}, next)
}
