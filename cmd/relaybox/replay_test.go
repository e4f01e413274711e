package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/replay"
)

// replays are what the verb prints.
type replays struct {
	ID, Kind, Subscription, Error        string
	Entities, Snapshots, Deleted, Failed int
	RequestUnits                         float64
	Done, DryRun                         bool
	Expected                             *struct{ RequestUnits, Seconds float64 }
}

// replay calls the verb, and reads what it printed.
func (l *ledger) replay(status int, args ...string) (r replays, said string) {
	l.t.Helper()
	got, out, said := called(l.t.Context(), append(append([]string{"replay", "--json", "--settings", l.settings}, args...), "--author", "ann")...)
	require.Equal(l.t, status, got, said)
	require.NoError(l.t, json.Unmarshal([]byte(out), &r), out)
	return r, said
}

// TestReplay against a store: in the shared container, and in a kind's own.
func TestReplay(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.set("RELAYBOX_SOURCE", "/shop")
	for i := range 120 {
		l.write(fmt.Sprint("profile:", i), 1)
	}
	l.write("order:7", 2)
	l.bury("profile:gone")
	args := []string{"--kind", "profile", "--subscription", "late", "--rate", "1000"}

	planned, _ := l.replay(0, append(args, "--dry-run")...)
	require.True(t, planned.DryRun)
	require.Equal(t, []int{121, 121, 1}, []int{planned.Entities, planned.Snapshots, planned.Deleted})
	require.Positive(t, planned.RequestUnits)
	require.InDelta(t, 0.121, planned.Expected.Seconds, 0.001)
	require.InDelta(t, 121*snapshotCharge, planned.Expected.RequestUnits, 0.001)
	before, err := l.Load(t.Context(), "profile:3")
	require.NoError(t, err)
	require.EqualValues(t, 1, before.LastSeq, "nothing was done")

	run, _ := l.replay(0, args...)
	require.True(t, run.Done)
	require.Equal(t, []int{121, 121, 1, 0}, []int{run.Entities, run.Snapshots, run.Deleted, run.Failed})
	require.Greater(t, run.RequestUnits, 120*10.0)
	events, err := l.Pending(t.Context(), "profile:3", 1, 10)
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, "relaybox.profile.snapshot", events[0].Type)
	require.Equal(t, "late", events[0].ReplayFor)
	require.Contains(t, string(events[0].Envelope), `"source":"/shop/profile"`)
	require.Contains(t, string(events[0].Envelope), `"data":{"id":"3","state":{}}`)

	events, err = l.Pending(t.Context(), "profile:gone", 1, 10)
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Contains(t, string(events[0].Envelope), `"data":{"id":"gone","state":null}`)

	again, _ := l.replay(0, args...)
	require.Equal(t, run.ID, again.ID, "it was done")
	order, _ := l.replay(0, "--kind", "order", "--subscription", "late")
	require.Equal(t, 1, order.Snapshots)
	events, err = l.Pending(t.Context(), "order:7", 2, 10)
	require.NoError(t, err)
	require.Len(t, events, 1)

	status, out, said := called(t.Context(), "replay", "--kind", "profile", "--subscription", "late", "--settings", l.settings, "--again", "--backlog", "1000", "--rate", "1000")
	require.Zero(t, status, said)
	require.Regexp(t, `^121 entities: 121 snapshots \(1 of deleted ones\), 0 had theirs, \d+ RU\ndone at .*; --again begins a new one\n$`, out)
	_, out, _ = called(t.Context(), "replay", "--kind", "nobody", "--subscription", "late", "--settings", l.settings)
	require.Contains(t, out, "there is no entity of the kind nobody\n")

	status, out, said = called(t.Context(), "events", "history", "--settings", l.settings)
	require.Zero(t, status, said)
	require.Regexp(t, `ann +replay +done +for late +- +relaybox.profile.snapshot`, out)
	var acts []outbox.Act
	require.NoError(t, l.History(t.Context(), func(page []outbox.Act) error { acts = append(acts, page...); return nil }))
	require.Len(t, acts, 4, "what did nothing is not recorded")
}

// bury makes an entity that is deleted.
func (l *ledger) bury(key string) {
	l.t.Helper()
	l.write(key, 1)
	e, err := l.Load(l.t.Context(), key)
	require.NoError(l.t, err)
	e.Version, e.Deleted, e.Data = 2, true, nil
	_, err = l.Commit(l.t.Context(), outbox.Commit{Key: key, Entity: e})
	require.NoError(l.t, err)
}

