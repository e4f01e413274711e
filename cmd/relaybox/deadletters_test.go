package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/servicebus"
	"github.com/relaybox/relaybox/cmd/relaybox/doctor"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/outbox"
)

// buried is a bus with dead letters, and a settings file that names it.
func buried(t *testing.T, bodies map[string]string) (bus *minibus.Instance, settings string) {
	t.Helper()
	values := stack.Defaults()
	topic, subscription := values["EVENTS_TOPIC"], values["EVENTS_SUBSCRIPTION"]
	bus = minibus.RunT(t, func(o *minibus.Options) {
		o.Config = stack.Topology(topic, subscription, stack.Subscription{Name: values["MAILING_SUBSCRIPTION"]})
	})
	values["SERVICEBUS_CONNECTION"] = bus.ConnectionString()
	text, err := json.Marshal(map[string]any{"Values": values})
	require.NoError(t, err)
	settings = filepath.Join(t.TempDir(), "settings.json")
	require.NoError(t, os.WriteFile(settings, text, 0o600))

	client, err := azservicebus.NewClientFromConnectionString(bus.ConnectionString(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close(t.Context())) }()
	sender, err := client.NewSender(topic, nil)
	require.NoError(t, err)
	receiver, err := client.NewReceiverForSubscription(topic, subscription, nil)
	require.NoError(t, err)
	for id, body := range bodies {
		require.NoError(t, sender.SendMessage(t.Context(), &azservicebus.Message{MessageID: &id, Body: []byte(body)}, nil))
		got, err := receiver.ReceiveMessages(t.Context(), 1, nil)
		require.NoError(t, err)
		require.NoError(t, receiver.DeadLetterMessage(t.Context(), got[0], &azservicebus.DeadLetterOptions{Reason: new("why-" + id), ErrorDescription: new("\x1b[31mred")}))
	}
	return bus, settings
}

const (
	eventsPath = "entity-events/Subscriptions/read-models"
	orderOne   = `{"specversion":"1.0","id":"e-1","source":"/s","type":"t","subject":"1","partitionkey":"order:1","sequence":"1","data":{}}`
)

// TestDeadLettersAreListedAndShown, for people and for programs.
func TestDeadLettersAreListedAndShown(t *testing.T) {
	t.Parallel()
	bus, settings := buried(t, map[string]string{"good": orderOne, "bad": "\x1b[2J\xff"})
	before := bus.Snapshot()
	status, out, said := called(t.Context(), "deadletters", "list", "--settings", settings)
	require.Zero(t, status, said)
	require.Contains(t, out, "NUMBER")
	require.Contains(t, out, "order:1")
	require.Contains(t, out, "2 dead letters\n")
	require.NotContains(t, out, "\x1b")

	var all struct{ DeadLetters []letter }
	for filter, want := range map[string]int{
		"": 2, "--kind order": 1, "--kind cat": 0, "--key order:1": 1, "--cause why-bad": 1, "--cause why": 0, "--max 1": 1,
		"--newer-than 1h": 2, "--older-than 1h": 0, "--kind order --cause why-bad": 0,
	} {
		status, out, said = called(t.Context(), append([]string{"deadletters", "list", "--json", "--settings", settings}, strings.Fields(filter)...)...)
		require.Zero(t, status, said)
		require.NoError(t, json.Unmarshal([]byte(out), &all), out)
		require.Len(t, all.DeadLetters, want, filter)
	}

	for _, name := range []string{"good", fmt.Sprint(numberOf(bus, "good"))} {
		status, out, said = called(t.Context(), "deadletters", "show", name, "--settings", settings)
		require.Zero(t, status, said)
		require.Contains(t, out, "why-good")
		require.Contains(t, out, "t, number 1, e-1")
		require.Contains(t, out, `"partitionkey": "order:1"`)
		require.NotContains(t, out, "\x1b")
	}
	status, out, said = called(t.Context(), "deadletters", "show", "bad", "--json", "--settings", settings)
	require.Zero(t, status, said)
	require.NoError(t, json.Unmarshal([]byte(out), &all))
	require.Equal(t, "\x1b[2J\xff", string(all.DeadLetters[0].BodyBase64))
	require.NotEmpty(t, all.DeadLetters[0].Unreadable)
	status, out, _ = called(t.Context(), "deadletters", "show", "bad", "--settings", settings)
	require.Zero(t, status)
	require.Contains(t, out, `\x1b[2J\xff`)
	status, _, said = called(t.Context(), "deadletters", "show", "nobody", "--settings", settings)
	require.Equal(t, exitFailed, status)
	require.Contains(t, said, `no dead letter "nobody"`)
	require.Equal(t, before, bus.Snapshot(), "looking changes nothing")
}

