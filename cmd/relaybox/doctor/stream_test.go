package doctor

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/local/minihost"
	"github.com/relaybox/relaybox/local/natsserver"
)

var streamed = StreamNeeds{
	Stream: "EVENTS", Subject: "events", Consumer: "read-models", Letters: "dead-letters",
	SweepBudget: 25 * time.Second, EarlyWait: 3 * time.Minute, InFlight: 128, MaxEvent: 240 << 10, MaxPayload: 1 << 20,
}

func goodStream() js.StreamConfig {
	return js.StreamConfig{Name: "EVENTS", Subjects: []string{"events.>"}, Storage: js.FileStorage, Replicas: 3, Discard: js.DiscardNew, Duplicates: 10 * time.Minute, MaxAge: 14 * 24 * time.Hour, MaxMsgs: -1, MaxBytes: 1 << 30, MaxMsgSize: -1, MaxMsgsPerSubject: -1}
}

func goodDurable() js.ConsumerConfig {
	return js.ConsumerConfig{Durable: "read-models", AckPolicy: js.AckExplicitPolicy, AckWait: time.Minute, MaxDeliver: -1, MaxAckPending: 1000, FilterSubject: "events.>"}
}

// worst are the findings that are not fine, as lines.
func worst(list []Finding) []string {
	lines := []string{}
	for _, f := range list {
		if f.Status != OK {
			lines = append(lines, fmt.Sprintf("%s %s: %s → %s", f.Status, f.Subject, f.Found, f.Remedy))
		}
	}
	return lines
}

func TestCheckStream(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*js.StreamConfig, *StreamNeeds){
		"": func(*js.StreamConfig, *StreamNeeds) {},
		"refused subjects: other.>: nothing takes events.> → nats stream edit EVENTS --subjects 'events.>'":                                                       func(s *js.StreamConfig, _ *StreamNeeds) { s.Subjects = []string{"other.>"} },
		"refused duplicate detection: window 30s: shorter than a dispatcher may pause between two tries → nats stream edit EVENTS --dupe-window 10m, at least 1m": func(s *js.StreamConfig, _ *StreamNeeds) { s.Duplicates = 30 * time.Second },
		"refused retention: interest: ":     func(s *js.StreamConfig, _ *StreamNeeds) { s.Retention = js.InterestPolicy },
		"warning retention: work queue: ":   func(s *js.StreamConfig, _ *StreamNeeds) { s.Retention = js.WorkQueuePolicy },
		"refused when it is full: it drops": func(s *js.StreamConfig, _ *StreamNeeds) { s.Discard = js.DiscardOld },
		"refused when it is full: it keeps 1 messages of a subject and drops older ones, seen or not → nats stream edit EVENTS --max-msgs-per-subject=-1": func(s *js.StreamConfig, _ *StreamNeeds) { s.MaxMsgsPerSubject = 1 },
		"refused storage: in memory":    func(s *js.StreamConfig, _ *StreamNeeds) { s.Storage = js.MemoryStorage },
		"warning replicas: 1":           func(s *js.StreamConfig, _ *StreamNeeds) { s.Replicas = 1 },
		"warning time to live: 10m":     func(s *js.StreamConfig, _ *StreamNeeds) { s.MaxAge = 10 * time.Minute },
		"refused event size: ":          func(s *js.StreamConfig, _ *StreamNeeds) { s.MaxMsgSize = 64 << 10 },
		"refused event size: up to 245": func(_ *js.StreamConfig, n *StreamNeeds) { n.MaxPayload = 200 << 10 },
		"refused acknowledgements: off": func(s *js.StreamConfig, _ *StreamNeeds) { s.NoAck = true },
		"refused dead letters: ":        func(s *js.StreamConfig, _ *StreamNeeds) { s.Subjects = []string{">"} },
	} {
		s, n := goodStream(), streamed
		change(&s, &n)
		requireWorst(t, want, CheckStream(s, n))
	}
	s, n := goodStream(), streamed
	s.Replicas, n.Local, s.MaxBytes, s.Discard = 1, true, -1, js.DiscardOld
	require.Empty(t, worst(CheckStream(s, n)))
}

// requireWorst: nothing but what begins so is not fine.
func requireWorst(t *testing.T, want string, list []Finding) {
	t.Helper()
	lines := worst(list)
	if want == "" {
		require.Empty(t, lines)
		return
	}
	require.Len(t, lines, 1, want)
	require.True(t, strings.HasPrefix(lines[0], want), "%s\n%s", want, lines[0])
	require.Contains(t, lines[0], " → ")
	require.False(t, strings.HasSuffix(lines[0], " → "), "%s has no remedy", lines[0])
}

