package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/outbox"
)

// ledger is a store with events, orders in a container of their own, and a settings file that
// names it.
type ledger struct {
	*cosmos.Outbox
	t        *testing.T
	values   map[string]string
	settings string
}

// set changes a setting.
func (l *ledger) set(name, value string) {
	l.t.Helper()
	l.values[name] = value
	text, err := json.Marshal(map[string]any{"Values": l.values})
	require.NoError(l.t, err)
	require.NoError(l.t, os.WriteFile(l.settings, text, 0o600))
}

func newLedger(t *testing.T) *ledger {
	t.Helper()
	values := stack.Defaults()
	values["COSMOS_CONNECTION"] = minicosmos.RunT(t).ConnectionString()
	values["COSMOS_KIND_CONTAINERS"] = "order=orders/order-views"
	return ledgerOf(t, values)
}

// ledgerOf is a ledger in the store that settings name.
func ledgerOf(t *testing.T, values map[string]string) *ledger {
	t.Helper()
	l := &ledger{t: t, values: values, settings: filepath.Join(t.TempDir(), "settings.json")}
	l.set("COSMOS_CONNECTION", values["COSMOS_CONNECTION"])
	client := cosmos.Open(cosmos.Connection{ConnectionString: values["COSMOS_CONNECTION"]}, cosmos.Options{})
	t.Cleanup(client.Close)
	require.NoError(t, client.EnsureContainers(t.Context(), values["COSMOS_DATABASE"], values["COSMOS_OUTBOX_CONTAINER"], "orders", values["COSMOS_INBOX_CONTAINER"], "order-views"))
	l.Outbox = client.Outbox(values["COSMOS_DATABASE"], values["COSMOS_OUTBOX_CONTAINER"], cosmos.OutboxOptions{Containers: map[string]string{"order": "orders"}})
	return l
}

