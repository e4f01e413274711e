package minibus_test

import (
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// living is a message as the clients of JavaScript, .NET and Python send one with a time to live: also as two times, by a
// clock that is off by so much.
func living(body string, ttl, off time.Duration) *azservicebus.AMQPAnnotatedMessage {
	made := time.Now().Add(off)
	end := made.Add(ttl)
	return &azservicebus.AMQPAnnotatedMessage{
		Header: &azservicebus.AMQPAnnotatedMessageHeader{TTL: ttl}, Body: azservicebus.AMQPAnnotatedMessageBody{Value: body},
		Properties: &azservicebus.AMQPAnnotatedMessageProperties{CreationTime: &made, AbsoluteExpiryTime: &end},
	}
}

// lifeTopology has an entity for each way that a message can go.
func lifeTopology(o *minibus.Options) {
	o.Config = &minibus.Config{
		Queues: []minibus.Queue{
			{Name: "plain", DefaultMessageTimeToLive: 24 * time.Hour, DeadLetteringOnMessageExpiration: true}, {Name: "end", DefaultMessageTimeToLive: 24 * time.Hour},
			{Name: "dropping"}, {Name: "short", DefaultMessageTimeToLive: 2 * time.Second, ForwardTo: "end"}, {Name: "ordered", RequiresSession: true, DeadLetteringOnMessageExpiration: true},
			{Name: "forwards-dead", DeadLetteringOnMessageExpiration: true, ForwardDeadLetteredMessagesTo: "end"},
		},
		Topics: []minibus.Topic{
			{Name: "brief", DefaultMessageTimeToLive: 2 * time.Second, Subscriptions: []minibus.Subscription{{Name: "kept"}, {Name: "forwarded", ForwardTo: "end"}}},
		},
	}
}

// The life of a message is a duration: it counts from its enqueueing and by the broker's clock, whatever the sender's says.
func TestLifeIsADuration(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"right": 0, "an hour behind": -time.Hour, "in Tokyo": 9 * time.Hour, "a day behind": -24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bus := minibus.RunT(t, lifeTopology)
			require.NoError(t, sender(t, connect(t, bus.ConnectionString()), "plain").SendAMQPAnnotatedMessage(t.Context(), living("x", time.Minute, off), nil))
			require.NoError(t, bus.Advance(50*time.Second))
			require.Equal(t, minibus.Counts{Active: 1}, bus.Counts("plain"))
			require.NoError(t, bus.Advance(11*time.Second))
			require.Equal(t, minibus.Counts{DeadLetter: 1}, bus.Counts("plain"))
		})
	}
}

// A life above the header's 49 days is in the two times only; of times that make no sense the header is left.
func TestLifeBeyondTheHeader(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, func(o *minibus.Options) {
		o.Config = &minibus.Config{Queues: []minibus.Queue{{Name: "plain", DefaultMessageTimeToLive: 1000 * 24 * time.Hour}}}
	})
	s := sender(t, connect(t, bus.ConnectionString()), "plain")
	long := living("long", 100*24*time.Hour, 0)
	long.Header.TTL = (1<<32 - 1) * time.Millisecond
	odd := living("odd", time.Hour, 0)
	odd.Properties.AbsoluteExpiryTime = odd.Properties.CreationTime
	for _, m := range []*azservicebus.AMQPAnnotatedMessage{long, odd} {
		require.NoError(t, s.SendAMQPAnnotatedMessage(t.Context(), m, nil))
	}
	require.NoError(t, bus.Advance(59*time.Minute))
	require.Equal(t, 2, bus.Counts("plain").Active)
	require.NoError(t, bus.Advance(90*24*time.Hour))
	require.Equal(t, 1, bus.Counts("plain").Active)
	require.NoError(t, bus.Advance(10*24*time.Hour))
	require.Equal(t, 0, bus.Counts("plain").Active)
}

