package config

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azure/redis"
	"github.com/relaybox/relaybox/inbox"
)

// emulators is a complete environment; key is a secret that must never show.
const key = "c2VjcmV0LWtleQ=="

var emulators = map[string]string{
	"COSMOS_CONNECTION":       "AccountEndpoint=http://127.0.0.1:8081/;AccountKey=" + key,
	"COSMOS_DATABASE":         "relaybox",
	"COSMOS_OUTBOX_CONTAINER": "entities",
	"COSMOS_INBOX_CONTAINER":  "views",
	"SERVICEBUS_CONNECTION":   "Endpoint=sb://127.0.0.1;SharedAccessKeyName=n;SharedAccessKey=" + key + ";UseDevelopmentEmulator=true;",
	"EVENTS_TOPIC":            "entity-events",
}

// with returns emulators with changes; an empty value removes the setting.
func with(changes map[string]string) map[string]string {
	m := maps.Clone(emulators)
	maps.Copy(m, changes)
	maps.DeleteFunc(m, func(_, v string) bool { return v == "" })
	return m
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c, err := Load(emulators)
	require.NoError(t, err)
	require.Equal(t, 5*time.Second, c.Outbox.FastPathBudget)
	require.Equal(t, inbox.Snapshot, c.Policy())
	require.Less(t, c.Inbox.Hold, c.Deadline)
	require.True(t, c.CosmosConnection().Emulator())
}

func TestIdentityConnections(t *testing.T) {
	t.Parallel()
	c, err := Load(with(map[string]string{
		"COSMOS_CONNECTION": "", "COSMOS_CONNECTION__accountEndpoint": "https://acc.documents.azure.com/", "COSMOS_CONNECTION__clientId": "id-1",
		"COSMOS_CONNECTION__credential": "managedidentity", "SERVICEBUS_CONNECTION__credential": "managedidentity",
		"SERVICEBUS_CONNECTION": "", "SERVICEBUS_CONNECTION__fullyQualifiedNamespace": "ns.servicebus.windows.net", "SERVICEBUS_CONNECTION__clientId": "id-2",
		"RELAYBOX_GAP_POLICY": "strict",
	}))
	require.NoError(t, err)
	require.False(t, c.CosmosConnection().Emulator())
	require.Equal(t, "id-1", c.CosmosConnection().ClientID)
	require.Equal(t, "id-2", c.BusConnection().ClientID)
	require.Equal(t, "managedidentity", c.CosmosConnection().Credential)
	require.Equal(t, "managedidentity", c.BusConnection().Credential)
	require.Equal(t, inbox.Strict, c.Policy())
}

func TestEveryFaultNamesItsSetting(t *testing.T) {
	t.Parallel()
	for setting, bad := range map[string]string{
		"COSMOS_CONNECTION":            "AccountEndpoint=http://127.0.0.1:8081/",
		"COSMOS_DATABASE":              "",
		"COSMOS_OUTBOX_CONTAINER":      "",
		"COSMOS_INBOX_CONTAINER":       "entities",
		"SERVICEBUS_CONNECTION":        "Endpoint=nonsense",
		"EVENTS_TOPIC":                 "",
		"RELAYBOX_GAP_POLICY":          "lenient",
		"RELAYBOX_INBOX_HOLD":          "28m",
		"RELAYBOX_SWEEP_BUDGET":        "-1s",
		"RELAYBOX_FASTPATH_BUDGET":     "0s",
		"RELAYBOX_FASTPATH_QUEUE":      "0",
		"RELAYBOX_SWEEP_PARALLEL":      "0",
		"RELAYBOX_ORPHAN_LOOK":         "0s",
		"RELAYBOX_PARK_AFTER":          "1",
		"RELAYBOX_MAX_EVENT_BYTES":     "7",
		"RELAYBOX_CACHE_BYTES":         "-1",
		"RELAYBOX_READ_CACHE":          "disk",
		"RELAYBOX_READ_CACHE_BYTES":    "0",
		"RELAYBOX_READ_CACHE_LIFE":     "0s",
		"REDIS_CONNECTION":             "localhost:6379,password=" + key,
		"RELAYBOX_INBOX_WAIT":          "0s",
		"RELAYBOX_INBOX_WAITING":       "0",
		"RELAYBOX_EARLY_WAIT":          "0s",
		"RELAYBOX_MAX_DELIVERIES":      "0",
		"RELAYBOX_INVOCATION_DEADLINE": "0s",
		"RELAYBOX_HEALTH_OLDEST":       "0s",
		"RELAYBOX_HEALTH_PARKED":       "-1",
		"RELAYBOX_HEALTH_DEAD_LETTERS": "-1",
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			_, err := Load(with(map[string]string{setting: bad}))
			require.True(t, blames(err, setting), "%v", err)
			require.NotContains(t, err.Error(), key)
		})
	}
}

