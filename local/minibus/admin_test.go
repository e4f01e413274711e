package minibus_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// plainly sends what a client addresses to https://namespace to the administration address, as plain HTTP.
type plainly struct{ addr string }

func (p plainly) Do(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", p.addr
	return http.DefaultTransport.RoundTrip(r)
}

// administer makes an administration client that reaches the broker with a connection string.
func administer(t *testing.T, bus *minibus.Instance, connection string) *admin.Client {
	t.Helper()
	c, err := admin.NewClientFromConnectionString(connection, &admin.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: plainly{bus.AdminAddr}},
	})
	require.NoError(t, err)
	return c
}

// all reads every page.
func all[Page, T any](t *testing.T, p *runtime.Pager[Page], items func(Page) []T) (list []T, pages int) {
	t.Helper()
	for p.More() {
		page, err := p.NextPage(t.Context())
		require.NoError(t, err)
		list = append(list, items(page)...)
		pages++
	}
	return list, pages
}

const forever = "P10675199DT2H48M5.4775807S"

func TestAdminQueue(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "plain"}, {
			Name: "Sales/Orders", DeadLetteringOnMessageExpiration: true, DefaultMessageTimeToLive: 36*time.Hour + 90*time.Second,
			RequiresDuplicateDetection: true, DuplicateDetectionHistoryTimeWindow: 5 * time.Minute,
			ForwardDeadLetteredMessagesTo: "plain", LockDuration: 1500 * time.Millisecond, MaxDeliveryCount: 7, RequiresSession: true,
		}}}
	})
	c := administer(t, bus, bus.ConnectionString())
	want := admin.QueueProperties{
		LockDuration: new("PT1.5S"), MaxSizeInMegabytes: new(int32(1024)), RequiresDuplicateDetection: new(true), RequiresSession: new(true),
		DefaultMessageTimeToLive: new("P1DT12H1M30S"), DeadLetteringOnMessageExpiration: new(true), DuplicateDetectionHistoryTimeWindow: new("PT5M"),
		MaxDeliveryCount: new(int32(7)), EnableBatchedOperations: new(true), Status: new(admin.EntityStatusActive), AutoDeleteOnIdle: new(forever),
		EnablePartitioning: new(false), ForwardDeadLetteredMessagesTo: new("sb://" + bus.Addr + "/plain"),
		MaxMessageSizeInKilobytes: new(int64(256)),
	}
	got, err := c.GetQueue(t.Context(), "sales/orders", nil)
	require.NoError(t, err)
	require.Equal(t, want, got.QueueProperties)

	list, _ := all(t, c.NewListQueuesPager(nil), func(p admin.ListQueuesResponse) []admin.QueueItem { return p.Queues })
	require.Len(t, list, 2)
	require.Equal(t, admin.QueueItem{QueueName: "Sales/Orders", QueueProperties: want}, list[1])
	plain := list[0].QueueProperties
	require.Equal(t, "plain", list[0].QueueName)
	require.Equal(t, []string{"PT1M", "PT1H", "PT20S"}, []string{*plain.LockDuration, *plain.DefaultMessageTimeToLive, *plain.DuplicateDetectionHistoryTimeWindow})
	require.Equal(t, int32(3), *plain.MaxDeliveryCount)
	require.Equal(t, []bool{false, false, false},
		[]bool{*plain.RequiresDuplicateDetection, *plain.RequiresSession, *plain.DeadLetteringOnMessageExpiration})
	require.Nil(t, plain.ForwardTo)
}