func TestCheckDurable(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*js.ConsumerConfig){
		"":                                  func(*js.ConsumerConfig) {},
		"refused messages: pushed to x":     func(c *js.ConsumerConfig) { c.DeliverSubject = "x" },
		"refused acknowledgements: AckNone": func(c *js.ConsumerConfig) { c.AckPolicy = js.AckNonePolicy },
		"refused acknowledgements: AckAll":  func(c *js.ConsumerConfig) { c.AckPolicy = js.AckAllPolicy },
		"refused max deliveries: 5: ":       func(c *js.ConsumerConfig) { c.MaxDeliver = 5 },
		"refused wait for an acknowledgement: 3m, and events":    func(c *js.ConsumerConfig) { c.AckWait = 3 * time.Minute },
		"warning wait for an acknowledgement: 1s: a short stall": func(c *js.ConsumerConfig) { c.AckWait = time.Second },
		"warning wait for an acknowledgement: steps":             func(c *js.ConsumerConfig) { c.BackOff = []time.Duration{time.Second} },
		"warning filter: events.profile.>":                       func(c *js.ConsumerConfig) { c.FilterSubject = "events.profile.>" },
		"warning in hand: 10 of all instances":                   func(c *js.ConsumerConfig) { c.MaxAckPending = 10 },
		"refused bodies: left out":                               func(c *js.ConsumerConfig) { c.HeadersOnly = true },
		"refused life: ends after 5m":                            func(c *js.ConsumerConfig) { c.InactiveThreshold = 5 * time.Minute },
	} {
		c := goodDurable()
		change(&c)
		requireWorst(t, want, CheckDurable(c, streamed))
	}
	c := goodDurable()
	c.FilterSubject, c.FilterSubjects, c.MaxAckPending = "", []string{"other.>", "events.*.*"}, -1
	require.Empty(t, worst(CheckDurable(c, streamed)))
}

func TestCheckLetters(t *testing.T) {
	t.Parallel()
	good := js.StreamConfig{Name: "EVENTS_DEAD", Subjects: []string{"dead-letters.read-models.>"}, Discard: js.DiscardNew, MaxMsgs: 10}
	require.Empty(t, worst(CheckLetters(good, streamed)))
	shared := good
	shared.Subjects = []string{"dead-letters.>"}
	requireWorst(t, "warning dead letters: EVENTS_DEAD takes dead-letters.>", CheckLetters(shared, streamed))
	good.Discard = js.DiscardOld
	requireWorst(t, "warning dead letters, full: it drops", CheckLetters(good, streamed))
}

func TestCovers(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]bool{
		">": true, "a.>": true, "a.b.>": true, "a.b.*.*": true, "*.b.*.*": true, "*.>": true,
		"a.b.*": false, "a.b.*.*.>": false, "a.b.*.*.*": false, "a.c.>": false, "a.b.profile.>": false, "a": false,
	} {
		require.Equal(t, want, covers([]string{"x", pattern}, "a.b.*.*"), pattern)
	}
}

// TestCheckStreamFunctions: ConsumeEvent is in the way, and no function need stand in for it.
func TestCheckStreamFunctions(t *testing.T) {
	t.Parallel()
	functions := []Function{{Schedule: "0 * * * * *", Interval: time.Minute, Cron: true}, {}, {}}
	functions[0].Name, functions[0].Trigger = "OutboxDispatcher", minihost.TimerTrigger
	functions[1].Name, functions[1].Trigger, functions[1].Route = "WriteProfile", minihost.HTTPTrigger, "api/profiles/{id}"
	functions[2].Name, functions[2].Trigger = "ConsumeEvent", minihost.ServiceBusTrigger
	requireWorst(t, "refused ConsumeEvent: the host would look for Service Bus", CheckStreamFunctions(functions, true))
	functions[2].Disabled = true
	require.Empty(t, worst(CheckStreamFunctions(functions, true)))
}

// TestAStreamIsLookedAt on a real server, step by step as an operator follows the remedies.
func TestAStreamIsLookedAt(t *testing.T) {
	t.Parallel()
	server := natsserver.RunT(t)
	conn, err := nats.Connect(server.URL)
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	view, err := js.New(conn)
	require.NoError(t, err)
	settings := map[string]string{
		"EVENTS_BROKER": "jetstream", "NATS_URL": server.URL, "EVENTS_STREAM": "EVENTS", "EVENTS_CONSUMER": "read-models",
		"EVENTS_TOPIC": "", "EVENTS_SUBSCRIPTION": "", "SERVICEBUS_CONNECTION": "", "AzureWebJobs.ConsumeEvent.Disabled": "true",
	}
	var consumers []further
	look := func() Group {
		c := loadedFrom(t, settings)
		return checkNATS(t.Context(), c, consumers)
	}
	requireWorst(t, "refused stream EVENTS: not there → nats stream add EVENTS --subjects 'events.>'", look().Findings)
	stream, err := view.CreateStream(t.Context(), goodLocal())
	require.NoError(t, err)
	lines := worst(look().Findings)
	require.Len(t, lines, 2)
	require.Contains(t, lines[0], "refused consumer read-models: not there → nats consumer add EVENTS read-models --pull")
	require.Contains(t, lines[1], "refused dead letters of read-models: not there → nats stream add EVENTS_DEAD_read-models --subjects 'dead-letters.read-models.>'")
	_, err = stream.CreateConsumer(t.Context(), goodDurable())
	require.NoError(t, err)
	_, err = view.CreateStream(t.Context(), js.StreamConfig{Name: "EVENTS_DEAD", Subjects: []string{"dead-letters.read-models.>"}})
	require.NoError(t, err)
	require.Empty(t, worst(look().Findings))
	consumers = []further{{name: "off"}, {name: "list", setting: "LIST_SUBSCRIPTION", subscription: "list"}}
	lines = worst(look().Findings)
	require.Len(t, lines, 2)
	require.Contains(t, lines[0], "refused consumer list: not there → nats consumer add EVENTS list --pull")
	require.Contains(t, lines[0], "or correct LIST_SUBSCRIPTION")
	require.Contains(t, lines[1], "refused dead letters of list: not there → nats stream add EVENTS_DEAD_list --subjects 'dead-letters.list.>'")
	settings["NATS_URL"] = "nats://127.0.0.1:1"
	requireWorst(t, "refused connection: nothing answers at nats://127.0.0.1:1", look().Findings)
	settings["EVENTS_STREAM"] = ""
	requireWorst(t, "unknown stream: not asked: EVENTS_STREAM", look().Findings)
}

