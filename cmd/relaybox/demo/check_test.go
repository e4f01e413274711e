package demo

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

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
		require.Equal(t, 200, v.acknowledged+v.declined)
		require.Positive(t, v.declined)
		require.Zero(t, v.unknown)
		require.Equal(t, v.events, v.published)
		require.Equal(t, v.events, v.consumed)
		require.Equal(t, len(w.store), v.kept)
		require.Greater(t, v.events, v.acknowledged, "email-changed stands beside updated")
		require.Positive(t, v.shared())
		require.Positive(t, v.listed)
		require.Zero(t, v.unlisted)
	}
}

func TestCheckAcceptsWhatReadersWereShown(t *testing.T) {
	t.Parallel()
	w := live(t, 1, 0)
	for key, p := range w.store {
		if p.entity.Data != nil {
			w.shown = map[string]map[reading]bool{key: {{p.entity.Version, string(p.entity.Data)}: true}}
			last := lastChange(w, key) // whose answer came no sooner than the oldest that was allowed
			w.recent = map[string][]recent{key: {{last.answered, last.version - 1}, {last.answered.Add(time.Hour), p.entity.Version}}}
			require.Empty(t, describe(check(w.evidence).broken))
		}
	}
	require.NotNil(t, w.shown)
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

// TestCheckNamesWhatIsBroken spoils the evidence about an entity of each kind.
func TestCheckNamesWhatIsBroken(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, invariant string
		spoil           func(w *world, key string)
	}{
		{"lost write", noLostWrite, func(w *world, key string) {
			a := *lastChange(w, key)
			a.intent, a.ifMatch, a.idempotencyKey = another(key), -1, ""
			a.version = w.store[key].entity.Version + 1
			w.attempts[key] = append(w.attempts[key], a)
		}},
		{"read of another state", trueRead, func(w *world, key string) {
			e := w.store[key].entity
			w.shown = map[string]map[reading]bool{key: {{e.Version, `{"displayName":"nobody"}`}: true}}
		}},
		{"read of a version that is not there", trueRead, func(w *world, key string) {
			e := w.store[key].entity
			w.shown = map[string]map[reading]bool{key: {{e.Version + 1, string(e.Data)}: true}}
		}},
		{"read of what was too old", newEnough, func(w *world, key string) {
			a := lastChange(w, key)
			a.version, a.answered = w.store[key].entity.Version, time.Unix(100, 0)
			w.recent = map[string][]recent{key: {{since: a.answered.Add(1), version: a.version - 1}}}
		}},
		{"cache without it", trueCache, func(w *world, key string) { delete(w.kept, key) }},
		{"cache that is behind", trueCache, func(w *world, key string) {
			e := w.kept[key]
			e.Version--
			w.kept[key] = e
		}},
		{"cache of another state", trueCache, func(w *world, key string) {
			e := w.kept[key]
			e.Data = another(key).body
			w.kept[key] = e
		}},
		{"cache of what is gone", trueCache, func(w *world, key string) {
			e := w.kept[key]
			e.Deleted = !e.Deleted
			w.kept[key] = e
		}},
		{"lost deletion", noLostWrite, func(w *world, key string) {
			gone := intent{mark: "gone", verb: remove}
			w.attempts[key] = append(w.attempts[key], attempt{intent: &gone, ifMatch: -1, outcome: acknowledged, status: 204})
		}},
		{"other data", noLostWrite, func(w *world, key string) { w.store[key].entity.Data = another(key).body }},
		{"data of another kind", noLostWrite, func(w *world, key string) { w.store[key].entity.Data = []byte(`{"stranger":1}`) }},
		{"phantom version", noPhantom, func(w *world, key string) { w.store[key].entity.Version++ }},
		{"phantom kind", noPhantom, func(w *world, key string) { w.store["stranger:1"] = w.store[key] }},
		{"version twice", oneChange, func(w *world, key string) {
			a := *lastChange(w, key)
			second := *a.intent
			second.mark = "second"
			a.intent, a.idempotencyKey = &second, ""
			w.attempts[key] = append(w.attempts[key], a)
		}},
		{"twins differ", oneChange, func(w *world, key string) {
			a := lastChange(w, key)
			a.idempotencyKey = "twin"
			b := *a
			b.answer = "another"
			w.attempts[key] = append(w.attempts[key], b)
		}},
		{"one twin declined", oneChange, func(w *world, key string) {
			a := lastChange(w, key)
			a.idempotencyKey = "twin"
			b := *a
			b.outcome, b.status, b.version = declined, 409, 0
			w.attempts[key] = append(w.attempts[key], b)
		}},
		{"condition ignored", conditions, func(w *world, key string) { lastChange(w, key).ifMatch = lastChange(w, key).version + 7 }},
		{"back in time", conditions, func(w *world, key string) {
			a := lastChange(w, key)
			a.sent, a.answered = time.Unix(-2, 0), time.Unix(-1, 0)
		}},
		{"refused", refusals, func(w *world, key string) {
			a := *lastChange(w, key)
			a.outcome, a.status, a.version = refused, 422, 0
			w.attempts[key] = append(w.attempts[key], a)
		}},
		{"declined before there was anything", refusals, func(w *world, key string) {
			w.attempts[key] = append(w.attempts[key], attempt{
				intent: another(key), ifMatch: -1, outcome: declined, status: 409, sent: time.Unix(-2, 0), answered: time.Unix(-1, 0),
			})
		}},
		{"pending", nothingLeft, func(w *world, key string) {
			p := w.store[key]
			p.leftover = []string{"ob-1"}
			w.store[key] = p
		}},
		{"number skipped", noLostEvent, func(w *world, key string) { w.store[key].entity.LastSeq++ }},
		{"event not on the bus", noLostEvent, func(w *world, key string) { w.bus[key] = w.bus[key][:len(w.bus[key])-1] }},
		{"event of another name", noPhantomEvent, func(w *world, key string) { w.bus[key][1].name = "other" }},
		{"event of another state", noPhantomEvent, func(w *world, key string) { w.bus[key][0].state = nil }},
		{"number twice", noPhantomEvent, func(w *world, key string) {
			e := w.bus[key][0]
			e.id = "other"
			w.bus[key] = append(w.bus[key], e)
		}},
		{"order", busOrder, func(w *world, key string) { b := w.bus[key]; b[1], b[2] = b[2], b[1] }},
		{"dead letter", noDeadLetter, func(w *world, key string) { w.dead = []string{w.bus[key][0].id} }},
		{"old model", viewEqual, func(w *world, key string) { w.views[key].model.LastSeq-- }},
		{"gap", viewEqual, func(w *world, key string) { w.views[key].model.Gaps++ }},
		{"other model", viewEqual, func(w *world, key string) { w.views[key].model.Data.State = another(key).body }},
		{"model of another id", viewEqual, func(w *world, key string) { w.views[key].model.Data.ID = "demo-1000" }},
		{"effect twice", oneEffect, func(w *world, key string) {
			k, _ := splitKey(key)
			events := w.lives[key].events
			w.views[key].model.Data.View = encode(k.view(append(events, events[0])))
		}},
		{"no effect", oneEffect, func(w *world, key string) { w.views[key].model.LastSeq-- }},
		{"list of another kind", listEqual, func(w *world, _ string) { w.list[w.longest(orders)] = &entryDoc{} }},
		{"entry of nobody", noPhantom, func(w *world, _ string) { w.list["stranger:1"] = &entryDoc{} }},
		{"no entry", listEqual, func(w *world, _ string) { delete(w.list, w.longest(profiles)) }},
		{"another address", listEqual, func(w *world, _ string) { w.list[w.longest(profiles)].Data.Address = "nobody@example.com" }},
		{"entry of an older event", listEqual, func(w *world, _ string) { w.list[w.longest(profiles)].LastSeq-- }},
		{"gap in the list", listEqual, func(w *world, _ string) { w.list[w.longest(profiles)].Gaps++ }},
		{"early", nothingLeft, func(w *world, key string) {
			seen := w.views[key]
			seen.early = []string{"ea-7"}
			w.views[key] = seen
		}},
	}
	for _, k := range kinds {
		for _, c := range cases {
			t.Run(k.name+"/"+c.name, func(t *testing.T) {
				t.Parallel()
				w := live(t, 3, 0)
				require.Empty(t, describe(check(w.evidence).broken))
				c.spoil(w, w.longest(k))
				v := check(w.evidence)
				require.NotEmpty(t, v.broken)
				all := describe(v.broken)
				require.True(t, slices.ContainsFunc(v.broken, func(b *violation) bool { return b.invariant == c.invariant }), "%q is not among %q", c.invariant, all)
			})
		}
	}
}

// lastChange is the last acknowledged change whose client was told a version.
func lastChange(w *world, key string) *attempt {
	all := w.attempts[key]
	for i := range slices.Backward(all) {
		if all[i].intent.verb != keep && all[i].version > 0 {
			return &all[i]
		}
	}
	panic("no acknowledged write")
}

// another is a PUT that is not part of the workload.
func another(key string) *intent {
	k, _ := splitKey(key)
	i := k.put(rand.New(rand.NewPCG(0, 0)), "another")
	return &i
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
