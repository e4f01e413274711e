package bench

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

// committed are the margins that CI guards.
func committed(t *testing.T) []Margin {
	t.Helper()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(source, "bench", "guard.txt"))
	require.NoError(t, err)
	list, err := ReadMargins(bytes.NewReader(text))
	require.NoError(t, err)
	return list
}

// asIt is a report of three rounds in which each number is what it was when its margin was
// chosen, or that by a factor in all rounds but the first.
func asIt(was []Margin, factor func(Margin) float64) *Report {
	r := &Report{}
	for _, name := range Guarded(was) {
		for round := range 3 {
			ours, ceiling := map[string]float64{}, map[string]float64{}
			for _, m := range was {
				if m.Workload != name {
					continue
				}
				value := m.Was
				if round > 0 {
					value *= factor(m)
				}
				ceiling[m.Number] = 7 + float64(round) // a ratio is of one round
				if ours[m.Number] = value; m.OfCeiling {
					ours[m.Number] = value * ceiling[m.Number]
				}
			}
			r.Trials = append(r.Trials,
				Trial{Workload: name, Side: Ours, Round: round, Numbers: ours},
				Trial{Workload: name, Side: Ceiling, Round: round, Numbers: ceiling})
		}
	}
	return r
}

// worse is what becomes of a number when an event takes so many times as much.
func worse(times float64) func(Margin) float64 {
	return func(m Margin) float64 {
		if m.AtLeast {
			return 1 / times
		}
		return times
	}
}

// TestGuardFindsADoubling: the margins of CI bear a fifth more and find a doubling, of
// everything and of each number alone.
func TestGuardFindsADoubling(t *testing.T) {
	t.Parallel()
	all := committed(t)
	for _, name := range []string{"through", "drain", "hot"} {
		require.Contains(t, Guarded(all), name)
	}
	require.Empty(t, asIt(all, worse(1)).outside(all))
	require.Empty(t, asIt(all, worse(1.2)).outside(all), "that is noise")
	require.Empty(t, asIt(all, worse(0.1)).outside(all), "better is no breach")
	require.Len(t, asIt(all, worse(2)).outside(all), len(all))
	for _, one := range all {
		found := asIt(all, func(m Margin) float64 {
			if m == one {
				return worse(2)(m)
			}
			return 1
		}).outside(all)
		require.Len(t, found, 1, one)
		require.True(t, strings.HasPrefix(found[0], one.String()), found[0])
	}
}

func TestGuardWantsANumber(t *testing.T) {
	t.Parallel()
	margin := Margin{Workload: "hot", Number: "sends/event", Was: 1, Bound: 2}
	report := func(side Side, value float64) *Report {
		return &Report{Trials: []Trial{{Workload: "hot", Side: side, Numbers: map[string]float64{"sends/event": value}}}}
	}
	require.Empty(t, report(Ours, 2).outside([]Margin{margin}))
	require.Len(t, report(Ours, math.NaN()).outside([]Margin{margin}), 1)
	require.Len(t, report(Ceiling, 1).outside([]Margin{margin}), 1, "nobody measured ours")
	require.Len(t, (&Report{}).outside([]Margin{margin}), 1)
	margin.OfCeiling = true
	require.Len(t, report(Ours, 1).outside([]Margin{margin}), 1, "there is no ceiling")
}

func TestReadMargins(t *testing.T) {
	t.Parallel()
	got, err := ReadMargins(strings.NewReader("# a word\n\nhot  sends/event ours 0.05 <= 0.1 # another\nhot events/s ours/ceiling 3 >= 2\n"))
	require.NoError(t, err)
	require.Equal(t, []Margin{
		{Workload: "hot", Number: "sends/event", Was: 0.05, Bound: 0.1},
		{Workload: "hot", Number: "events/s", OfCeiling: true, Was: 3, Bound: 2, AtLeast: true},
	}, got)
	require.Equal(t, []string{"hot"}, Guarded(got))
	for _, bad := range []string{
		"", "# nothing", "hot sends/event ours 0.05 <= ", "hot sends/event theirs 0.05 <= 0.1", "hot sends/event ours 0.05 < 0.1",
		"hot sends/event ours 0.05 <= many", "hot sends/event ours once <= 0.1", "hot sends/event ours 0.05 <= 0.1 RU",
	} {
		_, err := ReadMargins(strings.NewReader(bad))
		require.ErrorIs(t, err, ErrMargins, bad)
	}
}
