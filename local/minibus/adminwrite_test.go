package minibus_test

import (
	"bytes"
	"log/slog"
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

// Queues, topics, subscriptions and rules come and go with the unmodified client, and work at once.
func TestAdminCreatesAndDeletes(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t)
	a, c := administer(t, bus, bus.ConnectionString()), connect(t, bus.ConnectionString())

	queue, err := a.CreateQueue(t.Context(), "orders", nil)
	require.NoError(t, err)
	require.EqualValues(t, 10, *queue.MaxDeliveryCount, "the service's default, not the emulator's")
	require.Equal(t, "PT1M", *queue.LockDuration)
	require.Equal(t, forever, *queue.DefaultMessageTimeToLive)
	require.Equal(t, "PT10M", *queue.DuplicateDetectionHistoryTimeWindow)
	require.Equal(t, admin.EntityStatusActive, *queue.Status)
	_, err = a.CreateQueue(t.Context(), "Orders", nil)
	requireStatus(t, err, http.StatusConflict, "already exists")
	send(t, sender(t, c, "orders"), "x")
	require.Equal(t, "x", string(receive(t, receiver(t, c, "orders", nil), 1)[0].Body))

	_, err = a.CreateTopic(t.Context(), "news/all", &admin.CreateTopicOptions{Properties: &admin.TopicProperties{
		RequiresDuplicateDetection: new(true), DuplicateDetectionHistoryTimeWindow: new("PT20S"), UserMetadata: new("<mine> & yours"),
	}})
	require.NoError(t, err)
	topic, err := a.GetTopic(t.Context(), "news/all", nil)
	require.NoError(t, err)
	require.Equal(t, "<mine> & yours", *topic.UserMetadata)
	require.True(t, *topic.RequiresDuplicateDetection)
	_, err = a.CreateSubscription(t.Context(), "news/all", "sport", &admin.CreateSubscriptionOptions{Properties: &admin.SubscriptionProperties{
		RequiresSession: new(true), LockDuration: new("PT5S"), MaxDeliveryCount: new(int32(2000)), ForwardDeadLetteredMessagesTo: new("orders"),
		DefaultRule: &admin.RuleProperties{Name: "goals", Filter: &admin.SQLFilter{Expression: "n > @least", Parameters: map[string]any{"@least": 2}}},
	}})
	require.NoError(t, err)
	for n := range 5 {
		require.NoError(t, sender(t, c, "news/all").SendMessage(t.Context(), &azservicebus.Message{
			SessionID: new("s"), ApplicationProperties: map[string]any{"n": int64(n)},
		}, nil))
	}
	require.Len(t, bus.Peek("news/all/Subscriptions/sport"), 2, "3 and 4")
	properties, err := a.GetTopicRuntimeProperties(t.Context(), "news/all", nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, properties.SubscriptionCount)

	_, err = a.DeleteSubscription(t.Context(), "news/all", "sport", nil)
	require.NoError(t, err)
	gone, err := a.GetSubscription(t.Context(), "news/all", "sport", nil)
	require.NoError(t, err)
	require.Nil(t, gone)
	require.Nil(t, bus.Peek("news/all/Subscriptions/sport"))
	for _, name := range []string{"orders", "news/all"} {
		if name == "orders" {
			_, err = a.DeleteQueue(t.Context(), name, nil)
		} else {
			_, err = a.DeleteTopic(t.Context(), name, nil)
		}
		require.NoError(t, err)
		require.Nil(t, bus.Peek(name))
	}
	_, err = a.DeleteQueue(t.Context(), "orders", nil)
	requireStatus(t, err, http.StatusNotFound, "could not be found")
	_, err = a.CreateQueue(t.Context(), "orders", nil)
	require.NoError(t, err)
	require.Empty(t, bus.Peek("orders"), "the new one has nothing of the old one")
}

