package minibus_test

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// ruled is a topic "t" whose subscriptions have these rules.
func ruled(subscriptions ...minibus.Subscription) func(*minibus.Options) {
	return func(o *minibus.Options) {
		o.Config = &minibus.Config{
			Queues: []minibus.Queue{{Name: "dedup", RequiresDuplicateDetection: true}},
			Topics: []minibus.Topic{{Name: "t", RequiresDuplicateDetection: true, Subscriptions: subscriptions}},
		}
	}
}

func with(name string, rules ...minibus.Rule) minibus.Subscription {
	return minibus.Subscription{Name: name, Rules: rules}
}

// copies receives everything that a subscription has.
func copies(t *testing.T, bus *minibus.Instance, c *azservicebus.Client, subscription string) []*azservicebus.ReceivedMessage {
	t.Helper()
	r, err := c.NewReceiverForSubscription("t", subscription, &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
	require.NoError(t, err)
	got := receive(t, r, bus.Counts("t/Subscriptions/"+subscription).Active)
	require.NoError(t, r.Close(t.Context()))
	return got
}

func publish(t *testing.T, c *azservicebus.Client, m *azservicebus.Message) {
	t.Helper()
	require.NoError(t, sender(t, c, "t").SendMessage(within(t, time.Minute), m, nil))
}

func TestSQLRulePicks(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	m := &azservicebus.Message{
		Body: []byte("b"), Subject: new("Order"), MessageID: new("m-1"), CorrelationID: new("c"), ContentType: new("text/plain"), To: new("to"),
		ReplyTo: new("back"), ReplyToSessionID: new("rs"), SessionID: new("s"), TimeToLive: new(time.Minute),
		ApplicationProperties: map[string]any{"Color": "blue", "n": int32(7), "f": 1.5, "yes": true, "null": nil, "at": at, "a b": "x"},
	}
	matches := []string{
		"color = 'blue' AND N > 6 AND user.f < 2 AND yes = TRUE", "[a b] LIKE '_'", "n IN (1, 7) AND missing IS NULL", "NOT EXISTS(missing) AND EXISTS([null])",
		"sys.Label = 'Order' AND SYS.subject LIKE 'Ord%'", "sys.MessageId = 'm-1' AND sys.CorrelationId = 'c' AND sys.ContentType = 'text/plain'",
		"sys.To = 'to' AND sys.ReplyTo = 'back' AND sys.ReplyToSessionId = 'rs' AND sys.SessionId = 's'",
		"sys.SequenceNumber = 1 AND sys.DeliveryCount = 0 AND sys.EnqueuedTimeUtc > at", "EXISTS(sys.TimeToLive) AND sys.ScheduledEnqueueTimeUtc IS NULL",
	}
	misses := []string{
		"color = 'BLUE'", "missing <> 'x'", "sys.Label = 'order'", "EXISTS(sys.ScheduledEnqueueTimeUtc)", "1 = 0", "color = 7",
		"n / 0 = 1 OR 1 = 1", "n / 0 = 1", "-color = 1", // errors
	}
	var subscriptions []minibus.Subscription
	for i, text := range append(matches, misses...) {
		subscriptions = append(subscriptions, with(string(rune('a'+i)), minibus.Rule{Name: "r", SQL: text}))
	}
	bus := runT(t, ruled(subscriptions...))
	c := connect(t, bus.ConnectionString())
	publish(t, c, m)
	for i, s := range subscriptions {
		want := 0
		if i < len(matches) {
			want = 1
		}
		require.Equal(t, want, bus.Counts("t/Subscriptions/"+s.Name).Active, s.Rules[0].SQL)
	}
	got := copies(t, bus, c, "a")[0]
	require.Equal(t, "b", string(got.Body))
	require.NotContains(t, got.ApplicationProperties, "RuleName")
}

func TestSQLRuleWithoutProperties(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, ruled(
		with("s", minibus.Rule{Name: "r", SQL: "sys.Label IS NULL AND sys.ContentType IS NULL AND sys.SessionId IS NULL AND sys.CorrelationId IS NULL AND EXISTS(sys.MessageId)", Action: "SET a = 1"}),
	))
	c := connect(t, bus.ConnectionString())
	publish(t, c, &azservicebus.Message{})
	require.Equal(t, map[string]any{"a": int64(1), "RuleName": "r"}, copies(t, bus, c, "s")[0].ApplicationProperties)
}

