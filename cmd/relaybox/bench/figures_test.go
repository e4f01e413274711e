package bench

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSpreadIsByTheNearestRank(t *testing.T) {
	t.Parallel()
	upTo := func(n int) (all []time.Duration) {
		for i := range n {
			all = append(all, time.Duration(n-i)*time.Millisecond) // sorting is spread's
		}
		return all
	}
	for n, want := range map[int]Spread{
		0:    {},
		1:    {1, time.Millisecond, time.Millisecond, time.Millisecond},
		2:    {2, time.Millisecond, 2 * time.Millisecond, 2 * time.Millisecond},
		100:  {100, 50 * time.Millisecond, 99 * time.Millisecond, 100 * time.Millisecond},
		101:  {101, 51 * time.Millisecond, 100 * time.Millisecond, 101 * time.Millisecond},
		1000: {1000, 500 * time.Millisecond, 990 * time.Millisecond, time.Second},
	} {
		require.Equal(t, want, spread(upTo(n)), "%d values", n)
	}
}

// synthetic is a run whose numbers can be told without a computer.
func synthetic() Figures {
	return Figures{
		Events: 2000, Elapsed: 10 * time.Second,
		Answer:    Spread{2000, 2 * time.Millisecond, 3500 * time.Microsecond, time.Second},
		Processor: map[string]time.Duration{"bus": time.Second, "handler": 4 * time.Second, "host": 2 * time.Second, "store": time.Second},
		Peak:      map[string]int64{"handler": 32 << 20},
		Requests:  []Requests{{"outbox", "batch", 2000, 40_000}, {"outbox", "read", 1000, 1000}, {"inbox", "replace", 500, 9000}},
		Sends:     known(100), Twice: known(4), Allocations: known(7000),
	}
}

func TestNumbersAreByTheEvent(t *testing.T) {
	t.Parallel()
	require.Equal(t, []Number{
		{"events/s", 200}, {"events/processor-s", 250},
		{"answer-p50-ms", 2}, {"answer-p99-ms", 3.5}, {"answer-max-ms", 1000},
		{"host-s/1k-events", 1}, {"handler-s/1k-events", 2}, {"store-s/1k-events", 0.5}, {"bus-s/1k-events", 0.5},
		{"requests/event", 1.75}, {"RU/event", 25},
		{"outbox-batch/event", 1}, {"outbox-batch-RU/event", 20}, {"outbox-read/event", 0.5}, {"outbox-read-RU/event", 0.5},
		{"inbox-replace/event", 0.25}, {"inbox-replace-RU/event", 4.5},
		{"sends/event", 0.05}, {"sent-twice/event", 0.002}, {"allocs/event", 3.5}, {"handler-peak-MB", 32},
	}, synthetic().numbers())
}

// TestNumbersOfNothing: what is not known is left out, and is not zero.
func TestNumbersOfNothing(t *testing.T) {
	t.Parallel()
	require.Equal(t, []Number{{"events/s", 5}}, Figures{Events: 10, Elapsed: 2 * time.Second}.numbers())
}

func TestIdleIsByTheMinute(t *testing.T) {
	t.Parallel()
	idle := Figures{Elapsed: 30 * time.Second, Processor: map[string]time.Duration{"host": time.Second}, Requests: []Requests{{"outbox", "query", 15, 60}}, Sends: known(0)}
	require.Equal(t, []Number{
		{"host-s/minute", 2}, {"requests/minute", 30}, {"RU/minute", 120},
		{"outbox-query/minute", 30}, {"outbox-query-RU/minute", 120}, {"sends/minute", 0},
	}, idle.numbers())
}

func TestSinceTakesAwayWhatWasThere(t *testing.T) {
	t.Parallel()
	before := []Requests{{"outbox", "read", 10, 10}, {"inbox", "read", 5, 5}}
	now := []Requests{{"outbox", "read", 14, 15}, {"inbox", "read", 5, 5}, {"outbox", "batch", 2, 9}}
	require.Equal(t, []Requests{{"outbox", "read", 4, 5}, {"outbox", "batch", 2, 9}}, since(now, before))
}
