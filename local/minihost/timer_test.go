package minihost

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
func fire(t *testing.T, text string, store *statusStore, change func(*timerConfig), takes, span time.Duration) []firing {
	t.Helper()
	s, err := parseSchedule(text)
	require.NoError(t, err)
	c := timerConfig{schedule: s, text: text, monitor: !s.subMinute()}
	if change != nil {
		change(&c)
	}
	start := time.Now()
	var list []firing
	l := &timerListener{name: "Sweep", config: c, status: store, log: slog.New(slog.DiscardHandler), fire: func(d azfunc.Timer) {
		list = append(list, firing{time.Since(start), d})
		time.Sleep(takes)
	}}
	ctx, cancel := context.WithTimeout(t.Context(), span)
	defer cancel()
	l.loop(ctx)
	return list
}

func memory() *statusStore { return &statusStore{memory: map[string]scheduleStatus{}} }

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
		store := &statusStore{dir: t.TempDir()}
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
		change         func(*timerConfig)
		takes, span    time.Duration
		want           []time.Duration
	}{
		{"on time", "*/10 * * * * *", nil, time.Second, 31 * time.Second, sec(10, 20, 30)},
		{"a long run: one more at once, the rest dropped", "*/10 * * * * *", nil, 25 * time.Second, 61 * time.Second, sec(10, 35, 60)},
		{"run on startup", "0 * * * * *", func(c *timerConfig) { c.runOnStartup = true }, 0, 61 * time.Second, sec(0, 60)},
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
	s := &statusStore{dir: t.TempDir()}
	_, ok := s.get("Sweep")
	require.False(t, ok)
	want := scheduleStatus{Next: time.Date(2026, 8, 7, 4, 0, 0, 0, time.UTC)}
	require.NoError(t, s.put("Sweep", want))
	got, ok := s.get("Sweep")
	require.True(t, ok)
	require.Equal(t, want, got)
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "timers", "Sweep.json"), []byte("{"), 0o644))
	_, ok = s.get("Sweep")
	require.False(t, ok)
}

// The timer cases of the recording, with a real handler process: what each
// answer means.
func TestTimerAnswers(t *testing.T) {
	t.Parallel()
	files := map[string]string{"host.json": hostJSON(t, "", ""), "Tick/function.json": `{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"0 0 0 1 1 *"}]}`}
	s := start(t, files, success)
	json := func(body string) string { return httpAnswer(200, "application/json", body) }
	for name, c := range map[string]struct{ answer, log string }{
		"success":                {success(seen{}), `msg=swept category=Function.Tick.User`},
		"empty object":           {json(`{}`), "invocation succeeded"},
		"500":                    {httpAnswer(500, "application/json", `{}`), "status 500"},
		"404":                    {httpAnswer(404, "", ""), "status 404"},
		"not json":               {httpAnswer(200, "text/plain", "hello"), "is not application/json"},
		"logs of objects":        {json(`{"Logs":[{}]}`), "Logs holds {}"},
		"200 with an empty body": {httpAnswer(200, "application/json", ""), "would hang until functionTimeout"},
		"204":                    {"HTTP/1.1 204 No Content\r\n\r\n", "would hang until functionTimeout"},
		"connection closed":      {"", "no answer from the handler"},
		"redirect":               {"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", "msg=moved"},
	} {
		s.handler.script(func(r seen) string {
			if strings.HasPrefix(r.line, "GET /elsewhere ") {
				return json(`{"Logs":["moved"]}`)
			}
			return c.answer
		})
		status, _ := s.get(t, "POST", "/admin/functions/tick", `{}`)
		require.Equal(t, 202, status, name)
		s.handler.wait(t, func(r seen) bool { return strings.HasPrefix(r.line, "POST /Tick ") })
		require.Eventually(t, func() bool { return strings.Contains(s.log.String(), c.log) }, 5*time.Second, time.Millisecond, name)
		if c.answer == "" {
			require.Len(t, s.handler.requests(), 1, "delivered once")
		}
	}
}

func TestTimerRetryPolicy(t *testing.T) {
	t.Parallel()
	files := map[string]string{"host.json": hostJSON(t, "", ""), "Tick/function.json": `{"retry":{"strategy":"fixedDelay","maxRetryCount":2,"delayInterval":"00:00:00.001"},
		"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"0 0 0 1 1 *","runOnStartup":true}]}`}
	s := start(t, files, func(seen) string { return httpAnswer(500, "", "") })
	ids := map[string]bool{}
	for i := range 3 {
		req := s.handler.wait(t, func(seen) bool { return true })
		id, _ := req.fields.Get(azfunc.HeaderInvocationID)
		ids[id] = true
		require.Equal(t, i > 0, strings.Contains(string(req.body), `"RetryContext":{"RetryCount"`))
	}
	require.Len(t, ids, 3, "each delivery has its own id")

	p := retryPolicy{growing: true, min: time.Second, cap: 10 * time.Second}
	require.Equal(t, []time.Duration{time.Second, 8 * time.Second, 10 * time.Second}, []time.Duration{p.delay(0), p.delay(3), p.delay(60)})
}