func TestAdminChangesRules(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	a, c := administer(t, bus, bus.ConnectionString()), connect(t, bus.ConnectionString())
	at := time.Date(2026, 11, 24, 1, 2, 3, 0, time.UTC)
	filters := map[string]admin.RuleFilter{
		"true": &admin.TrueFilter{}, "false": &admin.FalseFilter{},
		"sql": &admin.SQLFilter{Expression: "n = @n", Parameters: map[string]any{"@n": 1.5}},
		"correlation": &admin.CorrelationFilter{Subject: new("a"), SessionID: new("s"), ApplicationProperties: map[string]any{
			"i": int64(7), "f": 2.5, "b": true, "t": at, "s": "x",
		}},
	}
	for name, filter := range filters {
		_, err := a.CreateRule(t.Context(), "events", "all", &admin.CreateRuleOptions{Name: new(name), Filter: filter})
		require.NoError(t, err, name)
		_, err = a.CreateRule(t.Context(), "events", "all", &admin.CreateRuleOptions{Name: new(name), Filter: filter})
		requireStatus(t, err, http.StatusConflict, "already exists")
		got, err := a.GetRule(t.Context(), "events", "all", name, nil)
		require.NoError(t, err)
		require.EqualValues(t, filter, got.Filter)
	}
	_, err := a.CreateRule(t.Context(), "events", "all", &admin.CreateRuleOptions{
		Name: new("act"), Filter: &admin.TrueFilter{}, Action: &admin.SQLAction{Expression: "SET who = @who", Parameters: map[string]any{"@who": "me"}},
	})
	require.NoError(t, err)
	for _, name := range []string{"$Default", "true"} {
		_, err := a.DeleteRule(t.Context(), "events", "all", name, nil)
		require.NoError(t, err)
	}
	_, err = a.DeleteRule(t.Context(), "events", "all", "true", nil)
	requireStatus(t, err, http.StatusNotFound, "Rules/true")
	_, err = a.UpdateRule(t.Context(), "events", "all", admin.RuleProperties{Name: "sql", Filter: &admin.SQLFilter{Expression: "n = 5"}})
	require.NoError(t, err)
	_, err = a.UpdateRule(t.Context(), "events", "all", admin.RuleProperties{Name: "none", Filter: &admin.TrueFilter{}})
	requireStatus(t, err, http.StatusNotFound, "Rules/none")

	send := func(id string, m *azservicebus.Message) []minibus.Message {
		t.Helper()
		before := len(bus.Peek("events/Subscriptions/all"))
		m.MessageID = &id
		require.NoError(t, sender(t, c, "events").SendMessage(t.Context(), m, nil))
		return bus.Peek("events/Subscriptions/all")[before:]
	}
	first := send("1", &azservicebus.Message{ApplicationProperties: map[string]any{"n": 5}})
	require.Len(t, first, 2, "one of sql, one of act")
	require.ElementsMatch(t, []any{nil, "act"}, []any{first[0].Properties["RuleName"], first[1].Properties["RuleName"]})
	_, err = a.DeleteRule(t.Context(), "events", "all", "act", nil)
	require.NoError(t, err)
	require.Len(t, send("2", &azservicebus.Message{Subject: new("a"), SessionID: new("s"), ApplicationProperties: map[string]any{
		"i": int32(7), "f": 2.5, "b": true, "t": at, "s": "x",
	}}), 1, "correlation")
	require.Empty(t, send("3", &azservicebus.Message{}))
}

// What an update changes holds at once; clients are detached and attach again by themselves.
func TestAdminUpdates(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	a, c := administer(t, bus, bus.ConnectionString()), connect(t, bus.ConnectionString())
	s, r := sender(t, c, "plain"), receiver(t, c, "plain", nil)
	send(t, s, "1")
	require.NoError(t, r.CompleteMessage(t.Context(), receive(t, r, 1)[0], nil))
	links := bus.Links()
	queue, err := a.GetQueue(t.Context(), "plain", nil)
	require.NoError(t, err)
	queue.MaxDeliveryCount, queue.LockDuration, queue.UserMetadata = new(int32(7)), new("PT2M"), new("changed")
	updated, err := a.UpdateQueue(t.Context(), "plain", queue.QueueProperties, nil)
	require.NoError(t, err)
	require.EqualValues(t, 7, *updated.MaxDeliveryCount)
	require.Eventually(t, func() bool { return bus.Links() < links }, time.Minute, time.Millisecond, "links are detached")
	send(t, s, "2")
	m := receive(t, r, 1)[0]
	require.Greater(t, time.Until(*m.LockedUntil), 90*time.Second)
	require.NoError(t, r.CompleteMessage(t.Context(), m, nil))

	_, err = a.UpdateQueue(t.Context(), "none", queue.QueueProperties, nil)
	requireStatus(t, err, http.StatusNotFound, "could not be found")
	queue.RequiresSession = new(true)
	_, err = a.UpdateQueue(t.Context(), "plain", queue.QueueProperties, nil)
	requireStatus(t, err, http.StatusBadRequest, "RequiresSession: the value of RequiresSession cannot be changed")
}