// blames says whether a fault is about the setting: others may mention it.
func blames(err error, setting string) bool {
	return slices.ContainsFunc(Faults(err), func(err error) bool { return strings.HasPrefix(err.Error(), setting+" ") })
}

// TestLimits: the last value that is taken, and the first one that is not.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ setting, good, bad string }{
		{"RELAYBOX_INVOCATION_DEADLINE", "27m", "0s"},
		{"RELAYBOX_INVOCATION_DEADLINE", "27m", "-1s"},
		{"RELAYBOX_INBOX_HOLD", "1ns", "0s"},
		{"RELAYBOX_INBOX_HOLD", "4m59s", "5m"},
		{"RELAYBOX_SWEEP_BUDGET", "1ns", "0s"},
		{"RELAYBOX_SWEEP_BUDGET", "4m59s", "5m"},
		{"RELAYBOX_FASTPATH_BUDGET", "1ns", "0s"},
		{"RELAYBOX_FASTPATH_QUEUE", "1", "0"},
		{"RELAYBOX_ORPHAN_LOOK", "100ms", "99ms"},
		{"RELAYBOX_ORPHAN_LOOK", "1m", "61s"},
		{"RELAYBOX_SWEEP_PARALLEL", "1", "0"},
		{"RELAYBOX_PARK_AFTER", "2", "1"},
		{"RELAYBOX_PARK_AFTER", "10", "11"},
		{"RELAYBOX_MAX_EVENT_BYTES", "1024", "1023"},
		{"RELAYBOX_CACHE_BYTES", "0", "-1"},
		{"RELAYBOX_READ_CACHE_BYTES", "1", "0"},
		{"RELAYBOX_READ_CACHE_LIFE", "1s", "999ms"},
		{"RELAYBOX_READ_CACHE_LIFE", "24h", "24h1s"},
		{"RELAYBOX_INBOX_WAIT", "1ns", "0s"},
		{"RELAYBOX_INBOX_WAIT", "3m", "-1s"},
		{"RELAYBOX_INBOX_WAITING", "1", "0"},
		{"RELAYBOX_EARLY_WAIT", "1s", "999ms"},
		{"RELAYBOX_MAX_DELIVERIES", "1", "0"},
		{"RELAYBOX_HEALTH_OLDEST", "1s", "999ms"},
		{"RELAYBOX_HEALTH_PARKED", "0", "-1"},
		{"RELAYBOX_HEALTH_PARKED", "999", "1000"},
		{"RELAYBOX_HEALTH_DEAD_LETTERS", "0", "-1"},
		{"RELAYBOX_HEALTH_DEAD_LETTERS", "999", "1000"},
		{"COSMOS_DATABASE", strings.Repeat("a", 255), strings.Repeat("a", 256)},
	} {
		settings := map[string]string{"RELAYBOX_INVOCATION_DEADLINE": "5m", "RELAYBOX_INBOX_HOLD": "1m", "RELAYBOX_SWEEP_BUDGET": "1m"}
		settings[c.setting] = c.good
		_, err := Load(with(settings))
		require.NoError(t, err, "%s=%s", c.setting, c.good)
		settings[c.setting] = c.bad
		_, err = Load(with(settings))
		require.True(t, blames(err, c.setting), "%s=%s: %v", c.setting, c.bad, err)
	}
}