// write commits an entity with n pending events, an hour old.
func (l *ledger) write(key string, n int) {
	l.t.Helper()
	at := time.Now().UTC().Add(-time.Hour)
	life := outbox.Incarnation{ID: "i-1", First: 1, Since: at, Drawn: at}
	c := outbox.Commit{Key: key, Entity: outbox.Entity{Key: key, Version: 1, LastSeq: int64(n), Incarnation: life, Batch: "b", Data: []byte(`{}`), UpdatedAt: at}}
	for seq := range int64(n) {
		id := outbox.EventID("/s", key, life.ID, seq+1)
		c.Events = append(c.Events, outbox.Event{
			Key: key, Seq: seq + 1, Incarnation: life.ID, ID: id, Type: "t.changed", CreatedAt: at, Trace: outbox.Trace{Parent: "00-trace"},
			Envelope: fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"/s","type":"t.changed","partitionkey":%q,"sequence":"%d","data":{"text":"\u001b[31m"}}`, id, key, seq+1),
		})
	}
	_, err := l.Commit(l.t.Context(), c)
	require.NoError(l.t, err)
}

// park writes a key with n events behind a parked one.
func (l *ledger) park(key string, n int, f outbox.Fault) {
	l.t.Helper()
	l.write(key, n+1)
	first, err := l.Pending(l.t.Context(), key, 0, 1)
	require.NoError(l.t, err)
	require.NoError(l.t, l.Park(l.t.Context(), first[0], f))
}

// left are the events of a key as list calls their states.
func (l *ledger) left(key string) []string {
	l.t.Helper()
	all, err := l.Pending(l.t.Context(), key, 0, 100)
	require.NoError(l.t, err)
	states := []string{}
	for _, e := range all {
		states = append(states, fmt.Sprint(e.Seq, " ", e.Type, " ", stateOf(e)))
	}
	return states
}

func (l *ledger) call(line string, more ...string) (status int, out, said string) {
	l.t.Helper()
	args := append([]string{"events"}, strings.Fields(line)...)
	return called(l.t.Context(), append(append(args, more...), "--settings", l.settings)...)
}

// must calls a verb that has to end with a status, and reads what it printed as JSON.
func (l *ledger) must(status int, line string, more ...string) (got eventsPrinted) {
	l.t.Helper()
	did, out, said := l.call(line+" --json", more...)
	require.Equal(l.t, status, did, "%s\n%s", out, said)
	require.NoError(l.t, json.Unmarshal([]byte(out), &got), out)
	return got
}

// eventsPrinted is what all verbs print.
type eventsPrinted struct {
	Events []struct {
		storedEvent
		Outcome eventOutcome
		Error   string
	}
	Counts  map[eventOutcome]int
	Unknown []string
	Acts    []outbox.Act
}

func (p eventsPrinted) names() []string {
	names := []string{}
	for _, e := range p.Events {
		names = append(names, eventName{e.Key, e.Seq}.String())
	}
	return names
}

// Faults of events, and the time of one's next try.
var (
	tooLarge = outbox.Fault{Reason: "publish \"x\": Too large: \x1b[31m", Attempts: 3, At: time.Now().UTC(), Next: inHours(3)}
	refused  = outbox.Fault{Reason: "refused", Attempts: 1, At: time.Now().UTC(), Next: inHours(5)}
	passed   = outbox.Fault{Reason: "refused", Attempts: 2, At: time.Now().UTC(), Skipped: true}
)

func inHours(n int) time.Time { return time.Now().UTC().Add(time.Duration(n) * time.Hour) }

// some is a ledger with an event in each state.
func some(t *testing.T) *ledger {
	t.Helper()
	l := newLedger(t)
	l.park("profile:ann", 2, tooLarge)
	l.park("order:7", 0, refused)
	l.park("profile:old", 1, passed)
	l.write("profile:well", 1)
	return l
}

// TestEventsAreListed, for people and for programs.
func TestEventsAreListed(t *testing.T) {
	t.Parallel()
	l := some(t)
	status, out, said := l.call("list")
	require.Zero(t, status, said)
	require.Contains(t, out, "KEY")
	require.Regexp(t, `(?m)^profile:ann +1 +t\.changed +parked +1h\d+m +3 +in 2h\d+m +publish "x": Too large`, out)
	require.Regexp(t, `(?m)^order:7 +1 +t\.changed +parked +1h\d+m +1 +in 4h\d+m +refused$`, out)
	require.Regexp(t, `(?m)^profile:old +1 +t\.changed +skipped +1h\d+m +2 +never +refused$`, out)
	require.Contains(t, out, "\n3 events\n")
	require.NotContains(t, out, "\x1b")

	for filter, want := range map[string][]string{
		"":                              {"profile:ann/1", "profile:old/1", "order:7/1"},
		"--pending":                     {"profile:ann/2", "profile:ann/3", "profile:old/2", "profile:well/1"},
		"--all-states --kind profile":   {"profile:ann/1", "profile:old/1", "profile:ann/2", "profile:ann/3", "profile:old/2", "profile:well/1"},
		"--all-states --key order:7":    {"order:7/1"},
		"--pending --key profile:ann":   {"profile:ann/2", "profile:ann/3"},
		"--key profile:ann":             {"profile:ann/1"},
		"--key profile:ann --kind cat":  {},
		"--kind order":                  {"order:7/1"},
		"--cause TOO":                   {"profile:ann/1"},
		"--cause refused --all-states":  {"profile:old/1", "order:7/1"},
		"--type t.changed --kind order": {"order:7/1"},
		"--type t":                      {},
		"--older-than 59m --kind order": {"order:7/1"},
		"--newer-than 59m":              {},
		"--newer-than 2h --kind order":  {"order:7/1"},
	} {
		require.ElementsMatch(t, want, l.must(0, "list "+filter).names(), filter)
	}
	require.Equal(t, []string{"profile:ann/1", "profile:ann/2"}, l.must(0, "list --key profile:ann --all-states --max 2").names(), "in order")
	require.Len(t, l.must(0, "list --max 1").Events, 1)
	_, out, _ = l.call("list --kind cat")
	require.Equal(t, "no events\n", out)
}

// TestEventsAreListedAsTheyCome: more than one page of a search, and of a key.
func TestEventsAreListedAsTheyCome(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	l.write("profile:long", 95)
	for i := range 550 {
		l.write(fmt.Sprint("profile:p-", i), 1)
	}
	require.Len(t, l.must(0, "list --pending").Events, 645)
	require.Len(t, l.must(0, "list --pending --max 510").Events, 510)
	_, out, _ := l.call("list --pending")
	require.Equal(t, 1, strings.Count(out, "KEY"), "one head")
	require.Contains(t, out, "\n645 events\n")
	require.Len(t, l.must(0, "list --pending --key profile:long").Events, 95)
}

// TestAnEventIsShown with what stands around it.
func TestAnEventIsShown(t *testing.T) {
	t.Parallel()
	l := some(t)
	for _, name := range []string{"show profile:ann 1", "show profile:ann/1"} {
		status, out, said := l.call(name)
		require.Zero(t, status, said)
		for _, part := range []string{"Too large", "3 times", "2 events of its key", `"partitionkey": "profile:ann"`, "00-trace", "in 2h"} {
			require.Contains(t, out, part)
		}
		require.NotContains(t, out, "\x1b")
	}
	var got storedEvent
	for name, want := range map[string]storedEvent{
		"profile:ann/3": {State: statePending, WaitsFor: 1, Followers: new(0)},
		"profile:ann/1": {State: stateParked, Followers: new(2)},
		"profile:old/1": {State: stateSkipped, Followers: new(1)},
		"profile:old/2": {State: statePending, Followers: new(0)},
		"order:7/1":     {State: stateParked, Followers: new(0)},
	} {
		status, out, said := l.call("show "+name, "--json")
		require.Zero(t, status, said)
		got = storedEvent{}
		require.NoError(t, json.Unmarshal([]byte(out), &got))
		require.Equal(t, []any{want.State, want.WaitsFor, want.Followers}, []any{got.State, got.WaitsFor, got.Followers}, name)
		require.Contains(t, string(got.Envelope), got.ID)
	}
	_, out, _ := l.call("show profile:ann/3")
	require.Contains(t, out, "it waits for event 1, which is parked")

	for name, says := range map[string]string{
		"profile:ann/4": "the newest event of its key is 3", "profile:nobody/1": "nothing has that key", "ann/1": "a key is kind:id",
	} {
		status, _, said := l.call("show " + name)
		require.Equal(t, exitFailed, status)
		require.Contains(t, said, says)
	}
}

// TestEventsArePutBack: once, whoever asks and how often, and every act is recorded.
func TestEventsArePutBack(t *testing.T) {
	t.Parallel()
	l := some(t)
	got := l.must(exitFailed, "redrive --all --dry-run")
	require.Equal(t, map[eventOutcome]int{eventPlanned: 2, eventPassed: 1}, got.Counts)
	require.Empty(t, l.must(0, "history").Acts)

	status, out, said := l.call("redrive profile:ann/1 --author ada --reason mended")
	require.Zero(t, status, said)
	require.Equal(t, "1 redriven\n", out)
	require.Equal(t, []string{"1 t.changed pending", "2 t.changed pending", "3 t.changed pending"}, l.left("profile:ann"))
	status, out, _ = l.call("redrive profile:ann/1")
	require.Zero(t, status, "it is done already")
	require.Equal(t, "profile:ann/1: is pending: it goes out by itself\n1 pending\n", out)
	whole, err := l.Pending(t.Context(), "profile:ann", 0, 1)
	require.NoError(t, err)
	require.NoError(t, l.Settle(t.Context(), "profile:ann", whole))

	got = l.must(exitFailed, "redrive --json profile:ann/1 profile:ann/9 order:7/1 profile:old/1 order:7/1 cat:1/1")
	require.Equal(t, map[eventOutcome]int{eventGone: 1, eventRedriven: 1, eventPassed: 1}, got.Counts)
	require.Equal(t, []string{"cat:1/1", "profile:ann/9"}, got.Unknown)
	require.Equal(t, []string{"1 t.changed pending"}, l.left("order:7"))
	_, out, _ = l.call("redrive cat:1/1")
	require.Equal(t, "cat:1/1: there is no such event: nothing has that key (a key is kind:id)\n", out)

	acts := l.must(0, "history").Acts
	require.Len(t, acts, 2, "what was left has none")
	require.Equal(t, "order:7", acts[0].Key, "the newest first")
	require.Equal(t, []any{"ada", "mended", outbox.VerbRedrive, outbox.ActDone, "profile:ann", int64(1)},
		[]any{acts[1].Author, acts[1].Reason, acts[1].Verb, acts[1].State, acts[1].Key, acts[1].Seq})
	require.Equal(t, tooLarge.Reason, acts[1].Fault.Reason)
}

// TestManyEventsArePutBack, more than a search has in a page while they change under it.
func TestManyEventsArePutBack(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	const keys = 520
	for i := range keys {
		l.park(fmt.Sprint("profile:p-", i), 0, tooLarge)
	}
	require.Equal(t, map[eventOutcome]int{eventRedriven: 7}, l.must(0, "redrive --all --max 7").Counts)
	require.Equal(t, map[eventOutcome]int{eventRedriven: keys - 7}, l.must(0, "redrive --all").Counts)
	require.Empty(t, l.must(0, "redrive --all").Counts)
	require.Len(t, l.must(0, "history").Acts, keys)
}

// TestEventsAreSkipped: nobody does it by oversight, a marker is in the place of each, and the
// record has the event.
func TestEventsAreSkipped(t *testing.T) {
	t.Parallel()
	l := some(t)
	status, _, said := l.call("skip profile:ann/1")
	require.Equal(t, exitUsage, status)
	require.Contains(t, said, "whether 1 event may be skipped for good: say --yes")
	status, out, said := l.call("skip --key profile:well")
	require.Zero(t, status, said)
	require.Equal(t, "no event was chosen\n", out, "nobody is asked about nothing")
	require.Equal(t, map[eventOutcome]int{eventPlanned: 1}, l.must(0, "skip profile:ann/1 --dry-run").Counts)
	require.Empty(t, l.must(0, "history").Acts)

	status, out, said = l.call("skip --kind order --yes --reason", "nobody reads it")
	require.Zero(t, status, said)
	require.Equal(t, "1 skipped\n", out)
	require.Equal(t, []string{"1 relaybox.skipped pending"}, l.left("order:7"))
	require.Equal(t, map[eventOutcome]int{eventPending: 1}, l.must(0, "skip order:7/1 --yes").Counts, "it is done already")
	got := l.must(0, "skip --all --yes")
	require.Equal(t, map[eventOutcome]int{eventSkipped: 2}, got.Counts, "one of them has been passed by its key")
	require.Equal(t, []string{"1 relaybox.skipped pending", "2 t.changed pending", "3 t.changed pending"}, l.left("profile:ann"))

	act := l.must(0, "history --key order:7").Acts[0]
	require.Equal(t, outbox.VerbSkip, act.Verb)
	require.Equal(t, "nobody reads it", act.Reason)
	require.Contains(t, string(act.Envelope), act.Event)
}

// TestHistory, with filters and what its states mean.
func TestHistory(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	status, out, said := l.call("history")
	require.Zero(t, status, said)
	require.Equal(t, "no acts\n", out)
	at := time.Now().UTC().Add(-time.Hour)
	for i, state := range []outbox.ActState{outbox.ActDone, outbox.ActBegun, outbox.ActChanged, outbox.ActFailed} {
		require.NoError(t, l.Record(t.Context(), outbox.Act{
			ID: string(state), At: at.Add(time.Duration(i) * time.Second), Author: []string{"ada", "bob"}[i%2], Reason: "\x1b[31m",
			Verb: outbox.VerbRedrive, State: state, Key: fmt.Sprint("profile:", i/2), Seq: 4, Type: "t",
		}))
	}
	for filter, want := range map[string][]string{
		"": {"failed", "changed", "begun", "done"}, "--max 2": {"failed", "changed"}, "--author ada": {"changed", "done"},
		"--key profile:0": {"begun", "done"}, "--key profile:0 --author bob": {"begun"}, "--author bob --max 1": {"failed"},
	} {
		ids := []string{}
		for _, a := range l.must(0, "history "+filter).Acts {
			ids = append(ids, a.ID)
		}
		require.Equal(t, want, ids, filter)
	}
	_, out, _ = l.call("history")
	require.Contains(t, out, "WHEN")
	require.Contains(t, out, "\n4 acts\nbegun: its operator died")
	require.Contains(t, out, "\nchanged: nothing was done")
	require.NotContains(t, out, "\x1b")
	_, out, _ = l.call("history --max 1")
	require.NotContains(t, out, "begun")
}

// TestEventsNeedAPlace: what cannot work is said in one line, with where to look.
func TestEventsNeedAPlace(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.json")
	const account = `"COSMOS_CONNECTION":"AccountEndpoint=http://localhost:1/;AccountKey=YQ=="`
	for values, says := range map[string]string{
		`{}`:                "COSMOS_CONNECTION",
		`{` + account + `}`: "COSMOS_DATABASE",
		`{` + account + `,"COSMOS_DATABASE":"d"}`: "COSMOS_OUTBOX_CONTAINER",
		`{` + account + `,"COSMOS_DATABASE":"d","COSMOS_OUTBOX_CONTAINER":"o","COSMOS_KIND_CONTAINERS":"order"}`:         "COSMOS_KIND_CONTAINERS",
		`{` + account + `,"COSMOS_DATABASE":"d","COSMOS_OUTBOX_CONTAINER":"o","COSMOS_CONNECTION__accountEndpoint":"x"}`: "COSMOS_CONNECTION",
	} {
		require.NoError(t, os.WriteFile(file, []byte(`{"Values":`+values+`}`), 0o600))
		status, _, said := called(t.Context(), "events", "list", "--settings", file)
		require.Equal(t, exitFailed, status)
		require.Contains(t, said, says)
		require.Contains(t, said, file)
		require.Equal(t, 1, strings.Count(said, "\n"))
	}
}

func TestEventNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]eventName{
		"profile:ann/3": {"profile:ann", 3}, "a/b/12": {"a/b", 12}, "k/1": {"k", 1},
		"": {}, "/1": {}, "profile:ann": {}, "profile:ann/": {}, "profile:ann/0": {}, "profile:ann/-1": {}, "profile:ann/x": {},
	} {
		got, err := parseEventName(text)
		require.Equal(t, want, got, text)
		if want != (eventName{}) {
			require.Equal(t, text, got.String())
			continue
		}
		require.ErrorAs(t, err, new(usageError))
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m1s", 25*time.Hour + 59*time.Minute: "25h59m", 49 * time.Hour: "2d",
	} {
		require.Equal(t, want, span(d))
	}
}
