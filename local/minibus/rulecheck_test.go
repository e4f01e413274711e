package minibus_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// A rule that can never work is refused when it is made, wherever it comes from.
func TestRulesThatNeverWork(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, ruled(with("s")))
	c := administer(t, bus, bus.ConnectionString())
	for rule, want := range map[[2]string]string{
		{"sys.Nope = 1", ""}:                                   "there is no system property Nope",
		{"1 = 1 OR EXISTS(sys.Nope)", ""}:                      "position 21: there is no system property Nope",
		{"_a = 1", ""}:                                         "a name begins with a letter",
		{"1 = 1", "SET sys.Nope = 1"}:                          "there is no system property Nope",
		{"1 = 1", "SET a = sys.Nope"}:                          "there is no system property Nope",
		{"1 = 1", "SET _a = 1"}:                                "a name begins with a letter",
		{"1 = 1", "SET sys.SequenceNumber = 1"}:                "sys.SequenceNumber cannot be set",
		{"1 = 1", "SET sys.Size = 1"}:                          "sys.Size cannot be set",
		{"1 = 1", "REMOVE sys.DeliveryCount"}:                  "sys.DeliveryCount cannot be set",
		{"1 = 1", "REMOVE sys.MessageId"}:                      "a message has an id",
		{"1 = 1", "SET sys.TimeToLive = 'soon'"}:               "is no duration",
		{"1 = 1", "SET sys.TimeToLive = 5"}:                    "is no duration",
		{"1 = 1", "SET sys.ScheduledEnqueueTimeUtc = 'later'"}: "is no time",
		{"1 = 1", "SET sys.ForcePersistence = 'yes'"}:          "is neither true nor false",
		{"1 = 1", "SET sys.Label = TRUE"}:                      "is no text",
	} {
		var action admin.RuleAction
		if rule[1] != "" {
			action = &admin.SQLAction{Expression: rule[1]}
		}
		_, err := c.CreateRule(t.Context(), "t", "s", &admin.CreateRuleOptions{Name: new("r"), Filter: &admin.SQLFilter{Expression: rule[0]}, Action: action})
		requireStatus(t, err, 400, want)
		_, err = minibus.Open(minibus.Options{Config: &minibus.Config{Topics: []minibus.Topic{{Name: "t", Subscriptions: []minibus.Subscription{with("s", minibus.Rule{Name: "r", SQL: rule[0], Action: rule[1]})}}}}})
		require.ErrorIs(t, err, minibus.ErrConfig)
		require.ErrorContains(t, err, want)
	}
	_, err := c.CreateRule(t.Context(), "t", "s", &admin.CreateRuleOptions{Name: new("r"), Filter: &admin.SQLFilter{Expression: "[_a] = 1 OR [sys.x] = 2"}})
	require.NoError(t, err)
	_, err = c.UpdateRule(t.Context(), "t", "s", admin.RuleProperties{Name: "r", Filter: &admin.SQLFilter{Expression: "sys.Nope = 1"}})
	requireStatus(t, err, 400, "there is no system property Nope")
}

// Every system property can be asked for.
func TestSystemPropertiesInFilters(t *testing.T) {
	t.Parallel()
	m := &azservicebus.Message{PartitionKey: new("p"), TimeToLive: new(time.Minute), SessionID: nil}
	conditions := []string{
		"sys.PartitionKey = 'p'", "sys.ViaPartitionKey IS NULL", "sys.Size > 0 AND sys.Size < 1000", "sys.State = 0", "sys.ExpiresAtUtc > sys.EnqueuedTimeUtc", "sys.LockedUntilUtc IS NULL",
		"sys.EnqueuedSequenceNumber = sys.SequenceNumber", "sys.DeadLetterSource IS NULL", "sys.ForcePersistence = FALSE", "sys.TimeToLive = sys.TimeToLive", "sys.Size IS NULL OR sys.Size IS NOT NULL",
	}
	var subscriptions []minibus.Subscription
	for i, text := range conditions {
		subscriptions = append(subscriptions, with(string(rune('a'+i)), minibus.Rule{Name: "r", SQL: text}))
	}
	bus := minibus.RunT(t, ruled(subscriptions...))
	publish(t, connect(t, bus.ConnectionString()), m)
	for i, s := range subscriptions {
		require.Equal(t, 1, bus.Counts("t/Subscriptions/"+s.Name).Active, conditions[i])
	}
}

