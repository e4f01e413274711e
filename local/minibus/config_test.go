package minibus_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
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
	rules := func(list string) string {
		return inNamespace(`"Topics":[{"Name":"t","Subscriptions":[{"Name":"s","Rules":[` + list + `]}]}]`)
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
		"sql": {rules(sqlRule("level >> 3", "")),
			"Topics[0].Subscriptions[0].Rules[0].Properties.SqlFilter.SqlExpression: is no SQL that Service Bus knows: position 8: "},
		"sql empty":   {rules(sqlRule(" ", "")), "SqlFilter.SqlExpression: is empty: write a condition"},
		"sql none":    {rules(`{"Name":"r","Properties":{"FilterType":"Sql","SqlFilter":{}}}`), "SqlFilter.SqlExpression: is missing"},
		"sql number":  {rules(`{"Name":"r","Properties":{"FilterType":"Sql","SqlFilter":{"SqlExpression":1}}}`), "SqlFilter.SqlExpression: must be a string"},
		"sql missing": {rules(`{"Name":"r","Properties":{"FilterType":"Sql"}}`), "Rules[0].Properties.SqlFilter: is missing"},
		"sql long":    {rules(sqlRule(strings.Repeat(" ", 1024)+"1=1", "")), "longer than 1024 characters"},
		"sql beside correlation": {rules(`{"Name":"r","Properties":{"FilterType":"Correlation","SqlFilter":{"SqlExpression":"1=1"}}}`),
			"Properties.SqlFilter: stands in a rule whose FilterType is Correlation"},
		"correlation beside sql": {rules(`{"Name":"r","Properties":{"FilterType":"Sql","CorrelationFilter":{},"SqlFilter":{"SqlExpression":"1=1"}}}`),
			"Properties.CorrelationFilter: stands in a rule whose FilterType is Sql"},
		"action":       {rules(sqlRule("1=1", "SET a")), "Properties.Action.SqlExpression: is no SQL that Service Bus knows: position 6: expected ="},
		"action empty": {rules(`{"Name":"r","Properties":{"FilterType":"Correlation","Action":{"SqlExpression":""}}}`), "Action.SqlExpression: is empty: write SET"},
		"sql too many": {rules(strings.Repeat(sqlRule("1=1", "")+",", 20) + sqlRule("1=1", "")), "Topics[0].Subscriptions: have 21 SQL filters, allowed are 20 in a topic"},
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

// sqlRule is a rule of a Config.json. Without an action it has no key for one.
func sqlRule(condition, action string) string {
	if action != "" {
		action = `,"Action":{"SqlExpression":"` + action + `"}`
	}
	return `{"Name":"r","Properties":{"FilterType":"Sql","SqlFilter":{"SqlExpression":"` + condition + `"}` + action + `}}`
}

func TestLoadConfigSQL(t *testing.T) {
	t.Parallel()
	list := strings.Repeat(sqlRule("1=1", "")+",", 19) + sqlRule("sys.Label = 'a' AND n > 1", "SET sys.To = 'Entity'")
	c, err := minibus.LoadConfig(strings.NewReader(`{"UserConfig":{"Namespaces":[{"Name":"sbemulatorns","Topics":[{"Name":"t","Subscriptions":[{"Name":"s","Rules":[` +
		list + `]}]}]}],"Logging":{"Type":"File"}}}`))
	require.NoError(t, err)
	got := c.Topics[0].Subscriptions[0].Rules
	require.Len(t, got, 20)
	require.Equal(t, minibus.Rule{Name: "r", SQL: "1=1"}, got[0])
	require.Equal(t, minibus.Rule{Name: "r", SQL: "sys.Label = 'a' AND n > 1", Action: "SET sys.To = 'Entity'"}, got[19])
	bus := minibus.RunT(t, func(o *minibus.Options) { o.Config = c })
	require.NoError(t, sender(t, connect(t, bus.ConnectionString()), "t").SendMessage(t.Context(), &azservicebus.Message{
		Subject: new("a"), ApplicationProperties: map[string]any{"n": 2},
	}, nil))
	require.Equal(t, 2, bus.Counts("t/Subscriptions/s").Active, "one for 19 rules without an action, one for the rule with one")
}

func TestOpenRefusesBadRules(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]minibus.Rule{
		`rule "t/Subscriptions/s/Rules/r": SQL: position 4: expected a value before the end`: {Name: "r", SQL: "a ="},
		`rule "t/Subscriptions/s/Rules/r": SQL: position 2: expected a value`:                {Name: "r", SQL: " "},
		`rule "t/Subscriptions/s/Rules/r": Action: position 1: expected SET or REMOVE`:       {Name: "r", Action: "DROP a"},
		`rule "t/Subscriptions/s/Rules/r": it has a correlation filter and SQL`:              {Name: "r", SQL: "1=1", Correlation: &minibus.CorrelationFilter{}},
	} {
		_, err := minibus.Open(minibus.Options{Config: &minibus.Config{Topics: []minibus.Topic{{
			Name: "t", Subscriptions: []minibus.Subscription{{Name: "s", Rules: []minibus.Rule{r}}},
		}}}})
		require.ErrorIs(t, err, minibus.ErrConfig)
		require.ErrorContains(t, err, want)
	}
}