// TestTheExampleOverAStream: app and doctor agree that the list is a consumer, though its function is
// off at the host, and that an empty setting turns it off.
func TestTheExampleOverAStream(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../local.settings.json.example")
	require.NoError(t, err)
	var example struct{ Values map[string]string }
	require.NoError(t, json.Unmarshal(text, &example))
	maps.Copy(example.Values, map[string]string{
		"EVENTS_BROKER": "jetstream", "NATS_URL": natsserver.RunT(t).URL, "EVENTS_STREAM": "EVENTS", "EVENTS_CONSUMER": "read-models",
		"AzureWebJobs.ConsumeEvent.Disabled": "true", "AzureWebJobs.MailingList.Disabled": "true",
	})
	conn, err := nats.Connect(example.Values["NATS_URL"])
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	view, err := js.New(conn)
	require.NoError(t, err)
	stream, err := view.CreateStream(t.Context(), goodLocal())
	require.NoError(t, err)
	_, err = stream.CreateConsumer(t.Context(), goodDurable())
	require.NoError(t, err)
	_, err = view.CreateStream(t.Context(), js.StreamConfig{Name: "EVENTS_DEAD", Subjects: []string{"dead-letters.read-models.>"}})
	require.NoError(t, err)
	look := func() (config.Config, []string) {
		c := loadedFrom(t, example.Values)
		return c, worst(checkNATS(t.Context(), c, furtherConsumers(c, Options{}, Settings{Values: example.Values})).Findings)
	}
	c, lines := look()
	require.Contains(t, names(uses(c)), "mailing-list")
	require.Len(t, lines, 2)
	require.Contains(t, lines[0], "consumer mailing-list: not there → nats consumer add EVENTS mailing-list")
	require.Contains(t, lines[0], "or correct MAILING_SUBSCRIPTION, or leave it empty")
	require.Contains(t, lines[1], "dead letters of mailing-list: not there")
	example.Values["MAILING_SUBSCRIPTION"] = ""
	c, lines = look()
	require.NotContains(t, names(uses(c)), "mailing-list")
	require.Empty(t, lines)
}

// TestARightForHealth that the user lacks, whichever way the stream lets itself be asked.
func TestARightForHealth(t *testing.T) {
	t.Parallel()
	for _, direct := range []bool{false, true} {
		o := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true, NoAuthUser: "app"}
		o.Users = []*server.User{{Username: "admin", Password: "admin"}, {Username: "app", Password: "app", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Deny: []string{"$JS.API.DIRECT.GET.>", "$JS.API.STREAM.MSG.GET.>"}},
		}}}
		s, err := server.NewServer(o)
		require.NoError(t, err)
		s.Start()
		t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
		require.True(t, s.ReadyForConnections(time.Minute))
		conn, err := nats.Connect(s.ClientURL(), nats.UserInfo("admin", "admin"))
		require.NoError(t, err)
		t.Cleanup(conn.Close)
		view, err := js.New(conn)
		require.NoError(t, err)
		cfg := goodLocal()
		cfg.AllowDirect = direct
		stream, err := view.CreateStream(t.Context(), cfg)
		require.NoError(t, err)
		_, err = stream.CreateConsumer(t.Context(), goodDurable())
		require.NoError(t, err)
		_, err = view.CreateStream(t.Context(), js.StreamConfig{Name: "EVENTS_DEAD", Subjects: []string{"dead-letters.read-models.>"}})
		require.NoError(t, err)
		c := loadedFrom(t, map[string]string{"EVENTS_BROKER": "jetstream", "NATS_URL": s.ClientURL(), "EVENTS_STREAM": "EVENTS", "EVENTS_CONSUMER": "read-models"})
		requireWorst(t, "refused stream EVENTS messages: the server does not let this user in, or not ask", checkNATS(t.Context(), c, nil).Findings)
	}
}

func goodLocal() js.StreamConfig {
	s := goodStream()
	s.Replicas = 1
	return s
}

// loadedFrom reads settings, whatever is wrong with them.
func loadedFrom(t *testing.T, settings map[string]string) config.Config {
	t.Helper()
	c, _ := config.Load(settings)
	return c
}
