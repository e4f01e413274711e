package minibus_test

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// Three are sent and one is scheduled; two are locked and one of those is dead-lettered.
func TestAdminQueueCounts(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	c, a := connect(t, bus.ConnectionString()), administer(t, bus, bus.ConnectionString())
	before, err := a.GetQueueRuntimeProperties(t.Context(), "plain", nil)
	require.NoError(t, err)
	require.True(t, before.AccessedAt.IsZero(), "nobody has used it")
	require.WithinDuration(t, time.Now(), before.CreatedAt, time.Minute)
	require.Equal(t, before.CreatedAt, before.UpdatedAt)
	require.Zero(t, before.SizeInBytes)

	s := sender(t, c, "plain")
	send(t, s, "1", "2", "3")
	_, err = s.ScheduleMessages(t.Context(), []*azservicebus.Message{{Body: bytes.Repeat([]byte("x"), 1000)}}, time.Now().Add(time.Hour), nil)
	require.NoError(t, err)
	r := receiver(t, c, "plain", nil)
	locked := receive(t, r, 2)
	require.NoError(t, r.DeadLetterMessage(t.Context(), locked[0], nil))

	got, err := a.GetQueueRuntimeProperties(t.Context(), "plain", nil)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), got.AccessedAt, time.Minute)
	require.Greater(t, got.SizeInBytes, int64(1000))
	require.Less(t, got.SizeInBytes, int64(2000))
	require.Equal(t, admin.QueueRuntimeProperties{
		TotalMessageCount: 4, ActiveMessageCount: 2, DeadLetterMessageCount: 1, ScheduledMessageCount: 1,
		SizeInBytes: got.SizeInBytes, CreatedAt: before.CreatedAt, UpdatedAt: before.UpdatedAt, AccessedAt: got.AccessedAt,
	}, got.QueueRuntimeProperties)
	list, _ := all(t, a.NewListQueuesRuntimePropertiesPager(nil),
		func(p admin.ListQueuesRuntimePropertiesResponse) []admin.QueueRuntimePropertiesItem {
			return p.QueueRuntimeProperties
		})
	require.Contains(t, list, admin.QueueRuntimePropertiesItem{QueueName: "plain", QueueRuntimeProperties: got.QueueRuntimeProperties})

	require.NoError(t, r.DeferMessage(t.Context(), locked[1], nil))
	got, err = a.GetQueueRuntimeProperties(t.Context(), "plain", nil)
	require.NoError(t, err)
	require.Equal(t, []int32{2, 1, 1}, []int32{got.ActiveMessageCount, got.DeadLetterMessageCount, got.ScheduledMessageCount})
	back, err := r.ReceiveDeferredMessages(t.Context(), []int64{*locked[1].SequenceNumber}, nil)
	require.NoError(t, err)
	require.NoError(t, r.CompleteMessage(t.Context(), back[0], nil))
	got, err = a.GetQueueRuntimeProperties(t.Context(), "plain", nil)
	require.NoError(t, err)
	require.Equal(t, []int64{3, 1}, []int64{got.TotalMessageCount, int64(got.ActiveMessageCount)})
}