// A scheduled message has its whole life before it when it is due, also after a restart.
func TestScheduledMessageLivesFromItsTime(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	durable := func(fs vfs.FS) func(*minibus.Options) {
		return func(o *minibus.Options) {
			lifeTopology(o)
			o.Dir, o.FS = "bus", fs
		}
	}
	first := minibus.RunT(t, durable(fs))
	m := living("x", 2*time.Second, -time.Hour)
	m.MessageAnnotations = map[any]any{"x-opt-scheduled-enqueue-time": time.Now().Add(10 * time.Minute)}
	require.NoError(t, sender(t, connect(t, first.ConnectionString()), "plain").SendAMQPAnnotatedMessage(t.Context(), m, nil))
	bus := minibus.RunT(t, durable(crash(fs)))
	require.NoError(t, bus.Advance(10*time.Minute+time.Second))
	require.Equal(t, minibus.Counts{Active: 1}, bus.Counts("plain"))
	require.NoError(t, bus.Advance(2*time.Second))
	require.Equal(t, minibus.Counts{DeadLetter: 1}, bus.Counts("plain"))
}

// The shortest life that a message is given on its way holds at the end of it.
func TestLifeTravels(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, lifeTopology)
	c := connect(t, bus.ConnectionString())
	send(t, sender(t, c, "brief"), "through a topic")
	send(t, sender(t, c, "short"), "through a queue")
	require.Equal(t, 2, bus.Counts("end").Active)
	require.Equal(t, 1, bus.Counts("brief/Subscriptions/kept").Active)
	require.NoError(t, bus.Advance(2100*time.Millisecond))
	require.Equal(t, 0, bus.Counts("end").Active)
	require.Equal(t, 0, bus.Counts("brief/Subscriptions/kept").Active)
}

// A dead letter has had its life: it does not end once more where the dead-letter queue forwards to.
func TestDeadLettersDoNotExpireAgain(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, lifeTopology)
	require.NoError(t, sender(t, connect(t, bus.ConnectionString()), "forwards-dead").SendAMQPAnnotatedMessage(t.Context(), living("x", time.Minute, -time.Hour), nil))
	require.NoError(t, bus.Advance(time.Hour))
	got := bus.Peek("end")
	require.Len(t, got, 1)
	require.Equal(t, "TTLExpiredException", got[0].Properties["DeadLetterReason"])
	require.NoError(t, bus.Advance(24*time.Hour))
	require.Empty(t, bus.Peek("end"), "the queue's own default")
}

