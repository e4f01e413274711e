package minibus_test

import (
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// Time that a test skips ends what it would have ended, without waiting.
func TestAdvance(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	c := connect(t, bus.ConnectionString())
	due := time.Now().Add(30 * time.Minute)
	require.NoError(t, sender(t, c, "plain").SendMessage(t.Context(), &azservicebus.Message{Body: []byte("later"), ScheduledEnqueueTime: &due}, nil))
	send(t, sender(t, c, "plain"), "locked", "dies")
	r := receiver(t, c, "plain", nil)
	held := receive(t, r, 1)[0]
	require.Equal(t, "locked", string(held.Body))

	require.NoError(t, bus.Advance(50*time.Second))
	require.NoError(t, r.RenewMessageLock(t.Context(), held, nil), "the lock of a minute has not ended")
	require.NoError(t, bus.Advance(2*time.Minute))
	var lost *azservicebus.Error
	require.ErrorAs(t, r.CompleteMessage(t.Context(), held, nil), &lost)
	require.Equal(t, azservicebus.CodeLockLost, lost.Code)
	require.Equal(t, 1, bus.Peek("plain")[1].DeliveryCount)
	require.NoError(t, bus.Advance(30*time.Minute))
	require.Equal(t, minibus.Counts{Active: 3}, bus.Counts("plain"))
	require.NoError(t, bus.Advance(28*time.Minute))
	left := bus.Peek("plain")
	require.Len(t, left, 1)
	require.Equal(t, "later", string(left[0].Body), "the others have lived for an hour; this one was enqueued later")
}

// A snapshot shows all entities, and is equal to the next as long as nothing happens.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	c := connect(t, bus.ConnectionString())
	empty := bus.Snapshot()
	require.Contains(t, empty, "plain/$DeadLetterQueue")
	sendTo(t, sender(t, c, "sessions"), "k", "a", "b")
	owner, err := c.AcceptSessionForQueue(t.Context(), "sessions", "k", nil)
	require.NoError(t, err)
	require.NoError(t, owner.SetSessionState(t.Context(), []byte("half"), nil))
	full := bus.Snapshot()
	require.NotEqual(t, empty, full)
	require.Equal(t, full, bus.Snapshot())
	require.Len(t, full["sessions"].Messages, 2)
	session := full["sessions"].Sessions[0]
	require.True(t, session.LockedUntil.After(time.Now()))
	session.LockedUntil = time.Time{}
	require.Equal(t, minibus.Session{ID: "k", Messages: 2, State: []byte("half")}, session)
}

// A scheduled message's absolute expiry survives a restart.
func TestScheduledExpirySurvives(t *testing.T) {
	t.Parallel()
	fs := vfs.NewCrashableMem()
	durable := func(fs vfs.FS) func(*minibus.Options) {
		return func(o *minibus.Options) {
			topology(o)
			o.Dir, o.FS = "bus", fs
		}
	}
	first := minibus.RunT(t, durable(fs))
	due, expiry := time.Now().Add(10*time.Minute), time.Now().Add(20*time.Minute)
	require.NoError(t, sender(t, connect(t, first.ConnectionString()), "late").SendAMQPAnnotatedMessage(t.Context(), &azservicebus.AMQPAnnotatedMessage{
		Body:               azservicebus.AMQPAnnotatedMessageBody{Value: "x"},
		Properties:         &azservicebus.AMQPAnnotatedMessageProperties{AbsoluteExpiryTime: &expiry},
		MessageAnnotations: map[any]any{"x-opt-scheduled-enqueue-time": due},
	}, nil))
	second := minibus.RunT(t, durable(crash(fs)))
	require.Equal(t, minibus.Counts{Scheduled: 1}, second.Counts("late"))
	require.NoError(t, second.Advance(11*time.Minute))
	require.Equal(t, minibus.Counts{Active: 1}, second.Counts("late"))
	require.NoError(t, second.Advance(10*time.Minute))
	require.Equal(t, minibus.Counts{DeadLetter: 1}, second.Counts("late"))
}