// TestSecretsAreNotRepeated: a connection string in the wrong setting is the likeliest
// mistake of all.
func TestSecretsAreNotRepeated(t *testing.T) {
	t.Parallel()
	for _, c := range []map[string]string{
		{"COSMOS_CONNECTION": "", "COSMOS_CONNECTION__accountEndpoint": emulators["COSMOS_CONNECTION"]},
		{"SERVICEBUS_CONNECTION": "", "SERVICEBUS_CONNECTION__fullyQualifiedNamespace": emulators["SERVICEBUS_CONNECTION"]},
		{"COSMOS_CONNECTION": "AccountEndpoint=AccountKey=" + key + ";AccountKey=x"},
		{"SERVICEBUS_CONNECTION": "Endpoint=" + key},
		{"COSMOS_DATABASE": emulators["COSMOS_CONNECTION"]},
		{"REDIS_CONNECTION": "http://:" + key + "@localhost"},
		{"REDIS_CONNECTION__redisHostName": "redis://:" + key + "@localhost"},
		{"RELAYBOX_READ_CACHE": "redis"},
	} {
		_, err := Load(with(c))
		require.Error(t, err)
		require.NotContains(t, err.Error(), key)
	}
}

func TestBothConnectionsAreAFault(t *testing.T) {
	t.Parallel()
	_, err := Load(with(map[string]string{
		"COSMOS_CONNECTION__accountEndpoint": "https://a.documents.azure.com/", "SERVICEBUS_CONNECTION__fullyQualifiedNamespace": "ns.servicebus.windows.net",
	}))
	require.ErrorContains(t, err, "both an account endpoint")
	require.ErrorContains(t, err, "both a namespace")
}

func TestAnAccountInAzureIsNoEmulator(t *testing.T) {
	t.Parallel()
	c, err := Load(with(map[string]string{"COSMOS_CONNECTION": "AccountEndpoint=https://a.documents.azure.com:443/;AccountKey=" + key}))
	require.NoError(t, err)
	require.False(t, c.CosmosConnection().Emulator(), "the app must not create containers there")
}

func TestUnreadableValues(t *testing.T) {
	t.Parallel()
	bad := map[string]string{
		"EVENTS_TOPIC_PARTITIONED": "yes?", "RELAYBOX_FASTPATH_BUDGET": "quick", "RELAYBOX_FASTPATH_QUEUE": "long",
		"RELAYBOX_ORPHAN_LOOK": "often", "RELAYBOX_SWEEP_BUDGET": "1 minute", "RELAYBOX_SWEEP_PARALLEL": "many", "RELAYBOX_PARK_AFTER": "three", "RELAYBOX_SKIP_PARKED": "perhaps",
		"RELAYBOX_MAX_EVENT_BYTES": "240k", "RELAYBOX_INBOX_HOLD": "soon", "RELAYBOX_INBOX_WAIT": "briefly", "RELAYBOX_INBOX_WAITING": "some", "RELAYBOX_EARLY_WAIT": "week", "RELAYBOX_START_ANYWHERE": "here", "RELAYBOX_INVOCATION_DEADLINE": "late", "RELAYBOX_LOG_LEVEL": "loud",
		"RELAYBOX_CACHE_BYTES": "8MiB", "RELAYBOX_MAX_DELIVERIES": "hundred",
		"RELAYBOX_HEALTH_OLDEST": "ages", "RELAYBOX_HEALTH_PARKED": "none", "RELAYBOX_HEALTH_DEAD_LETTERS": "few",
	}
	_, err := Load(with(bad))
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	require.Len(t, lines, len(bad), "one line a setting: %s", err)
	for setting, value := range bad {
		require.ErrorContains(t, err, setting+" cannot be read")
		require.ErrorContains(t, err, value)
	}
}

func TestFaultsAreTakenApart(t *testing.T) {
	t.Parallel()
	one, two := errors.New("one"), errors.New("two")
	require.Empty(t, Faults(nil))
	require.Equal(t, []error{one}, Faults(one))
	require.Equal(t, []error{one, two}, Faults(errors.Join(one, two)))
}

func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Load(nil)
	for _, setting := range []string{"COSMOS_CONNECTION", "COSMOS_DATABASE", "COSMOS_OUTBOX_CONTAINER", "COSMOS_INBOX_CONTAINER", "SERVICEBUS_CONNECTION", "EVENTS_TOPIC"} {
		require.ErrorContains(t, err, setting)
	}
	require.Len(t, strings.Split(err.Error(), "\n"), 6, "one line a fault")
}

func TestNamesAreEverySetting(t *testing.T) {
	t.Parallel()
	all := Names()
	require.Subset(t, all, []string{"COSMOS_CONNECTION", "COSMOS_CONNECTION__accountEndpoint", "EVENTS_TOPIC", "RELAYBOX_EARLY_WAIT", "RELAYBOX_LOG_LEVEL"})
	require.NotContains(t, all, "FUNCTIONS_CUSTOMHANDLER_PORT", "the host sets it")
}