// bury dead-letters the first message of a subscription.
func bury(t *testing.T, bus *minibus.Instance, subscription string) {
	t.Helper()
	client, err := azservicebus.NewClientFromConnectionString(bus.ConnectionString(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, client.Close(t.Context())) }()
	receiver, err := client.NewReceiverForSubscription("entity-events", subscription, nil)
	require.NoError(t, err)
	got, err := receiver.ReceiveMessages(t.Context(), 1, nil)
	require.NoError(t, err)
	require.NoError(t, receiver.DeadLetterMessage(t.Context(), got[0], nil))
}

// TestDeadLettersOfAnotherSubscription are seen and mended where --subscription says, and only
// there.
func TestDeadLettersOfAnotherSubscription(t *testing.T) {
	t.Parallel()
	const path = "entity-events/Subscriptions/mailing-list"
	bus, settings := buried(t, map[string]string{"good": orderOne})
	bury(t, bus, "mailing-list")
	status, out, said := called(t.Context(), "deadletters", "list", "--subscription", "mailing-list", "--settings", settings)
	require.Zero(t, status, said)
	require.Contains(t, out, "1 dead letter\n")
	status, _, said = called(t.Context(), "deadletters", "drop", "--all", "--yes", "--reason", "a test", "--subscription", "mailing-list", "--settings", settings)
	require.Zero(t, status, said)
	require.Empty(t, bus.Peek(path+"/$DeadLetterQueue"))
	require.Len(t, bus.Peek(eventsPath+"/$DeadLetterQueue"), 1)
	status, _, said = called(t.Context(), "deadletters", "list", "--subscription", "nobody", "--settings", settings)
	require.NotZero(t, status)
	require.Contains(t, said, "nobody")
}

func numberOf(bus *minibus.Instance, id string) int64 {
	for _, m := range bus.Peek(eventsPath + "/$DeadLetterQueue") {
		if m.MessageID == id {
			return m.SequenceNumber
		}
	}
	return -1
}

// TestDeadLettersAreMended: a dry run does nothing, every act is recorded, and nobody drops by
// oversight.
func TestDeadLettersAreMended(t *testing.T) {
	t.Parallel()
	bus, settings := buried(t, map[string]string{"good": orderOne, "bad": "poison"})
	before := bus.Snapshot()
	status, out, said := called(t.Context(), "deadletters", "redrive", "--all", "--dry-run", "--settings", settings)
	require.Zero(t, status, said)
	require.Contains(t, out, "2 planned\n")
	status, _, said = called(t.Context(), "deadletters", "drop", "bad", "--settings", settings)
	require.Equal(t, exitUsage, status)
	require.Contains(t, said, "say --yes")
	require.Equal(t, before, bus.Snapshot())

	var result mended
	status, out, said = called(t.Context(), "deadletters", "redrive", "good", "nobody", "--json", "--author", "ada", "--reason", "mended", "--settings", settings)
	require.Equal(t, exitFailed, status, "nobody has that name")
	require.NoError(t, json.Unmarshal([]byte(out), &result), out)
	require.Equal(t, map[servicebus.Outcome]int{servicebus.Redriven: 1}, result.Counts)
	require.Equal(t, []string{"nobody"}, result.Unknown)
	var kept struct {
		record
		What mendedLetter `json:"what"`
	}
	why, line, _ := strings.Cut(said, "\n") // there is no store that could have it
	require.Contains(t, why, "the store has no record of this")
	require.NoError(t, json.Unmarshal([]byte(line), &kept), said)
	require.Equal(t, []string{"ada", "mended", "deadletters redrive", eventsPath + "/$DeadLetterQueue"}, []string{kept.Author, kept.Reason, kept.Act, kept.On})
	require.Equal(t, "good", kept.What.MessageID)
	require.Equal(t, kept.What.SentAs, bus.Peek(eventsPath)[0].MessageID)
	require.WithinDuration(t, time.Now(), kept.At, time.Minute)

	status, out, said = called(t.Context(), "deadletters", "drop", "bad", "--yes", "--settings", settings)
	require.Zero(t, status, said)
	require.Equal(t, "1 dropped\n", out)
	require.Empty(t, bus.Peek(eventsPath+"/$DeadLetterQueue"))
	status, out, said = called(t.Context(), "deadletters", "drop", "--all", "--settings", settings)
	require.Zero(t, status, said)
	require.Equal(t, "no dead letter was chosen\n", out)
	require.Empty(t, said)
	require.Len(t, bus.Peek(eventsPath), 1)
}

