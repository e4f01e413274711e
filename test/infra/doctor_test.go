package infra_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/servicebus/admin"
	"github.com/relaybox/relaybox/cmd/relaybox/doctor"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/local/minihost"
)

// answered are the settings that only Azure knows, with values like its answers.
var answered = map[string]string{
	"AzureWebJobsStorage__accountName":               "strelayboxabcdefghijklm",
	"AzureWebJobsStorage__clientId":                  "6b7c4f0e-0000-4000-8000-000000000001",
	"APPLICATIONINSIGHTS_CONNECTION_STRING":          "InstrumentationKey=6b7c4f0e-0000-4000-8000-000000000002;IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/",
	"COSMOS_CONNECTION__accountEndpoint":             "https://cosmos-relaybox-x1-abcdef.documents.azure.com:443/",
	"COSMOS_CONNECTION__clientId":                    "6b7c4f0e-0000-4000-8000-000000000001",
	"SERVICEBUS_CONNECTION__fullyQualifiedNamespace": "sb-relaybox-x1-abcdef.servicebus.windows.net",
	"SERVICEBUS_CONNECTION__clientId":                "6b7c4f0e-0000-4000-8000-000000000001",
	"REDIS_CONNECTION__redisHostName":                "redis-relaybox-x1-abcdef.westeurope.redis.azure.net:10000",
	"REDIS_CONNECTION__clientId":                     "6b7c4f0e-0000-4000-8000-000000000001",
}

// live are the settings of a deployment as the app finds them.
func live(t *testing.T, d deployment) map[string]string {
	t.Helper()
	values := map[string]string{}
	for name, v := range settings(t, d) {
		if text, known := v.(string); known {
			values[name] = text
			continue
		}
		require.Contains(t, answered, name)
		values[name] = answered[name]
	}
	return values
}

// into reads part of a resource.
func into[T any](t *testing.T, r resource, path string) T {
	t.Helper()
	text, err := json.Marshal(r.get(path))
	require.NoError(t, err)
	var v T
	require.NoError(t, json.Unmarshal(text, &v))
	return v
}

func fine(t *testing.T, findings ...doctor.Finding) {
	t.Helper()
	require.NotEmpty(t, findings)
	for _, f := range findings {
		require.Equal(t, doctor.OK, f.Status, "%s: %s; %s", f.Subject, f.Found, f.Remedy)
	}
}

// TestDoctorHasNothingToSay about what we deploy: its rules are those of a running app.
func TestDoctorHasNothingToSay(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, d deployment) {
		values := live(t, d)
		c, err := config.Load(values)
		require.NoError(t, err)
		fine(t, doctor.CheckSettings(doctor.Settings{Azure: true, File: values, Values: values})...)

		roles := map[string]doctor.Role{c.Cosmos.Outbox: doctor.Outbox, c.Cosmos.Inbox: doctor.Inbox}
		for _, own := range c.OwnContainers() {
			roles[own.Outbox], roles[own.Inbox] = doctor.Outbox, doctor.Inbox
		}
		for _, consumer := range inUse(t, c) {
			roles[c.ConsumerContainer(consumer.Name)] = doctor.Inbox
		}
		for _, r := range d.of(account + "/sqlDatabases/containers") {
			name := into[string](t, r, "properties.resource.id")
			require.Contains(t, roles, name)
			fine(t, doctor.CheckContainer(roles[name], name, container(t, r))...)
			delete(roles, name)
		}
		require.Empty(t, roles)

		topic := topicOf(t, d)
		fine(t, doctor.CheckTopic(c.Bus.Topic, topic, doctor.TopicNeeds{Partitioned: c.Bus.Partitioned, SweepBudget: c.Outbox.SweepBudget})...)
		for _, r := range d.of(namespace + "/topics/subscriptions") {
			fine(t, doctor.CheckSubscription(r.Name, subscription(t, r), doctor.SubscriptionNeeds{Hold: c.Inbox.Hold, EarlyWait: c.Inbox.EarlyWait, Deliveries: c.Inbox.Deliveries})...)
		}
		fine(t, doctor.CheckEventSize(c.Outbox.MaxEventBytes, doctor.Namespace{SKU: into[string](t, d.the(t, namespace), "sku.name")}, topic))
	})
}

