package request

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity/problem"
	"github.com/relaybox/relaybox/outbox"
)

func TestConditions(t *testing.T) {
	t.Parallel()
	life := outbox.Incarnation{ID: "i"}
	third := outbox.Entity{Key: "p-1", Version: 3, Incarnation: life}
	tombstone := outbox.Entity{Key: "p-1", Version: 3, Incarnation: life, Deleted: true}
	nothing := outbox.Entity{Key: "p-1"}
	for name, c := range map[string]struct {
		header, value string
		entity        outbox.Entity
		met, known    bool
	}{
		"match":                    {"If-Match", `"3-i"`, third, true, false},
		"match in a list":          {"If-Match", `"1", "a,b" ,,"3-i"`, third, true, false},
		"match any":                {"If-Match", ` * `, third, true, false},
		"older":                    {"If-Match", `"2-i"`, third, false, false},
		"newer":                    {"If-Match", `"4-i"`, third, false, false},
		"another incarnation":      {"If-Match", `"3-j"`, third, false, false},
		"newer in another":         {"If-Match", `"4-j"`, third, false, false},
		"without an incarnation":   {"If-Match", `"3"`, third, false, false},
		"weak never matches":       {"If-Match", `W/"3-i"`, third, false, false},
		"weak is never newer":      {"If-Match", `W/"4"`, third, false, false},
		"not one of ours":          {"If-Match", `"abc"`, third, false, false},
		"leading zero":             {"If-Match", `"03"`, third, false, false},
		"any of nothing":           {"If-Match", `*`, nothing, false, false},
		"version of nothing":       {"If-Match", `"1"`, nothing, false, false},
		"version of a tombstone":   {"If-Match", `"3-i"`, tombstone, false, false},
		"none, any, nothing":       {"If-None-Match", `*`, nothing, true, false},
		"none, any, tombstone":     {"If-None-Match", `*`, tombstone, true, false},
		"none, any, exists":        {"If-None-Match", `*`, third, false, true},
		"none, this one":           {"If-None-Match", `"2", "3-i"`, third, false, true},
		"none, this one, weakly":   {"If-None-Match", `W/"3-i"`, third, false, true},
		"none, another":            {"If-None-Match", `"2"`, third, true, false},
		"none, tag of a tombstone": {"If-None-Match", `"3-i"`, tombstone, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conditions, err := ParseConditions(http.Header{c.header: {c.value}})
			require.NoError(t, err)
			require.Equal(t, c.met, conditions.Met(c.entity) == nil)
			require.Equal(t, c.known, conditions.Known(c.entity))
			if err := conditions.Met(c.entity); err != nil {
				require.Equal(t, problem.Precondition, problem.From(t.Context(), err).Kind)
			}
		})
	}
}

func TestConditionsMayComeInSeveralLines(t *testing.T) {
	t.Parallel()
	conditions, err := ParseConditions(http.Header{"If-Match": {`"1"`, `"3-i"`}})
	require.NoError(t, err)
	require.NoError(t, conditions.Met(outbox.Entity{Version: 3, Incarnation: outbox.Incarnation{ID: "i"}}))
}

func TestConditionsRefuseWhatIsNoList(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"If-Match", "If-None-Match"} {
		for _, value := range []string{``, ` `, `,`, `3`, `"3`, `3"`, `"3-i" "4"`, `w/"3"`, `W/3`, `W/ "3"`, `*, "3"`, `"3", *`, "\"a b\"", "\"a\x7f\""} {
			_, err := ParseConditions(http.Header{header: {value}})
			require.Error(t, err, "%s: %s", header, value)
			p := problem.From(t.Context(), err)
			require.Equal(t, problem.BadHeader, p.Kind)
			require.Equal(t, header, p.Header)
		}
	}
}

func TestNoConditionIsAlwaysMet(t *testing.T) {
	t.Parallel()
	conditions, err := ParseConditions(http.Header{})
	require.NoError(t, err)
	for _, e := range []outbox.Entity{{}, {Version: 1}, {Version: 2, Deleted: true}} {
		require.NoError(t, conditions.Met(e))
		require.False(t, conditions.Known(e))
	}
}

// FuzzParseTags: what is accepted means the same when it is written out again.
func FuzzParseTags(f *testing.F) {
	for _, seed := range []string{`*`, `"3-i"`, `W/"a,b" , "c"`, `"`, `W/`, `,,"3",`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tags, ok := parseTags(s)
		if !ok || tags.any {
			return
		}
		var text string
		for _, tag := range tags.list {
			if tag.weak {
				text += "W/"
			}
			text += `"` + tag.opaque + `",`
		}
		again, ok := parseTags(text)
		require.True(t, ok)
		require.Equal(t, tags, again)
	})
}

func TestAhead(t *testing.T) {
	t.Parallel()
	third := outbox.Entity{Key: "p-1", Version: 3, Incarnation: outbox.Incarnation{ID: "i"}}
	for name, c := range map[string]struct {
		match, noneMatch string
		want             bool
	}{
		"nothing":             {"", "", false},
		"the same":            {"", `"3-i"`, false},
		"older":               {"", `"2-i"`, false},
		"newer":               {"", `"4-i"`, true},
		"newer and weak":      {"", `W/"4-i"`, true},
		"one of several":      {"", `"2-i", "10-i"`, true},
		"another incarnation": {"", `"1-j"`, true},
		"any":                 {"", "*", false},
		"none of ours":        {"", `"abc", "x-i", "4"`, false},
		"matches":             {`"3-i"`, "", false},
		"older does not":      {`"2-i"`, "", false},
		"newer matches":       {`"4-i"`, "", true},
		"both":                {`"3-i"`, `"3-i"`, false},
		"one of both":         {`"3-i"`, `"4-i"`, true},
	} {
		h := http.Header{}
		if c.match != "" {
			h.Set("If-Match", c.match)
		}
		if c.noneMatch != "" {
			h.Set("If-None-Match", c.noneMatch)
		}
		conditions, err := ParseConditions(h)
		require.NoError(t, err, name)
		require.Equal(t, c.want, conditions.Ahead(third), name)
	}
}