func TestAdminTopicAndSubscription(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.Config = &minibus.Config{Topics: []minibus.Topic{
			{Name: "a/b", DefaultMessageTimeToLive: 14 * 24 * time.Hour, RequiresDuplicateDetection: true, Subscriptions: []minibus.Subscription{
				{Name: "Views", DeadLetteringOnMessageExpiration: true, MaxDeliveryCount: 10, ForwardTo: "other"},
				{Name: "audit"},
			}},
			{Name: "other"},
		}}
	})
	c := administer(t, bus, bus.ConnectionString())
	topic, err := c.GetTopic(t.Context(), "a/b", nil)
	require.NoError(t, err)
	require.Equal(t, admin.TopicProperties{
		MaxSizeInMegabytes: new(int32(1024)), RequiresDuplicateDetection: new(true), DefaultMessageTimeToLive: new("P14D"),
		DuplicateDetectionHistoryTimeWindow: new("PT20S"), EnableBatchedOperations: new(true), Status: new(admin.EntityStatusActive),
		AutoDeleteOnIdle: new(forever), EnablePartitioning: new(false), SupportOrdering: new(true), MaxMessageSizeInKilobytes: new(int64(256)),
	}, topic.TopicProperties)
	topics, _ := all(t, c.NewListTopicsPager(nil), func(p admin.ListTopicsResponse) []admin.TopicItem { return p.Topics })
	require.Len(t, topics, 2)
	require.Equal(t, admin.TopicItem{TopicName: "a/b", TopicProperties: topic.TopicProperties}, topics[0])

	want := admin.SubscriptionProperties{
		LockDuration: new("PT1M"), RequiresSession: new(false), DefaultMessageTimeToLive: new("PT1H"), DeadLetteringOnMessageExpiration: new(true),
		EnableDeadLetteringOnFilterEvaluationExceptions: new(false), MaxDeliveryCount: new(int32(10)), Status: new(admin.EntityStatusActive),
		AutoDeleteOnIdle: new(forever), ForwardTo: new("sb://" + bus.Addr + "/other"), EnableBatchedOperations: new(true),
	}
	views, err := c.GetSubscription(t.Context(), "A/B", "views", nil)
	require.NoError(t, err)
	require.Equal(t, want, views.SubscriptionProperties)
	list, _ := all(t, c.NewListSubscriptionsPager("a/b", nil), func(p admin.ListSubscriptionsResponse) []admin.SubscriptionPropertiesItem { return p.Subscriptions })
	require.Len(t, list, 2)
	require.Equal(t, admin.SubscriptionPropertiesItem{TopicName: "a/b", SubscriptionName: "Views", SubscriptionProperties: want}, list[1])
}

func TestAdminRules(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.Config = &minibus.Config{Topics: []minibus.Topic{{Name: "t", Subscriptions: []minibus.Subscription{
			{Name: "all"},
			{Name: "none", Rules: []minibus.Rule{}},
			{Name: "sql", Rules: []minibus.Rule{
				{Name: "sql", SQL: "a < 1 AND b = '&'", Action: "SET a = '<'; REMOVE b"},
				{Name: "plain", SQL: "1=1"},
				{Name: "mixed", Correlation: &minibus.CorrelationFilter{Label: "x"}, Action: "REMOVE b"},
			}},
			{Name: "some", Rules: []minibus.Rule{{Name: "everything"}, {Name: "Urgent", Correlation: &minibus.CorrelationFilter{
				Label: "<urgent> & \"important\"", SessionID: "s", To: "me",
				Properties: map[string]any{"level": 3.5, "n": 7, "b": true, "s": "x", "at": at},
			}}}},
		}}}}
	})
	c := administer(t, bus, bus.ConnectionString())
	rules := func(subscription string) []admin.RuleProperties {
		list, _ := all(t, c.NewListRulesPager("t", subscription, nil), func(p admin.ListRulesResponse) []admin.RuleProperties { return p.Rules })
		return list
	}
	require.Equal(t, []admin.RuleProperties{{Name: "$Default", Filter: &admin.TrueFilter{}}}, rules("all"))
	require.Empty(t, rules("none"))
	urgent := admin.RuleProperties{Name: "Urgent", Filter: &admin.CorrelationFilter{
		Subject: new("<urgent> & \"important\""), SessionID: new("s"), To: new("me"),
		ApplicationProperties: map[string]any{"level": 3.5, "n": int64(7), "b": true, "s": "x", "at": at},
	}}
	require.Equal(t, []admin.RuleProperties{{Name: "everything", Filter: &admin.TrueFilter{}}, urgent}, rules("some"))
	got, err := c.GetRule(t.Context(), "t", "some", "urgent", nil)
	require.NoError(t, err)
	require.Equal(t, urgent, got.RuleProperties)
	_, err = c.GetRule(t.Context(), "t", "all", "$Default", nil)
	require.NoError(t, err)

	topic, err := c.GetTopicRuntimeProperties(t.Context(), "t", nil)
	require.NoError(t, err)
	require.Equal(t, []int32{4, 4, 2}, []int32{topic.SubscriptionCount, topic.SQLFilterCount, topic.CorrelationFilterCount})

	sql := admin.RuleProperties{
		Name: "sql", Filter: &admin.SQLFilter{Expression: "a < 1 AND b = '&'"}, Action: &admin.SQLAction{Expression: "SET a = '<'; REMOVE b"},
	}
	require.Equal(t, []admin.RuleProperties{
		sql, {Name: "plain", Filter: &admin.SQLFilter{Expression: "1=1"}},
		{Name: "mixed", Filter: &admin.CorrelationFilter{Subject: new("x")}, Action: &admin.SQLAction{Expression: "REMOVE b"}},
	}, rules("sql"))
	got, err = c.GetRule(t.Context(), "t", "sql", "SQL", nil)
	require.NoError(t, err)
	require.Equal(t, sql, got.RuleProperties)
}

