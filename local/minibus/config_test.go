package minibus_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/config.json")
	require.NoError(t, err)
	defer f.Close()
	c, err := minibus.LoadConfig(f)
	require.NoError(t, err)
	require.Equal(t, &minibus.Config{
		Queues: []minibus.Queue{{
			Name: "orders", DeadLetteringOnMessageExpiration: true, DefaultMessageTimeToLive: time.Hour, LockDuration: 30 * time.Second,
			MaxDeliveryCount: 5, RequiresDuplicateDetection: true, DuplicateDetectionHistoryTimeWindow: 20 * time.Second,
			ForwardDeadLetteredMessagesTo: "failed",
		}, {Name: "failed"}},
		Topics: []minibus.Topic{{
			Name: "profile-events", RequiresDuplicateDetection: true, DuplicateDetectionHistoryTimeWindow: 5 * time.Minute,
			Subscriptions: []minibus.Subscription{
				{Name: "profile-views", RequiresSession: true, MaxDeliveryCount: 10, LockDuration: time.Minute},
				{Name: "urgent", Rules: []minibus.Rule{{Name: "urgent", Correlation: &minibus.CorrelationFilter{
					Label: "urgent", ContentType: "text/plain", Properties: map[string]any{"level": 3.0},
				}}}},
			},
		}},
	}, c)
	_, err = minibus.Open(minibus.Options{Config: c})
	require.NoError(t, err)
}

func TestLoadConfigFaults(t *testing.T) {
	t.Parallel()
	inNamespace := func(s string) string {
		return `{"UserConfig":{"Namespaces":[{"Name":"sbemulatorns",` + s + `}],"Logging":{"Type":"File"}}}`
	}
	queue := func(properties string) string {
		return inNamespace(`"Queues":[{"Name":"q","Properties":{` + properties + `}}]`)
	}
	for name, c := range map[string]struct{ text, fault string }{
		"not JSON":        {`{`, "not JSON"},
		"empty":           {`{}`, "UserConfig: is missing"},
		"namespace":       {`{"UserConfig":{"Namespaces":[{"Name":"mine"}],"Logging":{"Type":"File"}}}`, "UserConfig.Namespaces[0].Name: is mine"},
		"logging":         {`{"UserConfig":{"Namespaces":[{"Name":"sbemulatorns"}],"Logging":{"Type":"Syslog"}}}`, "UserConfig.Logging.Type: is Syslog"},
		"unknown key":     {queue(`"MaxSize":1`), "UserConfig.Namespaces[0].Queues[0].Properties.MaxSize: is not a key that belongs here"},
		"duration":        {queue(`"LockDuration":"60s"`), "Properties.LockDuration: is 60s, which is no ISO 8601 duration"},
		"duration range":  {queue(`"LockDuration":"PT10M"`), "Properties.LockDuration: is PT10M, allowed are 5s to 5m0s"},
		"count":           {queue(`"MaxDeliveryCount":11`), "Properties.MaxDeliveryCount: is 11, allowed are whole numbers from 1 to 10"},
		"type":            {queue(`"RequiresSession":"yes"`), "Properties.RequiresSession: must be true or false"},
		"name":            {inNamespace(`"Queues":[{"Name":"-q"}]`), "Queues[0].Name: is -q, which is no entity name"},
		"no subscription": {inNamespace(`"Topics":[{"Name":"t","Subscriptions":[]}]`), "Subscriptions: has 0 elements"},
		"sql": {inNamespace(`"Topics":[{"Name":"t","Subscriptions":[{"Name":"s","Rules":[{"Name":"r","Properties":{"FilterType":"Sql","SqlFilter":{"SqlExpression":"1=1"}}}]}]}]`),
			"Topics[0].Subscriptions[0].Rules[0].Properties.SqlFilter: SQL filters are not supported yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := minibus.LoadConfig(strings.NewReader(c.text))
			require.ErrorIs(t, err, minibus.ErrConfig)
			require.ErrorContains(t, err, c.fault)
		})
	}
	_, err := minibus.Open(minibus.Options{Config: &minibus.Config{Queues: []minibus.Queue{{Name: "q", ForwardTo: "x"}}}})
	require.ErrorContains(t, err, `ForwardTo of "q" names "x"`)
}