// Every system property that a sender may write can be set.
func TestSystemPropertiesInActions(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, ruled(with("s",
		minibus.Rule{Name: "0", Action: "SET sys.PartitionKey = 'p'; SET sys.ViaPartitionKey = n; SET sys.ForcePersistence = TRUE; SET id = newid(); SET sys.CorrelationId = newid(); SET life = sys.TimeToLive; SET k = 'order-' + n"},
		minibus.Rule{Name: "1", Action: "SET sys.TimeToLive = '00:10:00'; SET sys.ScheduledEnqueueTimeUtc = '2020-01-01'"},
		minibus.Rule{Name: "2", Action: "SET sys.ScheduledEnqueueTimeUtc = [when]; REMOVE sys.TimeToLive; REMOVE sys.PartitionKey"},
	)))
	c := connect(t, bus.ConnectionString())
	made, end := time.Now(), time.Now().Add(time.Hour)
	require.NoError(t, sender(t, c, "t").SendAMQPAnnotatedMessage(t.Context(), &azservicebus.AMQPAnnotatedMessage{
		Header: &azservicebus.AMQPAnnotatedMessageHeader{TTL: time.Hour}, Properties: &azservicebus.AMQPAnnotatedMessageProperties{MessageID: "m", CreationTime: &made, AbsoluteExpiryTime: &end},
		MessageAnnotations: map[any]any{"x-opt-partition-key": "old"}, ApplicationProperties: map[string]any{"n": 7, "when": time.Now().Add(30 * time.Minute)},
		Body: azservicebus.AMQPAnnotatedMessageBody{Value: "x"},
	}, nil))
	require.Equal(t, minibus.Counts{Active: 2, Scheduled: 1}, bus.Counts("t/Subscriptions/s"))
	got := copies(t, bus, c, "s")
	require.Equal(t, "p", *got[0].PartitionKey)
	require.Equal(t, "7", got[0].RawAMQPMessage.MessageAnnotations["x-opt-via-partition-key"])
	require.True(t, got[0].RawAMQPMessage.Header.Durable)
	require.Equal(t, "order-7", got[0].ApplicationProperties["k"])
	require.Len(t, *got[0].CorrelationID, 36)
	require.Equal(t, 10*time.Minute, *got[1].TimeToLive)
	require.Equal(t, "old", *got[1].PartitionKey)
	require.Nil(t, got[1].RawAMQPMessage.Properties.AbsoluteExpiryTime)

	require.NoError(t, bus.Advance(31*time.Minute))
	late := copies(t, bus, c, "s")
	require.Len(t, late, 1)
	require.Nil(t, late[0].PartitionKey)
	require.Zero(t, *late[0].TimeToLive)
}

// A rule that sets a life ends its copy with it.
func TestActionSetsLife(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, ruled(with("s", minibus.Rule{Name: "r", Action: "SET sys.TimeToLive = '00:10:00'"})))
	publish(t, connect(t, bus.ConnectionString()), &azservicebus.Message{})
	require.NoError(t, bus.Advance(9*time.Minute))
	require.Equal(t, 1, bus.Counts("t/Subscriptions/s").Active)
	require.NoError(t, bus.Advance(2*time.Minute))
	require.Equal(t, 0, bus.Counts("t/Subscriptions/s").Active)
}

// Times without a zone and durations are told as they came, also after a restart.
func TestTimesAndDurationsOfRules(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	durable := func(fs vfs.FS) func(*minibus.Options) {
		rules := ruled(with("s"))
		return func(o *minibus.Options) {
			rules(o)
			o.Dir, o.FS = "bus", fs
		}
	}
	first := minibus.RunT(t, durable(fs))
	entry := func(pairs string) string {
		return `<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml"><RuleDescription xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect" xmlns:i="http://www.w3.org/2001/XMLSchema-instance">` +
			`<Filter i:type="CorrelationFilter"><Properties>` + pairs + `</Properties></Filter></RuleDescription></content></entry>`
	}
	pair := func(name, kind, text string) string {
		return `<KeyValueOfstringanyType><Key>` + name + `</Key><Value xmlns:d6p1="http://www.w3.org/2001/XMLSchema" i:type="d6p1:` + kind + `">` + text + `</Value></KeyValueOfstringanyType>`
	}
	pairs := pair("at", "dateTime", "2020-07-05T11:12:13") + pair("span", "duration", "P1DT2H3M") + pair("zoned", "dateTime", "2020-07-05T11:12:13Z")
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+first.AdminAddr+"/t/Subscriptions/s/Rules/r", strings.NewReader(entry(pairs)))
	require.NoError(t, err)
	r.Header.Set("Authorization", sas("http://"+first.AdminAddr+"/", time.Now().Add(time.Minute)))
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusCreated, answer.StatusCode)

	bus := minibus.RunT(t, durable(crash(fs)))
	r, err = http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+bus.AdminAddr+"/t/Subscriptions/s/Rules/r", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", sas("http://"+bus.AdminAddr+"/", time.Now().Add(time.Minute)))
	answer, err = http.DefaultClient.Do(r)
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	for _, text := range []string{`"d6p1:dateTime">2020-07-05T11:12:13<`, `"d6p1:dateTime">2020-07-05T11:12:13Z<`, `"d6p1:duration">P1DT2H3M<`} {
		require.Contains(t, string(body), text)
	}
}
