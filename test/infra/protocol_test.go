package infra_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/handler/config"
	"github.com/relaybox/relaybox/local/stack"
)

// example is local.settings.json.example.
func example(t *testing.T) map[string]string {
	t.Helper()
	values, err := stack.ReadLocalSettings(filepath.Join(root(t), "local.settings.json.example"))
	require.NoError(t, err)
	return values
}

// seconds reads the ISO 8601 durations that we write: days, hours, minutes, seconds.
func seconds(t *testing.T, v any) time.Duration {
	t.Helper()
	text, ok := v.(string)
	require.True(t, ok, v)
	days, clock, _ := strings.Cut(strings.TrimPrefix(text, "P"), "T")
	var d time.Duration
	if days != "" {
		whole, err := time.ParseDuration(strings.TrimSuffix(days, "D") + "h")
		require.NoError(t, err, text)
		d = 24 * whole
	}
	if clock != "" {
		rest, err := time.ParseDuration(strings.ToLower(clock))
		require.NoError(t, err, text)
		d += rest
	}
	return d
}

func TestContainersKeepWhatTheProtocolNeeds(t *testing.T) {
	t.Parallel()
	every(t, func(t *testing.T, d deployment) {
		want := example(t)
		containers := d.of(account + "/sqlDatabases/containers")
		var names []string
		for _, c := range containers {
			parts := strings.Split(c.Name, "/")
			require.Equal(t, want["COSMOS_DATABASE"], parts[1])
			names = append(names, parts[2])
			require.Equal(t, parts[2], c.get("properties.resource.id"))
			text, err := json.Marshal(c.get("properties.resource"))
			require.NoError(t, err)
			var r struct {
				PartitionKey   map[string]any
				DefaultTTL     any
				IndexingPolicy struct {
					Automatic                    bool
					IndexingMode                 string
					IncludedPaths, ExcludedPaths []struct{ Path string }
				}
				UniqueKeyPolicy any
			}
			require.NoError(t, json.Unmarshal(text, &r))
			require.Equal(t, map[string]any{"kind": "Hash", "paths": []any{"/pk"}, "version": 2.0}, r.PartitionKey)
			require.Equal(t, -1.0, r.DefaultTTL, "on, and nothing expires by default: a pending event would be lost")
			require.Equal(t, "consistent", r.IndexingPolicy.IndexingMode)
			require.True(t, r.IndexingPolicy.Automatic)
			require.Equal(t, []struct{ Path string }{{"/pk/?"}, {"/pending/?"}, {"/parked/?"}, {"/seq/?"}, {"/earlySince/?"}}, r.IndexingPolicy.IncludedPaths)
			require.Equal(t, []struct{ Path string }{{"/*"}}, r.IndexingPolicy.ExcludedPaths)
			require.Nil(t, r.UniqueKeyPolicy)
		}
		wanted := []string{want["COSMOS_OUTBOX_CONTAINER"], want["COSMOS_INBOX_CONTAINER"]}
		c, err := config.Load(live(t, d))
		require.NoError(t, err)
		for _, consumer := range inUse(t, c) {
			wanted = append(wanted, c.ConsumerContainer(consumer.Name))
		}
		for _, own := range c.OwnContainers() {
			for _, name := range []string{own.Outbox, own.Inbox} {
				if !slices.Contains(wanted, name) {
					wanted = append(wanted, name)
				}
			}
		}
		require.ElementsMatch(t, wanted, names, "each once")
		require.Equal(t, false, d.the(t, "Microsoft.DocumentDB/databaseAccounts").get("properties.enableMultipleWriteLocations"),
			"two writers could give one number to two events")
	})
}

// longestPause is how long a dispatcher may sleep between two sends of one event: a
// sweep's budget, and the pause that may stand at its end.
const longestPause = 25*time.Second + 15*time.Second

func TestTopicAndSubscriptionKeepWhatTheProtocolNeeds(t *testing.T) {
	t.Parallel()
	var defaults config.Config
	defaults, _ = config.Load(nil) // what is missing does not matter here
	every(t, func(t *testing.T, d deployment) {
		want := example(t)
		topic, subs := d.the(t, "Microsoft.ServiceBus/namespaces/topics"), d.of("Microsoft.ServiceBus/namespaces/topics/subscriptions")
		require.Equal(t, want["EVENTS_TOPIC"], strings.Split(topic.Name, "/")[1])
		c, err := config.Load(live(t, d))
		require.NoError(t, err)
		wanted := []string{want["EVENTS_SUBSCRIPTION"]}
		for _, consumer := range inUse(t, c) {
			wanted = append(wanted, c.Subscription(consumer.Subscription))
		}
		if !c.Off("RefreshCache") {
			wanted = append(wanted, c.Subscription("CACHE_SUBSCRIPTION"))
		}
		require.Len(t, subs, len(wanted))
		require.Equal(t, true, topic.get("properties.requiresDuplicateDetection"))
		window := seconds(t, topic.get("properties.duplicateDetectionHistoryTimeWindow"))
		require.Greater(t, window, longestPause)
		require.LessOrEqual(t, window, 7*24*time.Hour, "the service's limit")
		require.Equal(t, true, topic.get("properties.supportOrdering"))
		require.Equal(t, false, topic.get("properties.enablePartitioning"), "EVENTS_TOPIC_PARTITIONED is not set")
		require.GreaterOrEqual(t, seconds(t, topic.get("properties.defaultMessageTimeToLive")), 24*time.Hour)

		require.Equal(t, 100, defaults.Inbox.Deliveries)
		for i, sub := range subs {
			require.Equal(t, []string{want["EVENTS_TOPIC"], wanted[i]}, strings.Split(sub.Name, "/")[1:])
			require.Equal(t, false, sub.get("properties.requiresSession"), "the consumer keeps the order by the numbers")
			require.Greater(t, defaults.Inbox.EarlyWait, seconds(t, sub.get("properties.lockDuration")))
			require.Equal(t, true, sub.get("properties.deadLetteringOnMessageExpiration"))
			require.Equal(t, 100.0, sub.get("properties.maxDeliveryCount"), "doctor says why")
			require.LessOrEqual(t, seconds(t, sub.get("properties.lockDuration")), 5*time.Minute)
		}
		for _, r := range append(subs, topic) {
			require.Nil(t, r.get("properties.autoDeleteOnIdle"))
			require.Nil(t, r.get("properties.forwardTo"))
		}
	})
}

// inUse are the consumers beside ConsumeEvent that a deployment runs.
func inUse(t *testing.T, c config.Config) []functions.Consumer {
	t.Helper()
	all, err := functions.Consumers()
	require.NoError(t, err)
	return slices.DeleteFunc(all, func(consumer functions.Consumer) bool { return c.Off(consumer.Function) })
}
