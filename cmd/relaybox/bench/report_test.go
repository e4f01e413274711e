package bench

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// twice is a report of two rounds: ours is half of the ceiling, then a quarter of it; theirs
// is half of ours, then as much.
func twice() *Report {
	rate := func(eventsPerSecond int) Figures {
		return Figures{Events: eventsPerSecond * 10, Elapsed: 10 * time.Second}
	}
	r := &Report{Started: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Machine: "a machine", Seed: 7}
	add := func(side Side, round int, f Figures) {
		r.Trials = append(r.Trials, newTrial("write/off", side, round, f))
	}
	add(Ceiling, 0, rate(1000))
	add(Ours, 0, rate(500))
	add(Theirs, 0, rate(250))
	add(Theirs, 1, rate(100))
	add(Ours, 1, rate(100))
	add(Ceiling, 1, rate(400))
	return r
}

func TestRatiosAreOfOneRound(t *testing.T) {
	t.Parallel()
	r := twice()
	of := func(side Side) map[int]float64 { return r.rounds("write/off", side, "events/s") }
	half, least, most, ok := ratio(of(Ours), of(Ceiling))
	require.True(t, ok)
	require.Equal(t, []float64{0.375, 0.25, 0.5}, []float64{half, least, most}, "not 300 by 700")
	require.Equal(t, "1.50 (1.00–2.00)", compared(of(Ours), of(Theirs)))
	require.Equal(t, "300", middle(of(Ours)))
	_, _, _, ok = ratio(of(Ours), nil)
	require.False(t, ok)
	_, _, _, ok = ratio(of(Ours), map[int]float64{0: 0})
	require.False(t, ok, "nothing can be divided by nothing")
}

func TestMedian(t *testing.T) {
	t.Parallel()
	require.Equal(t, 2.0, median([]float64{9, 1, 2}))
	require.Equal(t, 1.5, median([]float64{2, 1}))
	require.Equal(t, 4.0, median([]float64{4}))
}

func TestReportIsGoodOnlyIfNothingIsBroken(t *testing.T) {
	t.Parallel()
	require.True(t, twice().good())
	for _, o := range []Outcome{{Lost: 1}, {Duplicate: 1}, {Disordered: 1}} {
		r := twice()
		r.Trials[2].Outcome = o
		require.False(t, r.good(), "%+v", o)
	}
}

func TestPrintSaysWhatIsBroken(t *testing.T) {
	t.Parallel()
	r := twice()
	r.Trials[1].Outcome = Outcome{Lost: 3, Duplicate: 4, Disordered: 5}
	var out bytes.Buffer
	require.NoError(t, r.print(&out))
	lines := map[string][]string{}
	for line := range strings.Lines(out.String()) {
		if fields := strings.Fields(line); len(fields) > 0 {
			lines[fields[0]] = fields[1:]
		}
	}
	require.Equal(t, []string{"300", "700", "0.375", "(0.250–0.500)", "175", "1.50", "(1.00–2.00)"}, lines["events/s"])
	require.Equal(t, []string{"3", "0"}, lines["lost"])
	require.Equal(t, []string{"4", "0"}, lines["duplicate"])
	require.Equal(t, []string{"5", "0"}, lines["disordered"])
}

func TestBenchstatIsGosFormat(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, twice().Benchstat(&out))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Equal(t, []string{"started: 2026-01-02T03:04:05Z", "machine: a machine", "seed: 7", "quick: false"}, lines[:4])
	require.Equal(t, "BenchmarkWrite/with=off/side=ceiling 10000 1000 events/s", lines[4])
	require.Len(t, lines, 10)
}

func TestJSONHasTheNumbers(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(twice())
	require.NoError(t, err)
	var got struct {
		Trials []struct {
			Workload, Side              string
			Numbers                     map[string]float64
			Lost, Duplicate, Disordered *int
		}
	}
	require.NoError(t, json.Unmarshal(text, &got))
	require.Equal(t, 500.0, got.Trials[1].Numbers["events/s"])
	require.Equal(t, "ours", got.Trials[1].Side)
	require.NotNil(t, got.Trials[1].Lost)
}

func TestChoose(t *testing.T) {
	t.Parallel()
	names := func(o Options) (list []string) {
		all, err := choose(o)
		require.NoError(t, err)
		for _, w := range all {
			list = append(list, w.name)
		}
		return list
	}
	require.Equal(t, []string{"write/off", "write/on"}, names(Options{Workloads: []string{"write"}}))
	require.Equal(t, []string{"scale/2"}, names(Options{Workloads: []string{"scale/2"}}))
	require.Equal(t, []string{"scale/1", "scale/2", "scale/5", "scale/10"}, names(Options{Workloads: []string{"scale"}}))
	require.Equal(t, []string{"scale/1", "scale/2"}, names(Options{Workloads: []string{"scale"}, Quick: true}))
	require.Equal(t, []string{"scale/10"}, names(Options{Workloads: []string{"scale/10"}, Quick: true}))
	require.NotContains(t, names(Options{Quick: true}), "scale/5")
	require.NotContains(t, names(Options{}), "million")
	require.Contains(t, names(Options{Workloads: []string{"million"}}), "million")
	_, err := choose(Options{Workloads: []string{"writes"}})
	require.ErrorIs(t, err, ErrNoWorkload)
}