func TestAdminTopicCounts(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	c, a := connect(t, bus.ConnectionString()), administer(t, bus, bus.ConnectionString())
	s := sender(t, c, "events")
	sendTo(t, s, "ada", "1", "2")
	send(t, s, "without a session")
	_, err := s.ScheduleMessages(t.Context(), []*azservicebus.Message{{SessionID: new("ada")}}, time.Now().Add(time.Hour), nil)
	require.NoError(t, err)

	topic, err := a.GetTopicRuntimeProperties(t.Context(), "events", nil)
	require.NoError(t, err)
	require.Equal(t, []int32{3, 1}, []int32{topic.SubscriptionCount, topic.ScheduledMessageCount})
	require.Positive(t, topic.SizeInBytes)
	topics, _ := all(t, a.NewListTopicsRuntimePropertiesPager(nil),
		func(p admin.ListTopicsRuntimePropertiesResponse) []admin.TopicRuntimePropertiesItem {
			return p.TopicRuntimeProperties
		})
	require.Equal(t, []admin.TopicRuntimePropertiesItem{{TopicName: "events", TopicRuntimeProperties: topic.TopicRuntimeProperties}}, topics)

	subscriptions, _ := all(t, a.NewListSubscriptionsRuntimePropertiesPager("events", nil),
		func(p admin.ListSubscriptionsRuntimePropertiesResponse) []admin.SubscriptionRuntimePropertiesItem {
			return p.SubscriptionRuntimeProperties
		})
	counts := map[string][]int64{}
	for _, s := range subscriptions {
		counts[s.SubscriptionName] = []int64{s.TotalMessageCount, int64(s.ActiveMessageCount), int64(s.DeadLetterMessageCount)}
	}
	require.Equal(t, map[string][]int64{"all": {3, 3, 0}, "ordered": {3, 2, 1}, "urgent": {0, 0, 0}}, counts)
	ordered, err := a.GetSubscriptionRuntimeProperties(t.Context(), "events", "ordered", nil)
	require.NoError(t, err)
	require.Equal(t, subscriptions[1].SubscriptionRuntimeProperties, ordered.SubscriptionRuntimeProperties)
}

// Counts and times survive a restart; a changed property is an update.
func TestAdminAfterRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func(maxDelivery int) *minibus.Instance {
		return minibus.RunT(t, func(o *minibus.Options) {
			o.Dir, o.Config = dir, &minibus.Config{Queues: []minibus.Queue{{Name: "q", MaxDeliveryCount: maxDelivery}}}
		})
	}
	look := func(bus *minibus.Instance) (admin.QueueRuntimeProperties, admin.NamespaceProperties) {
		a := administer(t, bus, bus.ConnectionString())
		q, err := a.GetQueueRuntimeProperties(t.Context(), "q", nil)
		require.NoError(t, err)
		n, err := a.GetNamespaceProperties(t.Context(), nil)
		require.NoError(t, err)
		return q.QueueRuntimeProperties, n.NamespaceProperties
	}
	bus := open(3)
	c := connect(t, bus.ConnectionString())
	s := sender(t, c, "q")
	send(t, s, "1", "2")
	_, err := s.ScheduleMessages(t.Context(), []*azservicebus.Message{{}}, time.Now().Add(time.Hour), nil)
	require.NoError(t, err)
	r := receiver(t, c, "q", nil)
	require.NoError(t, r.DeferMessage(t.Context(), receive(t, r, 1)[0], nil))
	first, namespace := look(bus)
	require.Equal(t, "sbemulatorns", namespace.Name)
	require.Equal(t, "Standard", namespace.SKU)
	require.NoError(t, bus.Close())

	bus = open(3)
	again, same := look(bus)
	first.AccessedAt = time.Time{} // not since the broker was opened
	require.Equal(t, first, again)
	require.Equal(t, namespace, same)
	require.NoError(t, bus.Close())

	changed, after := look(open(4))
	require.Equal(t, first.CreatedAt, changed.CreatedAt)
	require.True(t, changed.UpdatedAt.After(first.UpdatedAt))
	require.Equal(t, changed.UpdatedAt, after.ModifiedTime)
}

func TestAdminWhileMessagesFlow(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	c, a := connect(t, bus.ConnectionString()), administer(t, bus, bus.ConnectionString())
	s, r := sender(t, c, "plain"), receiver(t, c, "plain", nil)
	var work sync.WaitGroup
	work.Go(func() {
		for range 50 {
			if err := s.SendMessage(t.Context(), &azservicebus.Message{Body: []byte("x")}, nil); err != nil {
				t.Error(err)
				return
			}
		}
	})
	work.Go(func() {
		for range 50 {
			q, err := a.GetQueueRuntimeProperties(t.Context(), "plain", nil)
			if err != nil || q.TotalMessageCount != int64(q.ActiveMessageCount) {
				t.Error(q, err)
				return
			}
		}
	})
	for _, m := range receive(t, r, 50) {
		require.NoError(t, r.CompleteMessage(t.Context(), m, nil))
	}
	work.Wait()
}