func TestRuleActions(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Local() // as the client gives it back
	bus := runT(t, ruled(
		with("s",
			minibus.Rule{Name: "one", SQL: "n = 7"}, minibus.Rule{Name: "two", Correlation: &minibus.CorrelationFilter{Label: "l"}}, minibus.Rule{Name: "all"},
			minibus.Rule{Name: "change", SQL: "n = 7", Action: "SET N = n + 1; SET sys.Label = 'new ' + sys.Label; SET sys.MessageId = 'other'; SET sys.CorrelationId = n; " +
				"SET sys.ContentType = 'ct'; SET sys.To = 'to'; SET sys.ReplyTo = 'rt'; SET sys.ReplyToSessionId = 'rs'; SET sys.SessionId = 's'; REMOVE GONE; SET copy = at; SET none = missing"},
			minibus.Rule{Name: "remove", Action: "REMOVE sys.Label; REMOVE n; SET rulename = 'mine'"},
			minibus.Rule{Name: "no match", SQL: "n = 8", Action: "SET n = 1"},
			minibus.Rule{Name: "error", Action: "SET n = 1; SET sys.TimeToLive = n"},
			minibus.Rule{Name: "no id", Action: "SET sys.MessageId = missing"},
			minibus.Rule{Name: "division", Action: "SET n = 1 / 0"},
			minibus.Rule{Name: "huge", Action: "SET a = 'xxxxxxxxxxxxxxxx'; " + strings.Repeat("SET a = a + a;", 31)},
		),
		with("untouched"), with("nothing", minibus.Rule{Name: "r", SQL: "n = 8", Action: "SET n = 1"}),
	))
	c := connect(t, bus.ConnectionString())
	annotated := &azservicebus.AMQPAnnotatedMessage{
		Body:       azservicebus.AMQPAnnotatedMessageBody{Data: [][]byte{[]byte("1"), []byte("2")}},
		Properties: &azservicebus.AMQPAnnotatedMessageProperties{MessageID: "m", Subject: new("l"), GroupSequence: new(uint32(5)), UserID: []byte{1}},
		Header:     &azservicebus.AMQPAnnotatedMessageHeader{TTL: time.Minute, Priority: 3},
		Footer:     map[any]any{"f": "x"}, MessageAnnotations: map[any]any{"x-opt-mine": "y"},
		ApplicationProperties: map[string]any{"n": int32(7), "gone": true, "at": at, "keep": uint8(1)},
	}
	require.NoError(t, sender(t, c, "t").SendAMQPAnnotatedMessage(t.Context(), annotated, nil))
	plain := copies(t, bus, c, "untouched")[0]
	require.Zero(t, bus.Counts("t/Subscriptions/nothing"))

	got := copies(t, bus, c, "s")
	require.Len(t, got, 3, "one for the three rules without an action, one for each with one")
	require.Equal(t, annotated.ApplicationProperties, got[0].ApplicationProperties)
	require.Equal(t, "l", *got[0].Subject)
	require.Equal(t, plain.RawAMQPMessage.Properties, got[0].RawAMQPMessage.Properties)

	changed := got[1]
	require.Equal(t, map[string]any{
		"n": int64(8), "at": at, "copy": at, "keep": uint8(1), "none": nil, "RuleName": "change",
	}, changed.ApplicationProperties)
	require.Equal(t, []string{"new l", "other", "8", "ct", "to", "rt", "rs", "s"}, []string{
		*changed.Subject, changed.MessageID, *changed.CorrelationID, *changed.ContentType, *changed.To, *changed.ReplyTo, *changed.ReplyToSessionID, *changed.SessionID,
	})
	raw := changed.RawAMQPMessage
	require.Equal(t, annotated.Body, raw.Body)
	require.Equal(t, annotated.Footer, raw.Footer)
	require.Equal(t, "y", raw.MessageAnnotations["x-opt-mine"])
	require.Equal(t, uint32(5), *raw.Properties.GroupSequence)
	require.Equal(t, []byte{1}, raw.Properties.UserID)
	require.Equal(t, uint8(3), raw.Header.Priority)

	require.Equal(t, map[string]any{"gone": true, "at": at, "keep": uint8(1), "RuleName": "remove"}, got[2].ApplicationProperties)
	require.Nil(t, got[2].Subject)
	require.Equal(t, "m", got[2].MessageID)
}