// TestReplayThatIsInterrupted says how to go on, and does.
func TestReplayThatIsInterrupted(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	for i := range 5 {
		l.write(fmt.Sprint("profile:", i), 1)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	interrupted := make(chan [2]any, 1)
	go func() {
		status, _, said := called(ctx, "replay", "--kind", "profile", "--subscription", "late", "--rate", "1", "--reason", "it's new", "--settings", l.settings)
		interrupted <- [2]any{status, said}
	}()
	l.eventually(func() bool {
		n, err := l.Backlog(t.Context(), 100)
		return err == nil && n > 5
	})
	interrupt()
	end := <-interrupted
	require.Equal(t, exitInterrupted, end[0])
	require.Contains(t, end[1], `not done; it goes on with: relaybox replay --kind=profile --rate=1 --reason='it'\''s new' --settings=`)
	run, _ := l.replay(0, "--kind", "profile", "--subscription", "late")
	require.True(t, run.Done)
	for i := range 5 {
		e, err := l.Load(t.Context(), fmt.Sprint("profile:", i))
		require.NoError(t, err)
		require.EqualValues(t, 2, e.LastSeq)
	}
}

// TestReplayThatCannotBeMeant is refused before anything is touched.
func TestReplayThatCannotBeMeant(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"--kind":         {"--subscription", "s"},
		"--subscription": {"--kind", "profile"},
		"--rate":         {"--kind", "profile", "--subscription", "s", "--rate", "0"},
		"--backlog":      {"--kind", "profile", "--subscription", "s", "--backlog", "-1"},
		"letters":        {"--kind", "profile", "--subscription", "a'b"},
	} {
		status, out, said := called(t.Context(), append([]string{"replay"}, args...)...)
		require.Equal(t, exitUsage, status, args)
		require.Empty(t, out)
		require.Contains(t, said, want)
	}
}

func (l *ledger) eventually(done func() bool) {
	l.t.Helper()
	require.Eventually(l.t, done, time.Minute, 20*time.Millisecond)
}

// TestReplayWhileTheStoreThrottles waits, says so, and goes on.
func TestReplayWhileTheStoreThrottles(t *testing.T) {
	t.Parallel()
	values := stack.Defaults()
	server := minicosmos.RunT(t)
	values["COSMOS_CONNECTION"] = server.ConnectionString()
	l := ledgerOf(t, values)
	for i := range 30 {
		l.write(fmt.Sprint("profile:", i), 1)
	}
	require.NoError(t, server.Inject(minicosmos.Fault{On: minicosmos.OpBatch, Do: minicosmos.Throttle, Delay: minicosmos.Duration(3 * time.Second), Times: 16}))
	run, said := l.replay(0, "--kind", "profile", "--subscription", "late", "--rate", "1000")
	require.Equal(t, []int{30, 30}, []int{run.Entities, run.Snapshots})
	require.Contains(t, said, "waits: the store asks for patience (429)")
	require.NotContains(t, said, "no snapshot")
	for i := range 30 {
		e, err := l.Load(t.Context(), fmt.Sprint("profile:", i))
		require.NoError(t, err)
		require.EqualValues(t, 2, e.LastSeq)
	}
}

// TestReplayOfWhatIsTooLarge names it and goes on; the exit status says that something is left.
func TestReplayOfWhatIsTooLarge(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.set("RELAYBOX_MAX_EVENT_BYTES", "1024")
	for _, key := range []string{"profile:a", "profile:b"} {
		l.write(key, 1)
		e, err := l.Load(t.Context(), key)
		require.NoError(t, err)
		e.Data = fmt.Appendf(nil, `{"bio":%q}`, strings.Repeat("x", 2000))
		_, err = l.Commit(t.Context(), outbox.Commit{Key: key, Entity: e})
		require.NoError(t, err)
	}
	args := []string{"--kind", "profile", "--subscription", "late"}
	run, said := l.replay(exitFailed, args...)
	require.True(t, run.Done)
	require.Equal(t, []int{2, 0, 2}, []int{run.Entities, run.Snapshots, run.Failed})
	require.Contains(t, said, "profile:a: no snapshot: event ")
	require.Contains(t, said, "profile:b: no snapshot: event ")
	l.set("RELAYBOX_MAX_EVENT_BYTES", "245760")
	run, _ = l.replay(0, append(args, "--again")...)
	require.Equal(t, []int{2, 2, 0}, []int{run.Entities, run.Snapshots, run.Failed})
}

// TestHowAReplayGoes is told in lines.
func TestHowAReplayGoes(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	said := &replayTeller{out: &out}
	counts := replay.Counts{Entities: 101, Snapshots: 99, Known: 2, Gone: 1}
	said.line(replay.Progress{Run: replay.Run{Counts: counts, Charge: 1702.4}})
	said.line(replay.Progress{Run: replay.Run{Counts: replay.Counts{Entities: 102, Snapshots: 100, Known: 2, Gone: 1}}, Waits: "the store is away"})
	said.failed("profile:\x1b[2J", errors.New("too large"))
	require.Equal(t, `101 entities, 99 snapshots, 2 had theirs, 1702 RU, 99/s
102 entities, 100 snapshots, 2 had theirs, 0 RU, 1/s; waits: the store is away
profile:\x1b[2J: no snapshot: too large
`, out.String())
}