func TestAdminMissing(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	c := administer(t, bus, bus.ConnectionString())
	absent := func(answer any, err error) {
		t.Helper()
		require.NoError(t, err)
		require.Nil(t, answer)
	}
	for _, name := range []string{"nowhere", "plain/$DeadLetterQueue", "$cbs", "plain/$management", "events/Rules", "a b", "ä", "ẞ/subscriptions"} {
		q, err := c.GetQueue(t.Context(), name, nil)
		absent(q, err)
		tr, err := c.GetTopicRuntimeProperties(t.Context(), name, nil)
		absent(tr, err)
	}
	for topic, subscription := range map[string]string{"nowhere": "all", "events": "nobody", "plain": "all", "events/Subscriptions/all": "all"} {
		s, err := c.GetSubscription(t.Context(), topic, subscription, nil)
		absent(s, err)
		sr, err := c.GetSubscriptionRuntimeProperties(t.Context(), topic, subscription, nil)
		absent(sr, err)
		r, err := c.GetRule(t.Context(), topic, subscription, "$Default", nil)
		absent(r, err)
	}
	r, err := c.GetRule(t.Context(), "events", "all", "other", nil)
	absent(r, err)
	_, err = c.NewListSubscriptionsPager("nowhere", nil).NextPage(t.Context())
	requireStatus(t, err, http.StatusNotFound, "'nowhere' could not be found")
	_, err = c.NewListRulesPager("events", "nobody", nil).NextPage(t.Context())
	requireStatus(t, err, http.StatusNotFound, "'events/Subscriptions/nobody' could not be found")
}

func TestAdminPaging(t *testing.T) {
	t.Parallel()
	var want []string
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.Config = &minibus.Config{}
		for i := range 205 {
			want = append(want, fmt.Sprintf("q%03d", i))
			o.Config.Queues = append(o.Config.Queues, minibus.Queue{Name: want[i]})
		}
	})
	c := administer(t, bus, bus.ConnectionString())
	for size, pages := range map[int32]int{0: 4, 5: 42, 100: 3, 102: 3, 204: 2, 205: 2, 1000: 1} { // a full page may be followed by an empty one
		list, n := all(t, c.NewListQueuesRuntimePropertiesPager(&admin.ListQueuesRuntimePropertiesOptions{MaxPageSize: size}),
			func(p admin.ListQueuesRuntimePropertiesResponse) []admin.QueueRuntimePropertiesItem {
				return p.QueueRuntimeProperties
			})
		var got []string
		for _, q := range list {
			got = append(got, q.QueueName)
		}
		require.Equal(t, want, got, "pages of %d", size)
		require.Equal(t, pages, n, "pages of %d", size)
	}
}
