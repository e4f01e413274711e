package minibus_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"
	"github.com/Azure/go-amqp"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
)

// A namespace of the Premium tier takes messages of 1 MB, and of up to 100 MB in an entity that says so.
func TestPremium(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	premium := func(fs vfs.FS) func(*minibus.Options) {
		return func(o *minibus.Options) {
			o.Dir, o.FS, o.Premium = "bus", fs, true
			o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "plain"}}}
		}
	}
	bus := minibus.RunT(t, premium(fs))
	c, a := connect(t, bus.ConnectionString()), administer(t, bus, bus.ConnectionString())
	namespace, err := a.GetNamespaceProperties(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, "Premium", namespace.SKU)
	plain, err := a.GetQueue(t.Context(), "plain", nil)
	require.NoError(t, err)
	require.EqualValues(t, 1024, *plain.MaxMessageSizeInKilobytes)
	made, err := a.CreateQueue(t.Context(), "large", &admin.CreateQueueOptions{Properties: &admin.QueueProperties{MaxMessageSizeInKilobytes: new(int64(102_400))}})
	require.NoError(t, err)
	require.EqualValues(t, 102_400, *made.MaxMessageSizeInKilobytes)
	_, err = a.CreateQueue(t.Context(), "larger", &admin.CreateQueueOptions{Properties: &admin.QueueProperties{MaxMessageSizeInKilobytes: new(int64(102_401))}})
	requireStatus(t, err, 400, "must be a whole number from 1 to 102400")

	try := func(queue string, size int) error {
		return sender(t, c, queue).SendMessage(within(t, 60*time.Second), &azservicebus.Message{Body: make([]byte, size)}, nil)
	}
	require.NoError(t, try("plain", 1_000_000))
	require.ErrorIs(t, try("plain", 1_100_000), azservicebus.ErrMessageTooLarge)
	large := bytes.Repeat([]byte("0123456789"), premiumBytes/10)
	require.NoError(t, sender(t, c, "large").SendMessage(within(t, 60*time.Second), &azservicebus.Message{Body: large}, nil))
	require.ErrorIs(t, try("large", 105_000_000), azservicebus.ErrMessageTooLarge)

	again := minibus.RunT(t, premium(crash(fs)))
	r := receiver(t, connect(t, again.ConnectionString()), "large", nil)
	list, err := r.ReceiveMessages(within(t, time.Minute), 1, nil)
	require.NoError(t, err)
	require.True(t, bytes.Equal(large, list[0].Body))
	require.NoError(t, r.CompleteMessage(t.Context(), list[0], nil))
	require.Equal(t, 1_000_000, len(again.Peek("plain")[0].Body))
}

// A batch has at most 1 MB, and clients that look for it are told so.
func TestPremiumBatches(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.Premium = true
		o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "q"}}}
	})
	changeQueue(t, administer(t, bus, bus.ConnectionString()), "q", func(p *admin.QueueProperties) { p.MaxMessageSizeInKilobytes = new(int64(5000)) })
	w := dialWire(t, bus)
	attached := w.sender(2, "q")
	require.EqualValues(t, 5000<<10, attached.MaxMessageSize)
	require.EqualValues(t, 1<<20, attached.Properties.Get("com.microsoft:max-message-batch-size"))
	batch := func(size int) amqpwire.State {
		one, err := (&amqp.Message{Data: [][]byte{make([]byte, size)}}).MarshalBinary()
		require.NoError(t, err)
		payload, err := (&amqp.Message{Data: [][]byte{one, one}}).MarshalBinary()
		require.NoError(t, err)
		w.send(&amqpwire.Transfer{Handle: 2, DeliveryID: new(w.next), DeliveryTag: []byte{byte(w.next)}, MessageFormat: new(uint32(0x80013700))}, payload)
		w.next++
		return expect[*amqpwire.Disposition](w).State
	}
	require.IsType(t, &amqpwire.Accepted{}, batch(500_000))
	requireRejected(t, batch(600_000), amqpwire.CondMessageSizeExceeded)
	require.Equal(t, 2, bus.Counts("q").Active)
	w.transfer(2, nil, &amqp.Message{Data: [][]byte{make([]byte, 4_000_000)}})
	require.IsType(t, &amqpwire.Accepted{}, expect[*amqpwire.Disposition](w).State)
}

// What is scheduled is no larger than what is sent.
func TestScheduledSize(t *testing.T) {
	t.Parallel()
	for name, sizes := range map[string][2]int{"standard": {250_000, 300_000}, "premium": {1_000_000, 1_060_000}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := minibus.RunT(t, topology, func(o *minibus.Options) { o.Premium = name == "premium" })
			s := sender(t, connect(t, bus.ConnectionString()), "plain")
			schedule := func(size int) error {
				_, err := s.ScheduleMessages(t.Context(), []*azservicebus.Message{{Body: make([]byte, size)}}, time.Now().Add(time.Hour), nil)
				return err
			}
			require.NoError(t, schedule(sizes[0]))
			require.ErrorContains(t, schedule(sizes[1]), "larger than the allowed")
			require.Equal(t, 1, bus.Counts("plain").Scheduled)
		})
	}
}