// TestTheHostFindsTheFunctions under the settings of a deployment: names filled in, the
// schedule a cron text, sessions on.
func TestTheHostFindsTheFunctions(t *testing.T) {
	t.Parallel()
	app := t.TempDir()
	put := func(from, to string) {
		text, err := os.ReadFile(filepath.Join(root(t), from))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(app, to)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(app, to), text, 0o600))
	}
	put("host.json", "host.json")
	require.NoError(t, os.WriteFile(filepath.Join(app, "handler"), nil, 0o700)) //nolint:gosec // a program must be executable
	files, err := filepath.Glob(filepath.Join(root(t), "functions", "*", "function.json"))
	require.NoError(t, err)
	for _, f := range files {
		name := filepath.Base(filepath.Dir(f))
		put(filepath.Join("functions", name, "function.json"), filepath.Join(name, "function.json"))
	}
	every(t, func(t *testing.T, d deployment) {
		found, err := minihost.Inspect(app, live(t, d))
		require.NoError(t, err)
		require.Empty(t, found.Faults)
		require.Len(t, found.Functions, len(files))
		fine(t, doctor.CheckFunctions(found.Functions, true)...)
		functions := map[string]bool{}
		for _, f := range found.Functions {
			functions["function:"+f.Name] = true
			if f.Interval > 0 {
				// A sweep that was killed is repeated by the next one: that is the longest that
				// an event may wait between two sends, and the broker must still know it.
				c, err := config.Load(live(t, d))
				require.NoError(t, err)
				require.Greater(t, topicOf(t, d).DuplicateWindow, f.Interval+c.Deadline)
			}
		}
		warm, _ := d.the(t, site).get(scaling + "alwaysReady").([]any)
		for _, w := range warm {
			require.Contains(t, functions, w.(map[string]any)["name"], "no function has that name")
		}
	})
}

// The properties of entities are those of the templates; what is left out has the service's
// default.

func container(t *testing.T, r resource) doctor.Container {
	t.Helper()
	type path struct{ Path string }
	p := into[struct {
		PartitionKey struct {
			Paths   []string
			Version int
		}
		DefaultTTL     *int32
		IndexingPolicy struct {
			IndexingMode                 string
			IncludedPaths, ExcludedPaths []path
		}
		UniqueKeyPolicy struct{ UniqueKeys []struct{ Paths []string } }
	}](t, r, "properties.resource")
	c := doctor.Container{
		PartitionKey: p.PartitionKey.Paths, PartitionKeyVersion: p.PartitionKey.Version,
		DefaultTTL: p.DefaultTTL, Indexing: p.IndexingPolicy.IndexingMode,
	}
	for _, i := range p.IndexingPolicy.IncludedPaths {
		c.Included = append(c.Included, i.Path)
	}
	for _, e := range p.IndexingPolicy.ExcludedPaths {
		c.Excluded = append(c.Excluded, e.Path)
	}
	for _, k := range p.UniqueKeyPolicy.UniqueKeys {
		c.UniqueKeys = append(c.UniqueKeys, k.Paths)
	}
	return c
}

func topicOf(t *testing.T, d deployment) doctor.Topic {
	t.Helper()
	p := into[struct {
		RequiresDuplicateDetection, EnablePartitioning, SupportOrdering                 bool
		DuplicateDetectionHistoryTimeWindow, DefaultMessageTimeToLive, AutoDeleteOnIdle string
		Status                                                                          string
		MaxMessageSizeInKilobytes                                                       int64
	}](t, d.the(t, namespace+"/topics"), "properties")
	return doctor.Topic{
		DuplicateDetection: p.RequiresDuplicateDetection, DuplicateWindow: lasts(t, p.DuplicateDetectionHistoryTimeWindow, 10*time.Minute),
		TimeToLive: lasts(t, p.DefaultMessageTimeToLive, admin.Forever), AutoDelete: lasts(t, p.AutoDeleteOnIdle, admin.Forever),
		Partitioned: p.EnablePartitioning, Ordered: p.SupportOrdering, Status: p.Status, MaxMessageBytes: p.MaxMessageSizeInKilobytes << 10,
	}
}

func subscription(t *testing.T, r resource) doctor.Subscription {
	t.Helper()
	p := into[struct {
		RequiresSession, DeadLetteringOnMessageExpiration        bool
		LockDuration, DefaultMessageTimeToLive, AutoDeleteOnIdle string
		MaxDeliveryCount                                         int
		ForwardTo, Status                                        string
	}](t, r, "properties")
	return doctor.Subscription{
		Sessions: p.RequiresSession, LockDuration: lasts(t, p.LockDuration, time.Minute), MaxDeliveryCount: p.MaxDeliveryCount,
		TimeToLive: lasts(t, p.DefaultMessageTimeToLive, admin.Forever), AutoDelete: lasts(t, p.AutoDeleteOnIdle, admin.Forever),
		DeadLetterLate: p.DeadLetteringOnMessageExpiration, ForwardTo: p.ForwardTo, Status: p.Status,
	}
}

func lasts(t *testing.T, text string, otherwise time.Duration) time.Duration {
	t.Helper()
	if text == "" {
		return otherwise
	}
	d, err := admin.ParseDuration(text)
	require.NoError(t, err)
	return d
}
