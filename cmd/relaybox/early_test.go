package main

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/inbox"
)

// hear has the consumer of a ledger get events of a key; those before them it has not got.
func (l *ledger) hear(key string, numbers ...int64) {
	l.t.Helper()
	client := cosmos.Open(cosmos.Connection{ConnectionString: l.values["COSMOS_CONNECTION"]}, cosmos.Options{})
	defer client.Close()
	views := client.Inbox(l.values["COSMOS_DATABASE"], l.values["COSMOS_INBOX_CONTAINER"], cosmos.InboxOptions{Containers: map[string]string{"order": "order-views"}})
	keep := func(json.RawMessage, inbox.Event) (json.RawMessage, error) { return json.RawMessage(`{}`), nil }
	in := inbox.New(views, keep, inbox.Options{Wait: time.Millisecond})
	for _, n := range numbers {
		_, err := in.Once(l.t.Context(), inbox.Event{
			Key: key, Seq: n, ID: "e-1", Type: "t.changed", Incarnation: inbox.Incarnation{ID: "i-1", First: 1}, Time: time.Now().UTC(),
			Data: json.RawMessage(`{"text":"\u001b[31m"}`), TraceParent: "00-trace",
		})
		require.NoError(l.t, err)
	}
}

// TestEarlyEventsAreListed: what came to the consumer before its predecessor is nowhere in the outbox.
func TestEarlyEventsAreListed(t *testing.T) {
	t.Parallel()
	l := some(t)
	l.hear("profile:sent", 1, 3, 4)
	l.hear("order:9", 2)

	status, out, said := l.call("list --early")
	require.Zero(t, status, said)
	require.Regexp(t, `(?m)^profile:sent +3 +t\.changed +early +0s +- +- +waits for event 2$`, out)
	require.Contains(t, out, "\n3 events\n")
	for filter, want := range map[string][]string{
		"--early":                      {"profile:sent/3", "profile:sent/4", "order:9/2"},
		"--early --kind order":         {"order:9/2"},
		"--early --key profile:sent":   {"profile:sent/3", "profile:sent/4"},
		"--early --key profile:ann":    {},
		"--early --type t":             {},
		"--early --older-than 1h":      {},
		"--all-states --kind order":    {"order:7/1", "order:9/2"},
		"--all-states --cause refused": {"profile:old/1", "order:7/1"},
	} {
		got := l.must(0, "list "+filter).names()
		require.ElementsMatch(t, want, got, filter)
	}
	require.Len(t, l.must(0, "list --early --max 2").Events, 2)
	got := l.must(0, "list --early --kind order").Events[0]
	require.EqualValues(t, 1, got.WaitsFor)
	require.WithinDuration(t, time.Now(), got.Since, time.Minute)
}

// TestAnEarlyEventIsShown with what it says, because nobody else has it any more.
func TestAnEarlyEventIsShown(t *testing.T) {
	t.Parallel()
	l := some(t)
	l.write("profile:sent", 3)
	all, err := l.Pending(t.Context(), "profile:sent", 0, 10)
	require.NoError(t, err)
	require.NoError(t, l.Settle(t.Context(), "profile:sent", all))
	l.hear("profile:sent", 3)

	status, out, said := l.call("show profile:sent 3")
	require.Zero(t, status, said)
	require.Regexp(t, `(?m)^state +early: the consumer has it, and waits for event 1$`, out)
	require.Regexp(t, `(?m)^trace +00-trace$`, out)
	require.Contains(t, out, `"text"`)
	require.NotContains(t, out, "\x1b")
	status, out, said = l.call("show profile:sent/3 --json")
	require.Zero(t, status, said)
	var shown storedEvent
	require.NoError(t, json.Unmarshal([]byte(out), &shown))
	require.Equal(t, stateEarly, shown.State)
	require.JSONEq(t, `{"text":"\u001b[31m"}`, string(shown.Data))

	status, _, said = l.call("show profile:sent 2")
	require.Equal(t, exitFailed, status)
	require.Contains(t, said, goneText)
}

// TestAKeyWithManyEarlyEvents is listed whole, and each of them shown: a predecessor that is missing for long
// gathers all that its entity does meanwhile.
func TestAKeyWithManyEarlyEvents(t *testing.T) {
	t.Parallel()
	l := some(t)
	const last = 203
	numbers := make([]int64, 0, last)
	for n := int64(2); n <= last; n++ {
		numbers = append(numbers, n)
	}
	l.hear("profile:sent", numbers...)
	for _, filter := range []string{"--early", "--early --key profile:sent"} {
		require.Equal(t, len(numbers), len(l.must(0, "list "+filter).Events), filter)
	}
	status, out, said := l.call(fmt.Sprintf("show profile:sent %d", last))
	require.Zero(t, status, said)
	require.Contains(t, out, "waits for event 1")
}
