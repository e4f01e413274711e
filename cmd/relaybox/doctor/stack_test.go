package doctor

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/local/stack"
)

// scene is a set-up before it stands: change it, then play it.
type scene struct {
	t        *testing.T
	topology *minibus.Config
	policies []minibus.Policy
	// container makes the outbox's container instead of the app.
	container func(*azcosmos.ContainerProperties)
	// bare leaves the store without a database.
	bare     bool
	settings map[string]string // over what the stack gives
	app      string
	adminOff bool
}

// healthy is a set-up as people have it who follow the README.
func healthy(t *testing.T) *scene {
	t.Helper()
	names, app := stack.Defaults(), assembled(t)
	consumers, err := stack.Consumers(app, names)
	require.NoError(t, err)
	return &scene{t: t, topology: stack.Topology(names["EVENTS_TOPIC"], names["EVENTS_SUBSCRIPTION"], consumers...), settings: map[string]string{}, app: app}
}

// assembled is the app's folder with a program of no use in the handler's place.
func assembled(t *testing.T) string {
	t.Helper()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	app := t.TempDir()
	files, err := filepath.Glob(filepath.Join(source, "functions", "*", "function.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range append(files, filepath.Join(source, "host.json")) {
		to := filepath.Join(app, filepath.Base(filepath.Dir(file)), "function.json")
		if filepath.Base(file) == "host.json" {
			to = filepath.Join(app, "host.json")
		}
		write(t, to, read(t, file))
	}
	write(t, filepath.Join(app, "handler"), "#!/bin/sh\n# stands in for the handler\n")
	require.NoError(t, os.Chmod(filepath.Join(app, "handler"), 0o755)) //nolint:gosec // it is a program
	return app
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o750))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
}

// play runs the stand-ins, makes the containers and lets doctor look.
func (s *scene) play() Report {
	s.t.Helper()
	stand := stack.RunT(s.t, func(c *stack.Config) {
		c.Only, c.Topology, c.Policies = []stack.Part{stack.Cosmos, stack.Bus}, s.topology, s.policies
		c.BusAdminAddr = "127.0.0.1:0"
	})
	values := stack.Defaults()
	values["COSMOS_CONNECTION"], values["SERVICEBUS_CONNECTION"] = stand.CosmosConnection, stand.BusConnection
	s.makeContainers(values)
	o := Options{App: s.app, BusAdmin: stand.BusAdminAddr, Environment: map[string]string{}, Timeout: 20 * time.Second}
	if s.adminOff {
		o.BusAdmin = dead(s.t)
	}
	for name, value := range s.settings {
		values[name] = strings.NewReplacer("BUS", stand.BusAddr, "COSMOS", stand.CosmosURL).Replace(value)
	}
	o.Settings = settingsFile(s.t, values)
	report := Run(s.t.Context(), o)
	require.NoError(s.t, report.Print(s.t.Output(), false))
	return report
}

// settingsFile writes a local.settings.json; what is empty is left out.
func settingsFile(t *testing.T, values map[string]string) string {
	t.Helper()
	for name, value := range values {
		if value == "" {
			delete(values, name)
		}
	}
	text, err := json.Marshal(map[string]any{"Values": values})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "local.settings.json")
	write(t, file, string(text))
	return file
}

func (s *scene) makeContainers(values map[string]string) {
	s.t.Helper()
	if s.bare {
		return
	}
	conn := cosmos.Connection{ConnectionString: values["COSMOS_CONNECTION"]}
	c := cosmos.Open(conn, cosmos.Options{})
	defer c.Close()
	database, outbox, inbox := values["COSMOS_DATABASE"], values["COSMOS_OUTBOX_CONTAINER"], values["COSMOS_INBOX_CONTAINER"]
	if s.container == nil {
		require.NoError(s.t, c.EnsureContainers(s.t.Context(), database, outbox, inbox, "mailing-list"))
		return
	}
	require.NoError(s.t, c.EnsureContainers(s.t.Context(), database, inbox))
	sdk, err := azcosmos.NewClientFromConnectionString(strings.TrimSuffix(conn.ConnectionString, ";"), nil)
	require.NoError(s.t, err)
	defer sdk.Close()
	db, err := sdk.NewDatabase(database)
	require.NoError(s.t, err)
	p := azcosmos.ContainerProperties{ID: outbox, PartitionKeyDefinition: azcosmos.PartitionKeyDefinition{Kind: azcosmos.PartitionKeyKindHash, Paths: []string{"/pk"}, Version: 2}}
	s.container(&p)
	_, err = db.CreateContainer(s.t.Context(), p, nil)
	require.NoError(s.t, err)
}