// A deferred message whose life ends goes where others go; while it is locked it is its owner's.
func TestDeferredMessagesExpire(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	durable := func(fs vfs.FS) func(*minibus.Options) {
		return func(o *minibus.Options) {
			lifeTopology(o)
			o.Dir, o.FS = "bus", fs
		}
	}
	bus := minibus.RunT(t, durable(fs))
	c := connect(t, bus.ConnectionString())
	for _, queue := range []string{"plain", "dropping", "ordered"} {
		for _, body := range []string{"set aside", "locked again"} {
			m := living(body, 10*time.Second, 0)
			m.Properties.GroupID = new("s")
			require.NoError(t, sender(t, c, queue).SendAMQPAnnotatedMessage(t.Context(), m, nil))
		}
	}
	plain, dropping := receiver(t, c, "plain", nil), receiver(t, c, "dropping", nil)
	ordered, err := c.AcceptSessionForQueue(t.Context(), "ordered", "s", nil)
	require.NoError(t, err)
	type deferring interface {
		ReceiveMessages(ctx context.Context, n int, o *azservicebus.ReceiveMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
		DeferMessage(ctx context.Context, m *azservicebus.ReceivedMessage, o *azservicebus.DeferMessageOptions) error
		ReceiveDeferredMessages(ctx context.Context, numbers []int64, o *azservicebus.ReceiveDeferredMessagesOptions) ([]*azservicebus.ReceivedMessage, error)
		AbandonMessage(ctx context.Context, m *azservicebus.ReceivedMessage, o *azservicebus.AbandonMessageOptions) error
	}
	for name, r := range map[string]deferring{"plain": plain, "dropping": dropping, "ordered": ordered} {
		var numbers []int64
		for len(numbers) < 2 {
			got, err := r.ReceiveMessages(t.Context(), 1, nil)
			require.NoError(t, err)
			require.NoError(t, r.DeferMessage(t.Context(), got[0], nil))
			numbers = append(numbers, *got[0].SequenceNumber)
		}
		require.Equal(t, 2, bus.Counts(name).Deferred)
		again, err := r.ReceiveDeferredMessages(t.Context(), numbers[1:], nil)
		require.NoError(t, err)
		defer func() {
			require.NoError(t, r.AbandonMessage(t.Context(), again[0], nil))
			require.Equal(t, 0, bus.Counts(name).Deferred, name)
		}()
	}
	after := minibus.RunT(t, durable(crash(fs)))
	require.NoError(t, bus.Advance(11*time.Second))
	require.Equal(t, minibus.Counts{Deferred: 1, DeadLetter: 1, Locked: 1}, bus.Counts("plain"))
	require.Equal(t, minibus.Counts{Deferred: 1, Locked: 1}, bus.Counts("dropping"))
	require.Equal(t, minibus.Counts{Deferred: 1, DeadLetter: 1, Locked: 1}, bus.Counts("ordered"))

	require.NoError(t, after.Advance(11*time.Second))
	require.Equal(t, minibus.Counts{DeadLetter: 2}, after.Counts("plain"), "after a restart nothing is locked")
}

// What an action says of a message's life goes over what its sender said, and not over the entities that it comes through.
func TestActionsSetALife(t *testing.T) {
	t.Parallel()
	hour, second := minibus.Rule{Name: "hour", Action: "SET sys.TimeToLive = '01:00:00'"}, minibus.Rule{Name: "second", Action: "SET sys.TimeToLive = '00:00:01'"}
	bus := minibus.RunT(t, func(o *minibus.Options) {
		forever := 24 * time.Hour
		o.Config = &minibus.Config{
			Queues: []minibus.Queue{
				{Name: "end", DefaultMessageTimeToLive: forever},
				{Name: "dead", DefaultMessageTimeToLive: forever, ForwardDeadLetteredMessagesTo: "free"},
			},
			Topics: []minibus.Topic{
				{Name: "free", DefaultMessageTimeToLive: forever, Subscriptions: []minibus.Subscription{
					{Name: "longer", DefaultMessageTimeToLive: forever, Rules: []minibus.Rule{hour}}, {Name: "shorter", DefaultMessageTimeToLive: forever, Rules: []minibus.Rule{second}},
					{Name: "away", DefaultMessageTimeToLive: forever, Rules: []minibus.Rule{hour}, ForwardTo: "end"}, {Name: "bounded", DefaultMessageTimeToLive: time.Minute, Rules: []minibus.Rule{hour}},
				}},
				{Name: "brief", DefaultMessageTimeToLive: time.Minute, Subscriptions: []minibus.Subscription{{Name: "longer", DefaultMessageTimeToLive: forever, Rules: []minibus.Rule{hour}}}},
			},
		}
	})
	c := connect(t, bus.ConnectionString())
	require.NoError(t, sender(t, c, "free").SendAMQPAnnotatedMessage(t.Context(), living("x", 10*time.Second, 0), nil))
	require.NoError(t, sender(t, c, "brief").SendAMQPAnnotatedMessage(t.Context(), living("x", 10*time.Second, 0), nil))
	left := func(after time.Duration, want ...string) {
		t.Helper()
		require.NoError(t, bus.Advance(after))
		var got []string
		for _, path := range []string{"brief/Subscriptions/longer", "end", "free/Subscriptions/bounded", "free/Subscriptions/longer", "free/Subscriptions/shorter"} {
			if bus.Counts(path).Active > 0 {
				got = append(got, path)
			}
		}
		require.Equal(t, want, got)
	}
	left(5*time.Second, "brief/Subscriptions/longer", "end", "free/Subscriptions/bounded", "free/Subscriptions/longer")
	left(50*time.Second, "brief/Subscriptions/longer", "end", "free/Subscriptions/bounded", "free/Subscriptions/longer")
	left(10*time.Second, "end", "free/Subscriptions/longer")
	left(time.Hour)
	bury(t, c, "dead", "a dead letter's too")
	left(5*time.Second, "end", "free/Subscriptions/bounded", "free/Subscriptions/longer")
	left(time.Hour)
}