func TestDisabledEntities(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	a := administer(t, bus, bus.ConnectionString())
	set := func(status admin.EntityStatus) {
		_, err := a.UpdateQueue(t.Context(), "plain", admin.QueueProperties{Status: &status}, nil)
		require.NoError(t, err)
	}
	set(admin.EntityStatusSendDisabled)
	err := sender(t, once(t, bus), "plain").SendMessage(t.Context(), message("x"), nil)
	require.ErrorContains(t, err, "com.microsoft:entity-disabled")
	send(t, sender(t, connect(t, bus.ConnectionString()), "forwarding"), "y")
	require.Len(t, bus.Peek("forwarding/$Transfer/$DeadLetterQueue"), 1, "what is forwarded waits, too")
	set(admin.EntityStatusReceiveDisabled)
	send(t, sender(t, once(t, bus), "plain"), "z")
	_, err = receiver(t, once(t, bus), "plain", nil).ReceiveMessages(within(t, time.Minute), 1, nil)
	require.ErrorContains(t, err, "com.microsoft:entity-disabled")
	set(admin.EntityStatusActive)
	require.Equal(t, "z", string(receive(t, receiver(t, once(t, bus), "plain", nil), 1)[0].Body))
}

// Each refusal names the element and the remedy, and nothing has changed.
func TestAdminRefusals(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	a := administer(t, bus, bus.ConnectionString())
	before := bus.Snapshot()
	for want, p := range map[string]admin.QueueProperties{
		"LockDuration: 'PT4S' must be an ISO 8601 duration from PT5S to PT5M":                  {LockDuration: new("PT4S")},
		"LockDuration: '30' must be":                                                           {LockDuration: new("30")},
		"MaxDeliveryCount: '0' must be a whole number from 1 to 2000":                          {MaxDeliveryCount: new(int32(0))},
		"DefaultMessageTimeToLive: 'PT0.5S' must be an ISO 8601 duration of PT1S or more":      {DefaultMessageTimeToLive: new("PT0.5S")},
		"DuplicateDetectionHistoryTimeWindow: 'P8D' must be":                                   {DuplicateDetectionHistoryTimeWindow: new("P8D")},
		"AutoDeleteOnIdle: 'PT1M' must be":                                                     {AutoDeleteOnIdle: new("PT1M")},
		"Status: 'Asleep' must be Active":                                                      {Status: new(admin.EntityStatus("Asleep"))},
		"UserMetadata: it has 1025 characters":                                                 {UserMetadata: new(strings.Repeat("x", 1025))},
		"MaxMessageSizeInKilobytes: '1024' must be a whole number from 1 to 256":               {MaxMessageSizeInKilobytes: new(int64(1024))},
		`ForwardTo of "new" names "nowhere", which is no queue or topic`:                       {ForwardTo: new("nowhere")},
		`ForwardDeadLetteredMessagesTo of "new" names "events/Subscriptions/all", which is no`: {ForwardDeadLetteredMessagesTo: new("events/Subscriptions/all")},
		"AuthorizationRules: 'k' has no Rights":                                                {AuthorizationRules: []admin.AuthorizationRule{rights("k")}},
		"AuthorizationRules: 'k' has Manage, which takes Send and Listen with it":              {AuthorizationRules: []admin.AuthorizationRule{rights("k", admin.AccessRightManage)}},
		"AuthorizationRules: 'Peek' of 'k' must be Send, Listen or Manage":                     {AuthorizationRules: []admin.AuthorizationRule{rights("k", "Peek")}},
		"AuthorizationRules: there are two keys 'k'":                                           {AuthorizationRules: []admin.AuthorizationRule{rights("k", admin.AccessRightSend), rights("k", admin.AccessRightListen)}},
		"AuthorizationRules: there are 13; 12 are allowed":                                     {AuthorizationRules: make([]admin.AuthorizationRule, 13)},
		"AuthorizationRules: a KeyName must stand":                                             {AuthorizationRules: make([]admin.AuthorizationRule, 1)},
	} {
		_, err := a.CreateQueue(t.Context(), "new", &admin.CreateQueueOptions{Properties: &p})
		requireStatus(t, err, http.StatusBadRequest, want)
	}
	for _, name := range []string{"-x", "x-", "a b", "ä", strings.Repeat("x", 261)} {
		_, err := a.CreateQueue(t.Context(), name, nil)
		requireStatus(t, err, http.StatusBadRequest, "is no queue's or topic's")
	}
	_, err := a.CreateSubscription(t.Context(), "events", strings.Repeat("x", 51), nil)
	requireStatus(t, err, http.StatusBadRequest, "is no subscription's")
	_, err = a.CreateSubscription(t.Context(), "plain", "s", nil)
	requireStatus(t, err, http.StatusNotFound, "could not be found")
	for want, filter := range map[string]admin.RuleFilter{
		"Filter: SqlExpression: position": &admin.SQLFilter{Expression: "n >"},
		"Filter: the type 'Wild'":         &admin.UnknownRuleFilter{Type: "Wild", RawXML: []byte(`<Filter xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="Wild"></Filter>`)},
	} {
		_, err := a.CreateRule(t.Context(), "events", "all", &admin.CreateRuleOptions{Name: new("r"), Filter: filter})
		requireStatus(t, err, http.StatusBadRequest, want)
	}
	for _, body := range []string{"", "<entry>", "<entry/>", strings.Repeat("<a>", 40) + strings.Repeat("</a>", 40), "<entry><content><QueueDescription><Colour>red</Colour></QueueDescription></content></entry>"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+bus.AdminAddr+"/new", strings.NewReader(body))
		require.NoError(t, err)
		r.Header.Set("Authorization", sas("http://"+bus.AdminAddr, time.Now().Add(time.Minute)))
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.Equal(t, http.StatusBadRequest, answer.StatusCode, body)
		require.NoError(t, answer.Body.Close())
	}
	require.Equal(t, before, bus.Snapshot())
}

