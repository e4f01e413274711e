package stack_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/stack"
)

// folder has functions by name, as their function.json says it.
func folder(t *testing.T, functions map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range functions {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name, "function.json"), []byte(text), 0o600))
	}
	return dir
}

func waits(topic, subscription, rule string) string {
	return `{"bindings":[{"type":"serviceBusTrigger","direction":"in","name":"m","topicName":"` + topic + `","subscriptionName":"` + subscription + `"}],"rule":"` + rule + `"}`
}

// TestSubscriptionsOfFunctions: the bus has one for each consumer of the topic, with the rule that
// its function.json asks for, and none for a function that is turned off.
func TestSubscriptionsOfFunctions(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"First":  waits("%EVENTS_TOPIC%", "%EVENTS_SUBSCRIPTION%", ""),
		"Second": waits("%EVENTS_TOPIC%", "%SECOND_SUBSCRIPTION%", "sys.Label LIKE 'a.%' OR replayfor = '%SECOND_SUBSCRIPTION%'"),
		"Third":  waits("%EVENTS_TOPIC%", "third", ""),
		"Off":    waits("%EVENTS_TOPIC%", "off", ""),
		"Other":  waits("other", "fourth", ""),
		"Timer":  `{"bindings":[{"type":"timerTrigger","direction":"in","name":"t","schedule":"0 * * * * *"}]}`,
	})
	settings := map[string]string{"EVENTS_TOPIC": "events", "EVENTS_SUBSCRIPTION": "views", "SECOND_SUBSCRIPTION": "second", "AzureWebJobs.Off.Disabled": "true"}
	got, err := stack.Consumers(dir, settings)
	require.NoError(t, err)
	require.ElementsMatch(t, []stack.Subscription{{Name: "second", Rule: "sys.Label LIKE 'a.%' OR replayfor = 'second'"}, {Name: "third"}}, got)
	_, err = stack.Consumers(filepath.Join(dir, "nowhere"), settings)
	require.Error(t, err)

	s := stack.RunT(t, only(stack.Bus), func(c *stack.Config) { c.Functions, c.Settings = dir, settings })
	there := s.Bus.Snapshot()
	for name, want := range map[string]bool{"views": true, "second": true, "third": true, "off": false, "fourth": false} {
		_, is := there["events/Subscriptions/"+name]
		require.Equal(t, want, is, name)
	}
}

func TestTopologyOfConsumers(t *testing.T) {
	t.Parallel()
	c := stack.Topology("events", "views", stack.Subscription{Name: "some", Rule: "a = 1"}, stack.Subscription{Name: "all"})
	require.Len(t, c.Topics[0].Subscriptions, 3)
	require.Nil(t, c.Topics[0].Subscriptions[0].Rules, "everything")
	require.Equal(t, []minibus.Rule{{Name: stack.RuleName, SQL: "a = 1"}}, c.Topics[0].Subscriptions[1].Rules)
	require.Nil(t, c.Topics[0].Subscriptions[2].Rules)
	require.Equal(t, c.Topics[0].Subscriptions[0].MaxDeliveryCount, c.Topics[0].Subscriptions[1].MaxDeliveryCount)
}