// dead is an address of this machine where nothing listens.
func dead(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// of returns the findings about a subject.
func (r Report) of(subject string) []Finding {
	var list []Finding
	for _, g := range r.Groups {
		for _, f := range g.Findings {
			if f.Subject == subject {
				list = append(list, f)
			}
		}
	}
	return list
}

func TestAHealthySetUp(t *testing.T) {
	t.Parallel()
	r := healthy(t).play()
	require.Zero(t, r.ExitStatus())
	require.Zero(t, r.Count(Unknown))
	require.Greater(t, r.Count(OK), 35)
	var said strings.Builder
	require.NoError(t, r.Print(&said, false))
	require.NotContains(t, said.String(), minicosmos.EmulatorKey)
	require.NotContains(t, said.String(), minibus.DefaultPolicy.Key)
}

// What the official emulators are started with passes, too: minibus reads the same file.
func TestTheEmulatorsTopologyIsFine(t *testing.T) {
	t.Parallel()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	file, err := os.Open(filepath.Join(source, "infra", "emulators", "servicebus.json"))
	require.NoError(t, err)
	defer func() { _ = file.Close() }() // only read
	s := healthy(t)
	s.topology, err = minibus.LoadConfig(file)
	require.NoError(t, err)
	require.Zero(t, s.play().ExitStatus())
}

// Each set-up breaks one thing; doctor names it, and what to do about it.
func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	const sas = "SharedAccessKeyName=RootManageSharedAccessKey;UseDevelopmentEmulator=true;SharedAccessKey="
	for name, row := range map[string]struct {
		change        func(*scene)
		subject       string
		status        Status
		found, remedy string
	}{
		"sessions": {func(s *scene) { s.topology.Topics[0].Subscriptions[0].RequiresSession = true },
			"read-models sessions", Refused, "it gets none", "requiresSession to false"},
		"no inbox sweep": {func(s *scene) { require.NoError(s.t, os.RemoveAll(filepath.Join(s.app, "InboxSweeper"))) },
			"InboxSweeper", Refused, "waits for ever", "relaybox assemble"},
		"many wait": {func(s *scene) { s.settings["RELAYBOX_INBOX_WAITING"] = "65" },
			"messages per instance", Refused, "lets 65 of them wait", "at most 64"},
		"no duplicate detection": {func(s *scene) { s.topology.Topics[0].RequiresDuplicateDetection = false },
			"entity-events duplicate detection", Refused, "arrives twice", "requiresDuplicateDetection"},
		"the emulator's window": {func(s *scene) { s.topology.Topics[0].DuplicateDetectionHistoryTimeWindow = 20 * time.Second },
			"entity-events duplicate detection", Refused, "window 20s", "at least 1m"},
		"the emulator's deliveries": {func(s *scene) { s.topology.Topics[0].Subscriptions[0].MaxDeliveryCount = 3 },
			"read-models max deliveries", Refused, "3:", "maxDeliveryCount"},
		"forwarding": {func(s *scene) {
			s.topology.Queues = []minibus.Queue{{Name: "elsewhere"}}
			s.topology.Topics[0].Subscriptions[0].ForwardTo = "elsewhere"
		}, "read-models forwarding", Refused, "elsewhere", "remove forwardTo"},
		"a filter": {func(s *scene) {
			s.topology.Topics[0].Subscriptions[0].Rules = []minibus.Rule{{Name: "ada", Correlation: &minibus.CorrelationFilter{Label: "ada"}}}
		}, "read-models rules", Warning, "ada (correlation)", "$Default"},
		"default TTL": {func(s *scene) {
			s.container = func(p *azcosmos.ContainerProperties) { p.DefaultTimeToLive = new(int32(3600)) }
		},
			"entities time to live", Refused, "not sent yet would expire", "default TTL to -1"},
		"TTL off": {func(s *scene) { s.container = func(*azcosmos.ContainerProperties) {} },
			"entities time to live", Refused, "never expire", "default TTL to -1"},
		"other partition key": {func(s *scene) {
			s.container = func(p *azcosmos.ContainerProperties) { p.PartitionKeyDefinition.Paths = []string{"/id"} }
		}, "entities partition key", Refused, "/id", "make the container anew"},
		"everything indexed": {func(s *scene) {
			s.container = func(p *azcosmos.ContainerProperties) { p.DefaultTimeToLive = new(int32(-1)) }
		},
			"entities index", Warning, "everything is indexed", "exclude /*"},
		"unique key": {func(s *scene) {
			s.container = func(p *azcosmos.ContainerProperties) {
				p.UniqueKeyPolicy = &azcosmos.UniqueKeyPolicy{UniqueKeys: []azcosmos.UniqueKey{{Paths: []string{"/email"}}}}
			}
		}, "entities unique keys", Refused, "/email", "without them"},
		"nested function": {func(s *scene) {
			write(s.t, filepath.Join(s.app, "more", "Late", "function.json"), read(s.t, filepath.Join(s.app, "OutboxDispatcher", "function.json")))
		}, "more/Late/function.json", Refused, "in silence", "move the folder Late up"},
		"settings in the app": {func(s *scene) { write(s.t, filepath.Join(s.app, "local.settings.json"), "{}") },
			"local.settings.json", Warning, "secrets", "relaybox assemble --zip"},
		"no execute bit": {func(s *scene) { require.NoError(s.t, os.Chmod(filepath.Join(s.app, "handler"), 0o600)) },
			"handler", Refused, "lacks the execute bit", "chmod +x"},
		"no handler": {func(s *scene) { require.NoError(s.t, os.Remove(filepath.Join(s.app, "handler"))) },
			"handler", Refused, "there is no program", "relaybox assemble"},
		"a handler for another machine": {func(s *scene) { write(s.t, filepath.Join(s.app, "handler"), "MZ"+strings.Repeat("\x00", 30)) },
			"handler", Warning, "built for windows", "relaybox assemble"},
		"no dispatcher": {func(s *scene) { require.NoError(s.t, os.RemoveAll(filepath.Join(s.app, "OutboxDispatcher"))) },
			"timerTrigger", Refused, "never sent", "OutboxDispatcher"},
		"no app": {func(s *scene) { s.app = filepath.Join(s.app, "none") },
			"app folder", Refused, "there is no folder", "relaybox assemble"},
		"short early wait": {func(s *scene) { s.settings["RELAYBOX_EARLY_WAIT"] = "30s" },
			"read-models early wait", Refused, "30s", "RELAYBOX_EARLY_WAIT"},
		"long deadline": {func(s *scene) { s.settings["RELAYBOX_INVOCATION_DEADLINE"] = "40m" },
			"functionTimeout", Refused, "RELAYBOX_INVOCATION_DEADLINE is 40m", "raise functionTimeout"},
		"large events": {func(s *scene) { s.settings["RELAYBOX_MAX_EVENT_BYTES"] = "262144" },
			"event size", Refused, "262144", "RELAYBOX_MAX_EVENT_BYTES"},
		"partitioned by mistake": {func(s *scene) { s.settings["EVENTS_TOPIC_PARTITIONED"] = "true" },
			"entity-events partitioning", Warning, "send of its own", "EVENTS_TOPIC_PARTITIONED"},
		"wrong key of the store": {func(s *scene) {
			s.settings["COSMOS_CONNECTION"] = "AccountEndpoint=COSMOS;AccountKey=" + base64.StdEncoding.EncodeToString([]byte("another"))
		}, "account", Refused, "does not accept the key", "connection string anew"},
		"wrong key of the bus": {func(s *scene) { s.settings["SERVICEBUS_CONNECTION"] = "Endpoint=sb://BUS;" + sas + "wrong" },
			"sending", Refused, "does not accept the key", "connection string anew"},
		"a key without Manage": {func(s *scene) {
			s.policies = []minibus.Policy{{Name: "app", Key: "key", Claims: []minibus.Claim{minibus.Send, minibus.Listen}}}
			s.settings["SERVICEBUS_CONNECTION"] = "Endpoint=sb://BUS;UseDevelopmentEmulator=true;SharedAccessKeyName=app;SharedAccessKey=key"
		}, "topic and subscription", Unknown, "no Manage right", "with a key that has it"},
		"no administration port": {func(s *scene) { s.adminOff = true },
			"topic and subscription", Unknown, "connection refused", "--bus-admin"},
		"dead store": {func(s *scene) {
			s.settings["COSMOS_CONNECTION"] = "AccountEndpoint=http://" + dead(s.t) + "/;AccountKey=a2V5"
		}, "account", Refused, "nothing answers at 127.0.0.1", "relaybox up"},
		"dead bus": {func(s *scene) { s.settings["SERVICEBUS_CONNECTION"] = "Endpoint=sb://" + dead(s.t) + ";" + sas + "key" },
			"sending", Refused, "nothing answers at 127.0.0.1", "relaybox up"},
		"no database yet": {func(s *scene) { s.bare = true },
			"database relaybox", Warning, "no such database yet", "at its first start"},
		"no container yet": {func(s *scene) { s.settings["COSMOS_OUTBOX_CONTAINER"] = "others" },
			"container others", Warning, "no such container yet", "at its first start"},
		"no container of a kind's own yet": {func(s *scene) { s.settings["COSMOS_KIND_CONTAINERS"] = "invoice=invoices/views" },
			"container invoices (of kind invoice)", Warning, "no such container yet", "at its first start"},
		"a time to live in a container of two kinds' own": {func(s *scene) {
			s.container = func(p *azcosmos.ContainerProperties) { p.DefaultTimeToLive = new(int32(60)) }
			s.settings["COSMOS_KIND_CONTAINERS"], s.settings["COSMOS_OUTBOX_CONTAINER"] = "credit=entities/views,invoice=entities/views", "others"
		}, "entities (of kind credit, invoice) time to live", Refused, "not sent yet would expire", "default TTL to -1"},
		"unreadable containers of kinds": {func(s *scene) { s.settings["COSMOS_KIND_CONTAINERS"] = "invoice=invoices" },
			"COSMOS_KIND_CONTAINERS", Refused, "cannot be read", "write KIND=OUTBOX/INBOX"},
		"no topic": {func(s *scene) { s.settings["EVENTS_TOPIC"] = "others" },
			"topic others", Refused, "not there", "EVENTS_TOPIC"},
		"no topic to send to": {func(s *scene) { s.settings["EVENTS_TOPIC"] = "others" },
			"sending", Refused, "there is no topic others", "infra/emulators/servicebus.json"},
		"no subscription": {func(s *scene) { s.settings["EVENTS_SUBSCRIPTION"] = "others" },
			"subscription others", Refused, "not there", "EVENTS_SUBSCRIPTION"},
		"no subscription of a further consumer": {func(s *scene) { s.topology.Topics[0].Subscriptions = s.topology.Topics[0].Subscriptions[:1] },
			"subscription mailing-list", Refused, "the consumer mailing-list hears nothing", "MAILING_SUBSCRIPTION"},
		"a further consumer gets everything": {func(s *scene) { s.topology.Topics[0].Subscriptions[1].Rules = nil },
			"mailing-list rules", Refused, "takes every event", "OR replayfor = 'mailing-list'"},
		"a further consumer gets too little": {func(s *scene) {
			s.topology.Topics[0].Subscriptions[1].Rules = []minibus.Rule{{Name: "mine", SQL: "sys.Label = 'relaybox.profile.created'"}}
		}, "mailing-list rules", Warning, "mine (sql): not the rule that the consumer needs", "relaybox.profile.email-changed"},
		"a further consumer's last delivery": {func(s *scene) { s.topology.Topics[0].Subscriptions[1].MaxDeliveryCount = 200 },
			"mailing-list last delivery", Refused, "200, and RELAYBOX_MAX_DELIVERIES is 100", "RELAYBOX_MAX_DELIVERIES"},
		"expired events of a further consumer": {func(s *scene) { s.topology.Topics[0].Subscriptions[1].DeadLetteringOnMessageExpiration = false },
			"mailing-list expired events", Warning, "dropped without a trace", "deadLetteringOnMessageExpiration"},
		"no setting of a further consumer": {func(s *scene) { s.settings["MAILING_SUBSCRIPTION"] = "" },
			"MailingList", Refused, "MAILING_SUBSCRIPTION is missing", "add it to the application settings"},
		"nobody keeps the cache true": {func(s *scene) { s.settings["AzureWebJobs.RefreshCache.Disabled"] = "false" },
			"subscription read-cache", Refused, "the consumer cache of reads hears nothing", "CACHE_SUBSCRIPTION"},
		"a subscription of nobody": {func(s *scene) { s.settings["AzureWebJobs.MailingList.Disabled"] = "true" },
			"subscription mailing-list", Warning, "because MailingList is off", "delete it, or turn MailingList on"},
		"the cache hears too little": {func(s *scene) {
			s.settings["AzureWebJobs.RefreshCache.Disabled"] = "false"
			own := s.topology.Topics[0].Subscriptions[0]
			own.Name, own.Rules = "read-cache", []minibus.Rule{{Name: "mine", SQL: "sys.Label = 'relaybox.profile.created'"}}
			s.topology.Topics[0].Subscriptions = append(s.topology.Topics[0].Subscriptions, own)
		}, "read-cache rules", Warning, "mine (sql)", "$Default"},
		"no container of a further consumer yet": {func(s *scene) { s.settings["COSMOS_CONSUMER_CONTAINERS"] = "mailing-list=people" },
			"container people (of consumer mailing-list)", Warning, "no such container yet", "at its first start"},
		"no name of a container": {func(s *scene) { s.settings["COSMOS_INBOX_CONTAINER"] = "" },
			"COSMOS_INBOX_CONTAINER", Refused, "is not set", "name the container"},
		"no connection": {func(s *scene) { s.settings["SERVICEBUS_CONNECTION"] = "" },
			"SERVICEBUS_CONNECTION", Refused, "neither a namespace nor a connection string", "connection string"},
		"no schedule": {func(s *scene) { s.settings["DISPATCH_SCHEDULE"] = "" },
			"DISPATCH_SCHEDULE", Refused, "is not set", "local.settings.json.example"},
		"no storage": {func(s *scene) { s.settings["AzureWebJobsStorage"] = "" },
			"AzureWebJobsStorage", Refused, "is not set", "UseDevelopmentStorage=true"},
		"bad schedule": {func(s *scene) { s.settings["DISPATCH_SCHEDULE"] = "every minute" },
			"OutboxDispatcher", Refused, "does not load", `every minute is "0 * * * * *"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := healthy(t)
			row.change(s)
			r := s.play()
			list := r.of(row.subject)
			at := slices.IndexFunc(list, func(f Finding) bool { return f.Status == row.status })
			require.GreaterOrEqual(t, at, 0, "%s among %v", row.status, list)
			require.Contains(t, list[at].Found, row.found)
			require.Contains(t, list[at].Remedy, row.remedy)
			require.Equal(t, map[Status]int{Refused: 1, Unknown: 3, Warning: 0}[row.status], r.ExitStatus())
		})
	}
}

// An endpoint that takes connections and never answers costs no more than the timeout.
func TestSilenceDoesNotHang(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() }) // nobody accepts: the kernel does
	values := stack.Defaults()
	values["COSMOS_CONNECTION"] = "AccountEndpoint=http://" + l.Addr().String() + "/;AccountKey=a2V5"
	values["SERVICEBUS_CONNECTION"] = "Endpoint=sb://" + l.Addr().String() + ";SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true"
	began := time.Now()
	r := Run(t.Context(), Options{Settings: settingsFile(t, values), App: assembled(t), BusAdmin: l.Addr().String(), Environment: map[string]string{}, Timeout: time.Second})
	require.Less(t, time.Since(began), 30*time.Second)
	for _, subject := range []string{"account", "sending"} {
		require.Contains(t, r.of(subject)[0].Found, "no answer in time", subject)
	}
	require.Contains(t, r.of("topic and subscription")[0].Found, "no answer in time")
}

func TestACancelledRunEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := Run(ctx, Options{Settings: settingsFile(t, stack.Defaults()), Environment: map[string]string{}})
	require.NotZero(t, r.ExitStatus())
}