// Deleting what others use: clients are told, and what was forwarded there waits in the transfer dead-letter queue.
func TestAdminDeleteInUse(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	a, c := administer(t, bus, bus.ConnectionString()), connect(t, bus.ConnectionString())
	r, s := receiver(t, c, "plain", nil), sender(t, c, "plain")
	send(t, s, "locked", "waiting")
	held := receive(t, r, 1)[0]
	parked := make(chan error, 1)
	go func() {
		_, err := c.AcceptNextSessionForQueue(within(t, time.Minute), "sessions", nil)
		parked <- err
	}()
	require.Eventually(t, func() bool { return bus.Links() > 6 }, time.Minute, time.Millisecond)
	for _, queue := range []string{"plain", "sessions"} {
		_, err := a.DeleteQueue(t.Context(), queue, nil)
		require.NoError(t, err)
	}
	require.Error(t, <-parked)
	require.Error(t, r.CompleteMessage(within(t, time.Minute), held, nil))
	require.Error(t, s.SendMessage(within(t, time.Minute), message("late"), nil))
	send(t, sender(t, c, "forwarding"), "homeless")
	dead := bus.Peek("forwarding/$Transfer/$DeadLetterQueue")
	require.Len(t, dead, 1)
	require.Contains(t, dead[0].Properties["DeadLetterErrorDescription"], "'plain' could not be found")
	_, err := a.CreateQueue(t.Context(), "plain", nil)
	require.NoError(t, err)
	send(t, sender(t, c, "forwarding"), "home")
	require.Equal(t, []string{"home"}, stored(bus, "plain"))
}