func TestPort(t *testing.T) {
	t.Parallel()
	port, err := Port(map[string]string{"FUNCTIONS_CUSTOMHANDLER_PORT": "8080"})
	require.NoError(t, err)
	require.Equal(t, 8080, port)
	for _, good := range []string{"1", "65535"} {
		_, err := Port(map[string]string{"FUNCTIONS_CUSTOMHANDLER_PORT": good})
		require.NoError(t, err)
	}
	for _, bad := range []string{"", "http", "0", "65536", "99999", "-1", "9999999999999999999999"} {
		_, err := Port(map[string]string{"FUNCTIONS_CUSTOMHANDLER_PORT": bad})
		require.ErrorContains(t, err, "FUNCTIONS_CUSTOMHANDLER_PORT is ")
	}
}

// TestContainersOfKinds: each of these would fail at the first write, or have the consumer
// write among the entities.
func TestContainersOfKinds(t *testing.T) {
	t.Parallel()
	for own, want := range map[string]string{
		"": "", ",": "", "order=a/b,": "", "order=a/b, ": "", "order = a / b ": "", "order=a/b,profile=a/b": "", "order=entities/views": "",
		"order=a/b , credit = c/d":            "",
		"order":                               `"order" cannot be read`,
		"order=a/":                            `"order=a/" cannot be read`,
		"order=/b":                            `"order=/b" cannot be read`,
		"=a/b":                                `"=a/b" cannot be read`,
		"order=a/b=c/d":                       `"order=a/b=c/d" cannot be read`,
		"order=a/b,order=c/d":                 "order is there twice",
		"order=a/a":                           `the container "a" is the outbox of order and the inbox of order`,
		"order=a/b,profile=b/c":               `the container "b" is the outbox of profile and the inbox of order: the consumer owns a container of its own`,
		"profile=b/c,order=a/b,credit=d/b":    `the container "b" is the outbox of profile and the inbox of credit, order`,
		"order=views/x":                       `the container "views" is the outbox of order and the inbox of the kinds without their own`,
		"order=x/entities":                    `the container "entities" is the outbox of the kinds without their own and the inbox of order`,
		"order=a b/c?d":                       `the container "c?d" of order: a name has at most 255 bytes`,
		`order=a\b/c`:                         `the container "a\\b" of order`,
		"order=a#/c":                          `the container "a#" of order`,
		"order=a/" + strings.Repeat("c", 256): "at most 255 bytes",
		"order=a\tb/c":                        "no control character",
	} {
		_, err := Load(with(map[string]string{"COSMOS_KIND_CONTAINERS": own}))
		if want == "" {
			require.NoError(t, err, own)
			continue
		}
		require.ErrorContains(t, err, "COSMOS_KIND_CONTAINERS is ", own)
		require.ErrorContains(t, err, want, own)
		require.Len(t, strings.Split(err.Error(), "\n"), 1, own)
	}
}

func TestNamesThatTheStoreRefuses(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{"COSMOS_DATABASE", "COSMOS_OUTBOX_CONTAINER", "COSMOS_INBOX_CONTAINER"} {
		for _, bad := range []string{"a/b", `a\b`, "a?", "a#", "a ", strings.Repeat("a", 256)} {
			_, err := Load(with(map[string]string{setting: bad}))
			require.ErrorContains(t, err, setting+" is no name that the store takes", bad)
			require.ErrorContains(t, err, "at most 255 bytes", bad)
		}
	}
}

func TestAKeyInTheWrongSettingIsNotRepeated(t *testing.T) {
	t.Parallel()
	settings := maps.Clone(emulators)
	settings["COSMOS_KIND_CONTAINERS"] = "AccountEndpoint=https://x.documents.azure.com/;AccountKey=c2VjcmV0;"
	_, err := Load(settings)
	require.ErrorContains(t, err, "COSMOS_KIND_CONTAINERS is a text that may hold a key")
	require.NotContains(t, err.Error(), "c2VjcmV0")
	for _, part := range []string{"https://x.documents.azure.com/", "AccountKey=c2VjcmV0;"} {
		settings["COSMOS_KIND_CONTAINERS"] = part
		_, err = Load(settings)
		require.ErrorContains(t, err, "COSMOS_KIND_CONTAINERS is a text that may hold a key")
	}
}