// A message id that an action gives is no duplicate of anything, here and where the copy is forwarded to.
func TestRuleActionAndDuplicates(t *testing.T) {
	t.Parallel()
	forwarding := with("s", minibus.Rule{Name: "r", Action: "SET sys.MessageId = 'same'"})
	forwarding.ForwardTo = "dedup"
	bus := minibus.RunT(t, ruled(forwarding))
	c := connect(t, bus.ConnectionString())
	for _, id := range []string{"1", "2", "2"} {
		publish(t, c, &azservicebus.Message{MessageID: &id})
	}
	got := receive(t, receiver(t, c, "dedup", nil), 2)
	require.Equal(t, []string{"same", "same"}, []string{got[0].MessageID, got[1].MessageID})
	require.Equal(t, 2, bus.Counts("dedup").Active)
}

// The session of a copy is the one that the action gives it; a copy without one is dead-lettered, as a message would be.
func TestRuleActionAndSessions(t *testing.T) {
	t.Parallel()
	s := with("s", minibus.Rule{Name: "in", Action: "SET sys.SessionId = tenant"}, minibus.Rule{Name: "out", Action: "REMOVE sys.SessionId"},
		minibus.Rule{Name: "long", Action: "SET sys.SessionId = long"})
	s.RequiresSession = true
	bus := minibus.RunT(t, ruled(s))
	c := connect(t, bus.ConnectionString())
	publish(t, c, &azservicebus.Message{SessionID: new("a"), ApplicationProperties: map[string]any{"tenant": "b", "long": strings.Repeat("x", 129)}})
	owner, err := c.AcceptSessionForSubscription(within(t, time.Minute), "t", "s", "b", nil)
	require.NoError(t, err)
	require.Equal(t, "in", receive(t, owner, 1)[0].ApplicationProperties["RuleName"])
	dead := bus.Peek("t/Subscriptions/s/$DeadLetterQueue")
	require.Len(t, dead, 1)
	require.Equal(t, "out", dead[0].Properties["RuleName"])
}

func TestRulesAfterCrash(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	durable := func(fs vfs.FS) func(*minibus.Options) {
		rules := ruled(with("s", minibus.Rule{Name: "plain", SQL: "n < 3"}, minibus.Rule{Name: "r", SQL: "n < 3", Action: "SET sys.SessionId = 'x'; SET sys.MessageId = 'changed'; SET n = n + 1"}))
		return func(o *minibus.Options) {
			rules(o)
			o.Dir, o.FS = "bus", fs
		}
	}
	first := minibus.RunT(t, durable(fs))
	publish(t, connect(t, first.ConnectionString()), &azservicebus.Message{MessageID: new("1"), ApplicationProperties: map[string]any{"n": 1}})
	before, err := administer(t, first, first.ConnectionString()).GetSubscriptionRuntimeProperties(t.Context(), "t", "s", nil)
	require.NoError(t, err)

	second := minibus.RunT(t, durable(crash(fs)))
	require.Equal(t, first.Peek("t/Subscriptions/s"), second.Peek("t/Subscriptions/s"))
	after, err := administer(t, second, second.ConnectionString()).GetSubscriptionRuntimeProperties(t.Context(), "t", "s", nil)
	require.NoError(t, err)
	require.Equal(t, before.UpdatedAt, after.UpdatedAt, "the same rules are no change")
	c := connect(t, second.ConnectionString())
	publish(t, c, &azservicebus.Message{MessageID: new("2"), ApplicationProperties: map[string]any{"n": 2}})
	publish(t, c, &azservicebus.Message{MessageID: new("1"), ApplicationProperties: map[string]any{"n": 1}}) // a duplicate
	var ids []string
	for _, m := range copies(t, second, c, "s") {
		ids = append(ids, m.MessageID)
	}
	require.Equal(t, []string{"1", "changed", "2", "changed"}, ids)
}

// debugLines are what a broker logs. They can be read while it does.
type debugLines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (d *debugLines) Write(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.Write(b)
}

func (d *debugLines) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.text.String()
}

func TestRuleErrorIsLogged(t *testing.T) {
	t.Parallel()
	var log debugLines
	rules := ruled(with("s", minibus.Rule{Name: "bad", SQL: "1 / 0 = 1"}, minibus.Rule{Name: "good", SQL: "1 = 1"}))
	bus := minibus.RunT(t, rules, func(o *minibus.Options) {
		o.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	publish(t, connect(t, bus.ConnectionString()), &azservicebus.Message{})
	require.Equal(t, 1, bus.Counts("t/Subscriptions/s").Active, "the other rule matches")
	require.Contains(t, log.String(), `"rule":"bad"`)
	require.Contains(t, log.String(), `division by zero`)
}
