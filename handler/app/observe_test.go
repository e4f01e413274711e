package app

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// TestSignalsAreLogged: each at its level, with what alerts and operators look for.
func TestSignalsAreLogged(t *testing.T) {
	t.Parallel()
	const parent, ids = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331"
	sent := outbox.Event{Key: "k", Seq: 3, ID: "e", Trace: outbox.Trace{Parent: parent}}
	got := inbox.Event{Key: "k", Seq: 3, ID: "e", Incarnation: inbox.Incarnation{ID: "new"}, TraceParent: parent}
	away := &outbox.Error{Class: outbox.Unavailable, Err: errors.New("away")}
	for name, c := range map[string]struct {
		out  outbox.Signal
		in   inbox.Signal
		want []string
	}{
		"moved":       {outbox.Moved{Key: "k", From: outbox.Incarnation{ID: "old"}, To: outbox.Incarnation{ID: "new", First: 4}}, nil, []string{"level=WARN", "signal=incarnation key=k incarnation=new left=old first=4"}},
		"published":   {outbox.Published{Event: sent}, nil, []string{"level=DEBUG msg=published key=k seq=3 event=e"}},
		"settled":     {outbox.Settled{Key: "k", Count: 2}, nil, []string{"level=DEBUG msg=settled key=k events=2"}},
		"refused":     {outbox.Refused{Event: sent, Err: away, Attempt: 1, Verdict: outbox.Verdict{Action: outbox.Retry}}, nil, []string{"level=WARN", "key=k seq=3 event=e", "attempt=1", "away"}},
		"refused all": {outbox.Refused{Event: sent, Err: away, Verdict: outbox.Verdict{Action: outbox.Pause}}, nil, []string{"level=DEBUG", "key=k seq=3 event=e", "away"}},
		"parked":      {outbox.Parked{Event: sent, Fault: outbox.Fault{Reason: "r", Attempts: 3}}, nil, []string{"level=ERROR", "signal=parked key=k seq=3 event=e attempts=3", "reason=r"}},
		"blocked":     {outbox.Blocked{Key: "k", Seq: 3}, nil, []string{"level=WARN", "signal=blocked key=k seq=3"}},
		"paused":      {outbox.Paused{For: time.Second, Err: away}, nil, []string{"level=WARN", "signal=paused for=1s", "away"}},
		"resumed":     {outbox.Resumed{After: time.Minute}, nil, []string{"level=INFO", "after=1m0s"}},
		"dropped":     {outbox.Dropped{Key: "k"}, nil, []string{"level=DEBUG", "key=k"}},
		"look failed": {outbox.LookFailed{Err: away}, nil, []string{"level=WARN", "class=" + outbox.Unavailable.String(), "away"}},
		"drain":       {outbox.DrainFailed{Key: "k", Err: away}, nil, []string{"level=WARN", "key=k class=" + outbox.Unavailable.String(), "away"}},

		"held":        {nil, inbox.Held{Event: got, Err: away, Wait: time.Second, Try: 4}, []string{"level=WARN", "signal=held try=4 key=k seq=3 event=e wait=1s", "away"}},
		"held again":  {nil, inbox.Held{Event: got, Err: away, Wait: time.Second, Try: 5}, []string{"level=DEBUG", "signal=held try=5"}},
		"followed":    {nil, inbox.Followed{Event: got, From: inbox.Incarnation{ID: "old"}, LastSeq: 2}, []string{"level=WARN", "signal=incarnation key=k seq=3 event=e incarnation=new left=old leftAt=2"}},
		"late":        {nil, inbox.Late{Event: got, Now: inbox.Incarnation{ID: "newer"}}, []string{"level=WARN", "signal=superseded key=k seq=3 event=e incarnation=new now=newer"}},
		"too old":     {nil, inbox.TooOld{Event: got, LastSeq: 5}, []string{"level=WARN", "signal=too-old key=k seq=3 event=e lastSeq=5"}},
		"waits":       {nil, inbox.Waits{Event: got, For: 2}, []string{"level=INFO", "signal=early key=k seq=3 event=e for=2"}},
		"gap blocked": {nil, inbox.Blocked{Key: "k", For: 2, Waiting: 4}, []string{"level=ERROR", "signal=gap-blocked key=k for=2 waiting=4"}},
		"gone":        {nil, inbox.Gone{Event: got}, []string{"level=ERROR", "signal=gave-up key=k seq=3 event=e", "do not wait"}},
		"given up":    {nil, inbox.GaveUp{Event: got, Err: away}, []string{"level=ERROR", "signal=gave-up key=k seq=3 event=e", "away"}},
		"skipped":     {nil, inbox.Skipped{Event: got}, []string{"level=WARN", "signal=skipped key=k seq=3 event=e"}},
		"jumped":      {nil, inbox.Jumped{Event: got, Missing: 2}, []string{"level=WARN", "signal=gap key=k seq=3 event=e missing=2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lines bytes.Buffer
			log := slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
			if c.out != nil {
				observe(log)(c.out)
			} else {
				observeInbox(log)(c.in)
			}
			require.Equal(t, 1, bytes.Count(lines.Bytes(), []byte("\n")), lines.String())
			for _, want := range c.want {
				require.Contains(t, lines.String(), want)
			}
			require.Equal(t, strings.Contains(lines.String(), " event=e"), strings.Contains(lines.String(), ids), "who tells of an event tells of its trace")
		})
	}
}
