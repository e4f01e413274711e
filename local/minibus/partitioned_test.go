package minibus_test

import (
	"net/http"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// A partitioned entity shows the quota of its sixteen partitions, knows duplicates within a partition, and does not become
// another kind of entity.
func TestPartitioned(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	on := func(o *minibus.Options) { topology(o); o.Dir = dir }
	bus := minibus.RunT(t, on)
	a := administer(t, bus, bus.ConnectionString())
	q, err := a.CreateQueue(t.Context(), "p", &admin.CreateQueueOptions{Properties: &admin.QueueProperties{
		EnablePartitioning: new(true), RequiresDuplicateDetection: new(true), MaxSizeInMegabytes: new(int32(2048)),
	}})
	require.NoError(t, err)
	require.True(t, *q.EnablePartitioning)
	require.EqualValues(t, 32768, *q.MaxSizeInMegabytes)
	topic, err := a.CreateTopic(t.Context(), "pt", &admin.CreateTopicOptions{Properties: &admin.TopicProperties{EnablePartitioning: new(true)}})
	require.NoError(t, err)
	require.False(t, *topic.SupportOrdering)
	require.EqualValues(t, 16384, *topic.MaxSizeInMegabytes)

	q.MaxDeliveryCount = new(int32(4))
	updated, err := a.UpdateQueue(t.Context(), "p", q.QueueProperties, nil)
	require.NoError(t, err)
	require.EqualValues(t, 32768, *updated.MaxSizeInMegabytes)
	q.EnablePartitioning = new(false)
	_, err = a.UpdateQueue(t.Context(), "p", q.QueueProperties, nil)
	requireStatus(t, err, http.StatusBadRequest, "EnablePartitioning cannot be changed once the entity exists")

	s := sender(t, connect(t, bus.ConnectionString()), "p")
	post := func(id, key, session string) error {
		m := &azservicebus.Message{MessageID: &id}
		if key != "" {
			m.PartitionKey = &key
		}
		if session != "" {
			m.SessionID = &session
		}
		return s.SendMessage(t.Context(), m, nil)
	}
	for _, m := range [][3]string{{"1", "a", ""}, {"1", "b", ""}, {"1", "a", ""}, {"1", "", ""}, {"1", "", ""}, {"1", "c", "c"}, {"1", "", "c"}} {
		require.NoError(t, post(m[0], m[1], m[2]))
	}
	require.Equal(t, 4, bus.Counts("p").Active, "of a, b, c and no key")
	require.ErrorContains(t, post("2", "a", "b"), "must be the SessionId")

	require.NoError(t, bus.Close())
	bus = minibus.RunT(t, on)
	again, err := administer(t, bus, bus.ConnectionString()).GetQueue(t.Context(), "p", nil)
	require.NoError(t, err)
	require.Equal(t, updated.QueueProperties, again.QueueProperties)
}

// Who can be partitioned, and who cannot.
func TestPartitionedRefusals(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology, func(o *minibus.Options) { o.Premium = true })
	_, err := administer(t, bus, bus.ConnectionString()).CreateQueue(t.Context(), "p", &admin.CreateQueueOptions{Properties: &admin.QueueProperties{EnablePartitioning: new(true)}})
	requireStatus(t, err, http.StatusBadRequest, "EnablePartitioning: a Premium namespace has no partitioned entities among others")
}