// What clients have changed survives a crash, as long as the configuration says what it said.
func TestAdminChangesSurvive(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	run := func(fs vfs.FS, change ...func(*minibus.Options)) (*minibus.Instance, *admin.Client) {
		bus := minibus.RunT(t, append([]func(*minibus.Options){topology, func(o *minibus.Options) { o.Dir, o.FS = "bus", fs }}, change...)...)
		return bus, administer(t, bus, bus.ConnectionString())
	}
	bus, a := run(fs)
	_, err := a.CreateTopic(t.Context(), "made", nil)
	require.NoError(t, err)
	_, err = a.CreateSubscription(t.Context(), "made", "sub", &admin.CreateSubscriptionOptions{Properties: &admin.SubscriptionProperties{ForwardTo: new("plain")}})
	require.NoError(t, err)
	_, err = a.CreateRule(t.Context(), "made", "sub", &admin.CreateRuleOptions{Name: new("r"), Filter: &admin.SQLFilter{Expression: "a = @b", Parameters: map[string]any{"@b": "c"}}})
	require.NoError(t, err)
	_, err = a.UpdateQueue(t.Context(), "plain", admin.QueueProperties{MaxDeliveryCount: new(int32(9)), LockDuration: new("PT30S")}, nil)
	require.NoError(t, err)
	_, err = a.UpdateQueue(t.Context(), "short", admin.QueueProperties{UserMetadata: new("short")}, nil) // its lock is shorter than may be asked for
	require.NoError(t, err)
	_, err = a.CreateQueue(t.Context(), "idle", &admin.CreateQueueOptions{Properties: &admin.QueueProperties{AutoDeleteOnIdle: new("PT5M")}})
	require.NoError(t, err)
	_, err = a.DeleteQueue(t.Context(), "other", nil)
	require.NoError(t, err)
	_, err = a.DeleteRule(t.Context(), "events", "all", "$Default", nil)
	require.NoError(t, err)
	send(t, sender(t, connect(t, bus.ConnectionString()), "made"), "kept")
	made, err := a.GetSubscription(t.Context(), "made", "sub", nil)
	require.NoError(t, err)

	fs = crash(fs)
	bus, a = run(fs)
	require.Equal(t, []string{"kept"}, stored(bus, "plain"))
	again, err := a.GetSubscription(t.Context(), "made", "sub", nil)
	require.NoError(t, err)
	again.ForwardTo, made.ForwardTo = nil, nil // has the port
	require.Equal(t, made, again)
	rule, err := a.GetRule(t.Context(), "made", "sub", "r", nil)
	require.NoError(t, err)
	require.Equal(t, &admin.SQLFilter{Expression: "a = @b", Parameters: map[string]any{"@b": "c"}}, rule.Filter)
	queue, err := a.GetQueue(t.Context(), "plain", nil)
	require.NoError(t, err)
	require.EqualValues(t, 9, *queue.MaxDeliveryCount)
	require.Nil(t, bus.Peek("other"))
	queue, err = a.GetQueue(t.Context(), "short", nil)
	require.NoError(t, err)
	require.Equal(t, "short", *queue.UserMetadata)
	require.Equal(t, "PT0.4S", *queue.LockDuration)
	_, err = a.UpdateQueue(t.Context(), "short", queue.QueueProperties, nil)
	require.NoError(t, err, "what it has is no change")
	require.NotNil(t, bus.Peek("idle"))
	require.NoError(t, bus.Advance(6*time.Minute))
	require.Nil(t, bus.Peek("idle"))
	require.NotNil(t, bus.Peek("plain"))
	rules, _ := all(t, a.NewListRulesPager("events", "all", nil), func(p admin.ListRulesResponse) []admin.RuleProperties { return p.Rules })
	require.Empty(t, rules)

	// Somebody edits the configuration: what it says of these now holds. The rest stays as it was changed.
	bus, a = run(crash(fs), func(o *minibus.Options) {
		o.Config.Queues[0].MaxDeliveryCount, o.Config.Queues[1].MaxDeliveryCount = 4, 5
	})
	queue, err = a.GetQueue(t.Context(), "plain", nil)
	require.NoError(t, err)
	require.EqualValues(t, 4, *queue.MaxDeliveryCount)
	require.Equal(t, "PT1M", *queue.LockDuration)
	require.NotNil(t, bus.Peek("other"))
	require.NotNil(t, bus.Peek("made/Subscriptions/sub"))
	require.Equal(t, []string{"kept"}, stored(bus, "plain"))
}

// An entity that nobody uses goes, with what is in it; one in use stays.
func TestAutoDeleteOnIdle(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t)
	a, c := administer(t, bus, bus.ConnectionString()), connect(t, bus.ConnectionString())
	for _, name := range []string{"used", "idle"} {
		_, err := a.CreateQueue(t.Context(), name, &admin.CreateQueueOptions{Properties: &admin.QueueProperties{AutoDeleteOnIdle: new("PT5M")}})
		require.NoError(t, err)
		s := sender(t, c, name)
		send(t, s, "x")
		require.NoError(t, s.Close(t.Context()))
	}
	r := receiver(t, c, "used", nil)
	receive(t, r, 1)
	require.NoError(t, bus.Advance(4*time.Minute))
	require.NotNil(t, bus.Peek("idle"))
	require.NoError(t, bus.Advance(2*time.Minute))
	require.Nil(t, bus.Peek("idle"))
	require.NotNil(t, bus.Peek("used"), "a receiver is open")
	require.NoError(t, r.Close(t.Context()))
	require.Eventually(t, func() bool { return bus.Advance(6*time.Minute) == nil && bus.Peek("used") == nil }, time.Minute, time.Millisecond)
}

