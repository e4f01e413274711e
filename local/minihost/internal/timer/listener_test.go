package timer

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
)

// firing is one run of a timer under test.
type firing struct {
	at   time.Duration // since the start of the bubble
	data azfunc.Timer
}

// fire lets a listener run for a while in fake time; each run takes takes.
func fire(t *testing.T, text string, store *Store, change func(*Config), takes, span time.Duration) []firing {
	t.Helper()
	s, err := Parse(text)
	require.NoError(t, err)
	c := Config{Schedule: s, Text: text, Monitor: !s.SubMinute()}
	if change != nil {
		change(&c)
	}
	start := time.Now()
	var list []firing
	l := &Listener{Name: "Sweep", Config: c, Status: store, Log: slog.New(slog.DiscardHandler), Fire: func(d azfunc.Timer) {
		list = append(list, firing{time.Since(start), d})
		time.Sleep(takes)
	}}
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	l.Loop(ctx)
	return list
}

func memory() *Store { return NewStore("") }

func at(list []firing) []time.Duration {
	out := []time.Duration{}
	for _, f := range list {
		out = append(out, f.at)
	}
	return out
}

// The bubble's clock starts at midnight, 2000-01-01 UTC.
func TestTimerMonitored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := NewStore(t.TempDir())
		epoch := time.Now().UTC()
		list := fire(t, "0 * * * * *", store, nil, 0, 150*time.Second)
		require.Equal(t, []time.Duration{time.Minute, 2 * time.Minute}, at(list))
		require.Equal(t, azfunc.Timer{AdjustForDST: true, Status: &azfunc.ScheduleStatus{Next: epoch.Add(time.Minute), LastUpdated: epoch}}, list[0].data, "the first run ever")
		require.Equal(t, epoch.Add(time.Minute), list[1].data.Status.Last.UTC())
		require.Equal(t, epoch.Add(2*time.Minute), list[1].data.Status.Next.UTC(), "the tick being served")

		time.Sleep(10 * time.Minute) // nobody runs
		list = fire(t, "0 * * * * *", store, nil, 0, 70*time.Second)
		require.Equal(t, []time.Duration{0, 30 * time.Second}, at(list), "one catch-up run, then on time")
		require.True(t, list[0].data.PastDue)
		require.False(t, list[1].data.PastDue)

		time.Sleep(10 * time.Minute)
		list = fire(t, "30 * * * * *", store, nil, 0, 40*time.Second)
		require.Empty(t, list[:0])
		for _, f := range list {
			require.False(t, f.data.PastDue, "a changed schedule starts afresh")
		}
	})
}

func TestTimerRuns(t *testing.T) {
	t.Parallel()
	sec := func(n ...float64) []time.Duration {
		out := []time.Duration{}
		for _, s := range n {
			out = append(out, time.Duration(s*float64(time.Second)))
		}
		return out
	}
	for _, c := range []struct {
		name, schedule string
		change         func(*Config)
		takes, span    time.Duration
		want           []time.Duration
	}{
		{"on time", "*/10 * * * * *", nil, time.Second, 31 * time.Second, sec(10, 20, 30)},
		{"a long run: one more at once, the rest dropped", "*/10 * * * * *", nil, 25 * time.Second, 61 * time.Second, sec(10, 35, 60)},
		{"run on startup", "0 * * * * *", func(c *Config) { c.RunOnStartup = true }, 0, 61 * time.Second, sec(0, 60)},
		{"a time span counts from the start of the last run", "00:00:30", nil, 10 * time.Second, 65 * time.Second, sec(30, 60)},
		{"never", "0 0 0 30 2 *", nil, 0, time.Hour, sec()},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				list := fire(t, c.schedule, memory(), c.change, c.takes, c.span)
				require.Equal(t, c.want, at(list))
				for _, f := range list {
					require.False(t, f.data.PastDue)
					require.Equal(t, c.schedule != "00:00:30", f.data.AdjustForDST)
					if strings.HasPrefix(c.schedule, "*/10") {
						require.Nil(t, f.data.Status, "not monitored")
					}
				}
			})
		})
	}
}

func TestStatusStoreSurvivesGarbage(t *testing.T) {
	t.Parallel()
	s := NewStore(t.TempDir())
	_, ok := s.Get("Sweep")
	require.False(t, ok)
	want := Status{Next: time.Date(2026, 8, 7, 4, 0, 0, 0, time.UTC)}
	require.NoError(t, s.put("Sweep", want))
	got, ok := s.Get("Sweep")
	require.True(t, ok)
	require.Equal(t, want, got)
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "timers", "Sweep.json"), []byte("{"), 0o644))
	_, ok = s.Get("Sweep")
	require.False(t, ok)
}

func TestRetryDelay(t *testing.T) {
	t.Parallel()
	p := Retry{Growing: true, Min: time.Second, Cap: 10 * time.Second}
	require.Equal(t, []time.Duration{time.Second, 8 * time.Second, 10 * time.Second}, []time.Duration{p.Delay(0), p.Delay(3), p.Delay(60)})
}