// TestCacheOfReads: a server that is named is used, unless the setting says otherwise.
func TestCacheOfReads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, url, host, want string }{
		{"", "", "", MemoryCache},
		{"", "redis://localhost", "", RedisCache},
		{"", "", "x.westeurope.redis.azure.net", RedisCache},
		{"Redis", "redis://localhost", "", RedisCache},
		{"memory", "redis://localhost", "", MemoryCache},
		{"off", "redis://localhost", "", NoCache},
		{"OFF", "", "", NoCache},
	} {
		cfg, err := Load(with(map[string]string{"RELAYBOX_READ_CACHE": c.name, "REDIS_CONNECTION": c.url, "REDIS_CONNECTION__redisHostName": c.host}))
		require.NoError(t, err)
		require.Equal(t, c.want, cfg.CacheOfReads(), "%+v", c)
	}
	cfg, err := Load(with(map[string]string{"REDIS_CONNECTION__redisHostName": "x", "REDIS_CONNECTION__clientId": "c", "REDIS_CONNECTION__credential": "managedidentity", "REDIS_CONNECTION__principalId": "p"}))
	require.NoError(t, err)
	require.Equal(t, redis.Connection{Host: "x", ClientID: "c", Credential: "managedidentity", Principal: "p"}, cfg.RedisConnection())
	// A server that is not used may be named in any way.
	_, err = Load(with(map[string]string{"RELAYBOX_READ_CACHE": "off", "REDIS_CONNECTION": "nonsense"}))
	require.NoError(t, err)
}

// TestContainersOfConsumers: two models of one key in one container would replace each other.
func TestContainersOfConsumers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", ",": "", "mailing-list=people": "", " mailing-list = people , ": "", "a=people,b=others": "",
		"mailing-list": `"mailing-list" cannot be read`, "=people": "cannot be read", "mailing-list=": "cannot be read",
		"a=x,a=y": "a is there twice", "a=x/y": "a name has at most 255 bytes",
		"a=entities": `the container "entities" of a belongs to COSMOS_OUTBOX_CONTAINER`,
		"a=views":    `the container "views" of a belongs to COSMOS_INBOX_CONTAINER`,
		"a=o-views":  `the container "o-views" of a belongs to COSMOS_KIND_CONTAINERS`,
		"a=x,b=x":    `the container "x" of b belongs to the consumer a`,
		"AccountEndpoint=https://x.documents.azure.com/;AccountKey=c2VjcmV0;": "a text that may hold a key",
	} {
		_, err := Load(with(map[string]string{"COSMOS_CONSUMER_CONTAINERS": text, "COSMOS_KIND_CONTAINERS": "order=o/o-views"}))
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, "COSMOS_CONSUMER_CONTAINERS is ", text)
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "c2VjcmV0")
	}
	c, err := Load(with(map[string]string{"COSMOS_CONSUMER_CONTAINERS": "mailing-list=people"}))
	require.NoError(t, err)
	require.Equal(t, "people", c.ConsumerContainer("mailing-list"))
	require.Equal(t, "watch", c.ConsumerContainer("watch"), "its own name")
	require.Len(t, c.SharedFaults([]string{"entities", "mailing-list", "people"}), 2)
}

// TestSettingsThatOnlyFunctionsKnow: the subscription of a consumer, and what turns a function off.
func TestSettingsThatOnlyFunctionsKnow(t *testing.T) {
	t.Parallel()
	c, err := Load(with(map[string]string{
		"WATCH_SUBSCRIPTION": "watch", "AzureWebJobs.A.Disabled": "True", "AzureWebJobs_B_Disabled": "1", "AzureWebJobs.C.Disabled": "false", "AzureWebJobs.D.Disabled": "",
	}))
	require.NoError(t, err)
	require.Equal(t, "watch", c.Subscription("WATCH_SUBSCRIPTION"))
	require.Empty(t, c.Subscription("OTHER_SUBSCRIPTION"))
	require.Empty(t, c.Subscription("SERVICEBUS_CONNECTION"), "no secret is kept there")
	for function, off := range map[string]bool{"A": true, "B": true, "C": false, "D": false, "E": false} {
		require.Equal(t, off, c.Off(function), function)
	}
}