// A message that a rule cannot judge is dead-lettered where the subscription wants that.
func TestFilterErrors(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	a := administer(t, bus, bus.ConnectionString())
	for name, dead := range map[string]bool{"strict": true, "lax": false} {
		_, err := a.CreateSubscription(t.Context(), "events", name, &admin.CreateSubscriptionOptions{Properties: &admin.SubscriptionProperties{
			EnableDeadLetteringOnFilterEvaluationExceptions: &dead,
			DefaultRule: &admin.RuleProperties{Name: "r", Filter: &admin.SQLFilter{Expression: "sys.Unknown = 1"}},
		}})
		require.NoError(t, err)
	}
	send(t, sender(t, connect(t, bus.ConnectionString()), "events"), "x")
	require.Empty(t, bus.Peek("events/Subscriptions/strict"))
	require.Empty(t, bus.Peek("events/Subscriptions/lax/$DeadLetterQueue"))
	dead := bus.Peek("events/Subscriptions/strict/$DeadLetterQueue")
	require.Len(t, dead, 1)
	require.Contains(t, dead[0].Properties["DeadLetterErrorDescription"], "rule r: ")
}

// What the configuration has, and a client has deleted, stays deleted with what was in it; and what a client has made in its
// place, of another kind or with other settings, stays: after each of several restarts.
func TestDeletedAndMadeAnewSurvives(t *testing.T) {
	t.Parallel()
	fs, logged := vfs.NewCrashableMem(), &bytes.Buffer{}
	run := func(fs vfs.FS) (*minibus.Instance, *admin.Client) {
		bus := minibus.RunT(t, func(o *minibus.Options) {
			o.Dir, o.FS, o.Logger = "bus", fs, slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelWarn}))
			o.Config = &minibus.Config{
				Queues: []minibus.Queue{{Name: "q"}, {Name: "k"}},
				Topics: []minibus.Topic{{Name: "t", Subscriptions: []minibus.Subscription{{Name: "s"}}}},
			}
		})
		return bus, administer(t, bus, bus.ConnectionString())
	}
	bus, a := run(fs)
	for _, name := range []string{"q", "k"} {
		_, err := a.DeleteQueue(t.Context(), name, nil)
		require.NoError(t, err)
	}
	_, err := a.DeleteTopic(t.Context(), "t", nil)
	require.NoError(t, err)
	_, err = a.CreateQueue(t.Context(), "q", &admin.CreateQueueOptions{Properties: &admin.QueueProperties{RequiresSession: new(true), MaxDeliveryCount: new(int32(7))}})
	require.NoError(t, err)
	_, err = a.CreateTopic(t.Context(), "k", nil)
	require.NoError(t, err)
	sendTo(t, sender(t, connect(t, bus.ConnectionString()), "q"), "session", "x")

	fs = crash(fs)
	bus, a = run(fs)
	require.Nil(t, bus.Peek("t/Subscriptions/s"))
	_, err = a.CreateTopic(t.Context(), "t", nil)
	require.NoError(t, err)

	for range 2 {
		fs = crash(fs)
		bus, a = run(fs)
		require.Nil(t, bus.Peek("t/Subscriptions/s"))
		queue, err := a.GetQueue(t.Context(), "q", nil)
		require.NoError(t, err)
		require.True(t, *queue.RequiresSession)
		require.EqualValues(t, 7, *queue.MaxDeliveryCount)
		require.Equal(t, "session", bus.Peek("q")[0].SessionID)
		topic, err := a.GetTopic(t.Context(), "k", nil)
		require.NoError(t, err)
		require.NotNil(t, topic)
	}
	_, err = a.DeleteQueue(t.Context(), "q", nil)
	require.NoError(t, err)
	bus, _ = run(crash(fs))
	require.Nil(t, bus.Peek("q"), "it is the configured one that is deleted")
	require.NotContains(t, logged.String(), "the configuration of an entity has changed")
}
