package chaos

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minicosmos"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	const length = 10 * time.Minute
	plan := draw(7, length, 10, nil)
	require.Equal(t, plan, draw(7, length, 10, nil), "a seed repeats its faults")
	require.NotEqual(t, plan, draw(8, length, 10, nil))
	count := map[sort]int{}
	for _, f := range plan {
		count[f.Sort]++
		require.LessOrEqual(t, f.At+f.Hold, length, "%v", f)
	}
	for _, s := range sorts {
		require.Positive(t, count[s], s)
	}
	require.GreaterOrEqual(t, count[kills], 200)
	require.True(t, slices.IsSortedFunc(plan, func(a, b fault) int { return int(a.At - b.At) }))

	for _, f := range draw(7, length, 10, []string{"kills"}) {
		require.NotEqual(t, kills, f.Sort)
	}
}

// TestPlanHealsWhatItBreaks: two faults that end by the same act never overlap.
func TestPlanHealsWhatItBreaks(t *testing.T) {
	t.Parallel()
	until := map[string]time.Duration{}
	for _, f := range draw(3, time.Hour, 4, nil) {
		var target string
		switch f.Sort {
		case freezes:
			target = "freeze " + f.Target
		case cuts:
			target = "link " + f.Target + f.Do[strings.LastIndexByte(f.Do, ' '):]
		case outages, refusals:
			target = "switch " + f.Target
		default:
			continue
		}
		require.GreaterOrEqual(t, f.At, until[target], "%v", f)
		until[target] = f.At + f.Hold
	}
}

// TestStandInsTakeTheSwitches: a fault that is refused breaks nothing.
func TestStandInsTakeTheSwitches(t *testing.T) {
	t.Parallel()
	post := func(url, body string) {
		resp, err := http.Post(url+"/relaybox/faults", "application/json", strings.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode, body)
	}
	cosmos, bus := minicosmos.RunT(t), minibus.RunT(t)
	for _, s := range storeSwitches {
		post(cosmos.URL, s)
	}
	for _, s := range slices.Concat(busSwitches, refuseSome, []string{refuseAll}) {
		post("http://"+bus.AdminAddr, s)
	}
}
