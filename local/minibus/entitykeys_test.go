package minibus_test

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

func rights(name string, rights ...admin.AccessRight) admin.AuthorizationRule {
	return admin.AuthorizationRule{KeyName: &name, AccessRights: rights}
}

// keyed is a connection string with a key of an entity.
func keyed(bus *minibus.Instance, rule admin.AuthorizationRule, key *string) string {
	return minibus.Policy{Name: *rule.KeyName, Key: *key}.ConnectionString(bus.Addr)
}

// A key of an entity is good for what its rule says, on that entity and what is part of it, and nowhere else.
func TestEntityKeys(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	durable := func(fs vfs.FS) func(*minibus.Options) {
		return func(o *minibus.Options) { topology(o); o.Dir, o.FS = "bus", fs }
	}
	bus := minibus.RunT(t, durable(fs))
	a := administer(t, bus, bus.ConnectionString())
	made, err := a.CreateQueue(t.Context(), "orders", &admin.CreateQueueOptions{Properties: &admin.QueueProperties{AuthorizationRules: []admin.AuthorizationRule{
		rights("in", admin.AccessRightSend), rights("out", admin.AccessRightListen),
	}}})
	require.NoError(t, err)
	require.Len(t, made.AuthorizationRules, 2)
	in, out := made.AuthorizationRules[0], made.AuthorizationRules[1]
	require.Equal(t, []admin.AccessRight{admin.AccessRightListen}, out.AccessRights)
	require.NotEqual(t, *in.PrimaryKey, *in.SecondaryKey)
	_, err = a.CreateQueue(t.Context(), "orders/more", nil)
	require.NoError(t, err)

	bus = minibus.RunT(t, durable(crash(fs)))
	a = administer(t, bus, bus.ConnectionString())
	again, err := a.GetQueue(t.Context(), "orders", nil)
	require.NoError(t, err)
	require.Equal(t, in.PrimaryKey, again.AuthorizationRules[0].PrimaryKey)
	sends := connect(t, keyed(bus, in, in.PrimaryKey))
	send(t, sender(t, sends, "orders"), "a")
	send(t, sender(t, connect(t, keyed(bus, in, in.SecondaryKey)), "orders"), "b")
	refused := func(err error) {
		t.Helper()
		var fault *azservicebus.Error
		require.ErrorAs(t, err, &fault)
		require.Equal(t, azservicebus.CodeUnauthorizedAccess, fault.Code)
	}
	try := func(c *azservicebus.Client, queue string) error {
		return sender(t, c, queue).SendMessage(within(t, time.Minute), &azservicebus.Message{}, nil)
	}
	_, err = receiver(t, sends, "orders", nil).ReceiveMessages(within(t, time.Minute), 1, nil)
	refused(err)
	refused(try(sends, "orders/more"))
	refused(try(sends, "plain"))
	refused(try(connect(t, keyed(bus, in, out.PrimaryKey)), "orders"))
	listens := connect(t, keyed(bus, out, out.PrimaryKey))
	refused(try(listens, "orders"))
	r := receiver(t, listens, "orders", nil)
	for _, m := range receive(t, r, 2) {
		require.NoError(t, r.DeadLetterMessage(t.Context(), m, nil))
	}
	require.Len(t, receive(t, receiver(t, listens, "orders", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter}), 2), 2)

	// Keys that are replaced are good no more.
	changeQueue(t, a, "orders", func(p *admin.QueueProperties) { p.AuthorizationRules = p.AuthorizationRules[1:] })
	refused(try(connect(t, keyed(bus, in, in.PrimaryKey)), "orders"))
}

// A topic's key with Manage is good for its subscriptions in the administration too.
func TestEntityKeysManage(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	everything := rights("all", admin.AccessRightManage, admin.AccessRightSend, admin.AccessRightListen)
	made, err := administer(t, bus, bus.ConnectionString()).CreateTopic(t.Context(), "mine", &admin.CreateTopicOptions{Properties: &admin.TopicProperties{AuthorizationRules: []admin.AuthorizationRule{everything}}})
	require.NoError(t, err)
	own := keyed(bus, everything, made.AuthorizationRules[0].PrimaryKey)
	a := administer(t, bus, own)
	_, err = a.CreateSubscription(t.Context(), "mine", "s", nil)
	require.NoError(t, err)
	_, err = a.GetTopic(t.Context(), "mine", nil)
	require.NoError(t, err)
	for _, name := range []string{"plain", "new", "mine/more"} {
		_, err = a.CreateQueue(t.Context(), name, nil)
		requireStatus(t, err, 401, "which does not exist")
	}
	c := connect(t, own)
	send(t, sender(t, c, "mine"), "x")
	r, err := c.NewReceiverForSubscription("mine", "s", nil)
	require.NoError(t, err)
	require.Equal(t, []string{"x"}, bodies(receive(t, r, 1)))
}
