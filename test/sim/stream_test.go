package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/internal/history"
)

// taken is a line of n updates.
func taken(life string, first int64, n int) *line {
	l := &line{life: life, first: first, since: began.Add(time.Duration(len(life)) * time.Minute)}
	for range n {
		l.events = append(l.events, event{Type: "relaybox.profile.updated", Life: life, first: first, seq: first + int64(len(l.events))})
	}
	return l
}

// TestEffectsOfSeveralLives: an earlier incarnation may lose its last effects, and nothing else is
// missing or twice.
func TestEffectsOfSeveralLives(t *testing.T) {
	for name, c := range map[string]struct {
		topic   stream
		effects int64
		lost    int64
		ok      bool
	}{
		"one":                          {stream{taken("a", 1, 3)}, 3, 0, true},
		"one, lost":                    {stream{taken("a", 1, 3)}, 2, 0, false},
		"one, doubled":                 {stream{taken("a", 1, 3)}, 4, 0, false},
		"made anew":                    {stream{taken("a", 1, 3), taken("aa", 1, 2)}, 2, 0, true},
		"made anew, lost":              {stream{taken("a", 1, 3), taken("aa", 1, 2)}, 1, 0, false},
		"made anew, the old ones stay": {stream{taken("a", 1, 3), taken("aa", 1, 2)}, 5, 0, false},
		"restored":                     {stream{taken("a", 1, 3), taken("aa", 3, 2)}, 5, 0, true},
		"restored, some never came":    {stream{taken("a", 1, 3), taken("aa", 3, 2)}, 3, 2, true},
		"restored, lost":               {stream{taken("a", 1, 3), taken("aa", 3, 2)}, 1, 0, false},
		"restored, doubled":            {stream{taken("a", 1, 3), taken("aa", 3, 2)}, 6, 0, false},
		"in the order of containers":   {stream{taken("aa", 1, 2), taken("a", 1, 3)}, 2, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			lost, ok := c.topic.explain(map[string]int64{"updated": c.effects})
			require.Equal(t, c.ok, ok)
			if ok && name != "made anew" && name != "in the order of containers" { // where the old ones' effects cannot be told
				require.Equal(t, c.lost, lost)
			}
		})
	}
	require.True(t, stream{taken("a", 1, 3)}.reach(3))
	require.False(t, stream{taken("a", 1, 3)}.reach(4))
}

// TestCallsOfTwoLives: one that was under way when the container was replaced stands in both
// histories, and nobody believes it where it cannot be told.
func TestCallsOfTwoLives(t *testing.T) {
	at := func(second int) time.Time { return began.Add(time.Duration(second) * time.Second) }
	r := &rebirth{began: at(10), ended: at(20)}
	call := func(start, end int, outcome history.Outcome, tag string) history.Call {
		return history.Call{Method: "PUT", Trace: fmt.Sprint(start), Start: at(start), End: at(end), Outcome: outcome, Answer: history.Answer{Status: 200, ETag: tag}}
	}
	for name, c := range map[string]struct {
		call          history.Call
		before, after []history.Outcome
	}{
		"before":               {call(1, 2, history.Answered, `"1-a"`), []history.Outcome{history.Answered}, []history.Outcome{history.Open}},
		"not stored before":    {call(1, 2, history.NotStored, ""), []history.Outcome{history.NotStored}, nil},
		"lost before":          {call(1, 2, history.Open, ""), []history.Outcome{history.Open}, []history.Outcome{history.Open}},
		"across, in the old":   {call(1, 22, history.Answered, `"1-a"`), []history.Outcome{history.Open}, []history.Outcome{history.Open}},
		"across, in the new":   {call(1, 22, history.Answered, `"1-b"`), []history.Outcome{history.Open}, []history.Outcome{history.Answered}},
		"across, not stored":   {call(1, 22, history.NotStored, ""), []history.Outcome{history.Open}, []history.Outcome{history.NotStored}},
		"after":                {call(21, 22, history.Answered, `"1-b"`), nil, []history.Outcome{history.Answered}},
		"after, whatever life": {call(21, 22, history.Answered, `"1-a"`), nil, []history.Outcome{history.Answered}},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := r.divide([]history.Call{c.call}, map[string]bool{"b": true})
			outcomes := func(calls []history.Call) (all []history.Outcome) {
				for _, c := range calls {
					all = append(all, c.Outcome)
				}
				return all
			}
			require.Equal(t, c.before, outcomes(before))
			require.Equal(t, c.after, outcomes(after))
		})
	}
}