// TestDeadLettersNeedAPlace: what cannot work is said in one line, with where to look.
func TestDeadLettersNeedAPlace(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.json")
	for values, says := range map[string]string{
		`{}`: "SERVICEBUS_CONNECTION",
		`{"SERVICEBUS_CONNECTION":"Endpoint=sb://localhost;SharedAccessKeyName=a;SharedAccessKey=b","EVENTS_TOPIC":"t"}`: "EVENTS_SUBSCRIPTION is not set",
	} {
		require.NoError(t, os.WriteFile(file, []byte(`{"Values":`+values+`}`), 0o600))
		status, _, said := called(t.Context(), "deadletters", "list", "--settings", file)
		require.Equal(t, exitFailed, status)
		require.Contains(t, said, says)
		require.Contains(t, said, file)
		require.Equal(t, 1, strings.Count(said, "\n"))
	}
}

// TestPrintable: nothing that a terminal obeys, and text as it is.
func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "order:1": "order:1", `"a" \ b`: `"a" \ b`, "é 世": "é 世", "a\tb\n": `a\tb\n`, "\x1b[31m": `\x1b[31m`, "\u202e": `\u202e`, "\xff": `\xff`,
	} {
		require.Equal(t, want, printable(text))
	}
}

// TestDeadLettersAreInTheHistory, where the acts on events are, and not on the standard error.
func TestDeadLettersAreInTheHistory(t *testing.T) {
	t.Parallel()
	_, settings := buried(t, map[string]string{"good": orderOne, "bad": "poison"})
	l := newLedger(t)
	text, err := os.ReadFile(settings)
	require.NoError(t, err)
	var file struct{ Values map[string]string }
	require.NoError(t, json.Unmarshal(text, &file))
	l.set("SERVICEBUS_CONNECTION", file.Values["SERVICEBUS_CONNECTION"])
	status, out, said := called(t.Context(), "deadletters", "redrive", "good", "--author", "ada", "--reason", "mended", "--settings", l.settings)
	require.Zero(t, status, said)
	require.Equal(t, "1 redriven\n", out)
	require.Empty(t, said)
	status, _, said = called(t.Context(), "deadletters", "drop", "bad", "--yes", "--author", "bob", "--settings", l.settings)
	require.Zero(t, status, said)
	require.Empty(t, said)

	acts := l.must(0, "history").Acts
	require.Len(t, acts, 2)
	require.Equal(t, []any{outbox.VerbDrop, outbox.ActDone, "bob", "bad"}, []any{acts[0].Verb, acts[0].State, acts[0].Author, acts[0].DeadLetter.MessageID})
	require.Equal(t, []any{outbox.VerbRedrive, "order:1", int64(1), "ada", "mended"}, []any{acts[1].Verb, acts[1].Key, acts[1].Seq, acts[1].Author, acts[1].Reason})
	require.NotEmpty(t, acts[1].DeadLetter.SentAs)
	require.Equal(t, eventsPath+"/$DeadLetterQueue", acts[1].DeadLetter.Queue)
	require.Len(t, l.must(0, "history --key order:1").Acts, 1)
	_, out, _ = l.call("history")
	require.Regexp(t, `(?m)ada +redrive +done +order:1 +1 +dead letter \d+ +mended$`, out)
}

// TestAStoreThatIsAwayIsNotAskedAgain: letters that are locked do not wait for each record in turn.
func TestAStoreThatIsAwayIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	m := &letterMending{deadLetters: deadLetters{where: doctor.Options{Settings: l.settings}}, mending: mending{verb: "redrive", author: "ada"}}
	var out bytes.Buffer
	r := m.records("q", &out)
	r.tell(errors.New("away")) // as the first record that failed has said
	r.keep(t.Context(), servicebus.Act{Outcome: servicebus.Redriven}, mendedLetter{MessageID: "m-1"})
	require.NoError(t, r.end())
	require.Contains(t, out.String(), `"messageId":"m-1"`)
	require.Empty(t, l.must(0, "history").Acts)
}
