package minibus_test

import (
	"context"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

func TestSendReceiveComplete(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	send(t, sender(t, c, "plain"), "one", "two", "three")
	require.Equal(t, 3, bus.Counts("plain").Active)

	r := receiver(t, c, "plain", nil)
	got := receive(t, r, 3)
	require.Equal(t, []string{"one", "two", "three"}, bodies(got))
	for i, m := range got {
		require.EqualValues(t, 1, m.DeliveryCount)
		require.EqualValues(t, i+1, *m.SequenceNumber)
		require.NotEmpty(t, m.MessageID)
		require.WithinDuration(t, time.Now().Add(time.Minute), *m.LockedUntil, 10*time.Second)
		require.NoError(t, r.CompleteMessage(t.Context(), m, nil))
	}
	require.Zero(t, bus.Counts("plain"))
}

func TestSettlements(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	s, r := sender(t, c, "plain"), receiver(t, c, "plain", nil)
	one := func(body string) *azservicebus.ReceivedMessage {
		send(t, s, body)
		return receive(t, r, 1)[0]
	}
	again := func() *azservicebus.ReceivedMessage { return receive(t, r, 1)[0] }

	t.Run("abandon", func(t *testing.T) {
		m := one("abandon")
		require.NoError(t, r.AbandonMessage(t.Context(), m, &azservicebus.AbandonMessageOptions{
			PropertiesToModify: map[string]any{"note": "tried"},
		}))
		m = again()
		require.EqualValues(t, 2, m.DeliveryCount)
		require.Equal(t, "tried", m.ApplicationProperties["note"])
		require.NoError(t, r.CompleteMessage(t.Context(), m, nil))
	})
	t.Run("dead-letter", func(t *testing.T) {
		m := one("poison")
		started := time.Now()
		require.NoError(t, r.DeadLetterMessage(t.Context(), m, &azservicebus.DeadLetterOptions{
			Reason: new("bad"), ErrorDescription: new("really bad"), PropertiesToModify: map[string]any{"extra": int64(7)},
		}))
		require.Less(t, time.Since(started), 30*time.Second)
		require.Equal(t, 1, bus.Counts("plain").DeadLetter)
		dead := receiver(t, c, "plain", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
		m = receive(t, dead, 1)[0]
		require.Equal(t, "bad", *m.DeadLetterReason)
		require.Equal(t, "really bad", *m.DeadLetterErrorDescription)
		require.Equal(t, "plain", *m.DeadLetterSource)
		require.EqualValues(t, 7, m.ApplicationProperties["extra"])
		require.EqualValues(t, 1, m.DeliveryCount)
		require.NoError(t, dead.AbandonMessage(t.Context(), m, nil))
		m = receive(t, dead, 1)[0]
		require.EqualValues(t, 1, m.DeliveryCount, "a dead-letter queue does not count")
		require.NoError(t, dead.CompleteMessage(t.Context(), m, nil))
	})
	t.Run("defer", func(t *testing.T) {
		m := one("later")
		number := *m.SequenceNumber
		require.NoError(t, r.DeferMessage(t.Context(), m, nil))
		require.Equal(t, 1, bus.Counts("plain").Deferred)
		deferred, err := r.ReceiveDeferredMessages(t.Context(), []int64{number}, nil)
		require.NoError(t, err)
		require.Equal(t, azservicebus.MessageStateDeferred, deferred[0].State)
		require.EqualValues(t, 1, deferred[0].DeliveryCount)
		require.NoError(t, r.AbandonMessage(t.Context(), deferred[0], nil))
		deferred, err = r.ReceiveDeferredMessages(t.Context(), []int64{number}, nil)
		require.NoError(t, err, "an abandoned deferred message stays deferred")
		require.EqualValues(t, 2, deferred[0].DeliveryCount)
		require.NoError(t, r.CompleteMessage(t.Context(), deferred[0], nil))
	})
	t.Run("receive and delete", func(t *testing.T) {
		send(t, s, "gone")
		rd := receiver(t, c, "plain", &azservicebus.ReceiverOptions{ReceiveMode: azservicebus.ReceiveModeReceiveAndDelete})
		require.Equal(t, []string{"gone"}, bodies(receive(t, rd, 1)))
		require.Zero(t, bus.Counts("plain").Active)
		require.NoError(t, rd.Close(t.Context()))
	})
	t.Run("after the link has closed", func(t *testing.T) {
		m := one("orphan")
		require.NoError(t, r.Close(t.Context()))
		second := receiver(t, c, "plain", nil)
		require.NoError(t, second.RenewMessageLock(t.Context(), m, nil))
		require.NoError(t, second.CompleteMessage(t.Context(), m, nil))
		require.Zero(t, bus.Counts("plain").Active)
	})
}

func TestLocksExpire(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	send(t, sender(t, c, "short"), "x")
	r := receiver(t, c, "short", nil)
	first := receive(t, r, 1)[0]
	before := *first.LockedUntil
	require.NoError(t, r.RenewMessageLock(t.Context(), first, nil))
	require.False(t, first.LockedUntil.Before(before))

	second := receive(t, r, 1)[0] // as soon as the lock has expired
	require.EqualValues(t, 2, second.DeliveryCount)
	var sbErr *azservicebus.Error
	require.ErrorAs(t, r.CompleteMessage(t.Context(), first, nil), &sbErr)
	require.Equal(t, azservicebus.CodeLockLost, sbErr.Code)
	require.ErrorAs(t, r.RenewMessageLock(t.Context(), first, nil), &sbErr)
	require.Equal(t, azservicebus.CodeLockLost, sbErr.Code)

	// The second was the last delivery: what was not settled then goes to the dead-letter queue.
	require.NoError(t, r.AbandonMessage(t.Context(), second, nil))
	dead := receiver(t, c, "short", &azservicebus.ReceiverOptions{SubQueue: azservicebus.SubQueueDeadLetter})
	m := receive(t, dead, 1)[0]
	require.Equal(t, "MaxDeliveryCountExceeded", *m.DeadLetterReason)
	require.NoError(t, dead.CompleteMessage(t.Context(), m, nil))
}

func TestMaxDeliveries(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	send(t, sender(t, c, "plain"), "x")
	r := receiver(t, c, "plain", nil)
	for n := 1; n <= 3; n++ {
		m := receive(t, r, 1)[0]
		require.EqualValues(t, n, m.DeliveryCount)
		require.NoError(t, r.AbandonMessage(t.Context(), m, nil))
	}
	require.Zero(t, bus.Counts("plain").Active)
	require.Equal(t, "MaxDeliveryCountExceeded", bus.Peek("plain/$DeadLetterQueue")[0].Properties["DeadLetterReason"])
}

func TestUnusedCreditLosesNothing(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	r := receiver(t, c, "plain", nil)
	_, err := r.ReceiveMessages(within(t, 50*time.Millisecond), 5, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	s := sender(t, c, "plain")
	send(t, s, "a", "b", "c")
	got := receive(t, r, 3)
	require.ElementsMatch(t, []string{"a", "b", "c"}, bodies(got))
	for _, m := range got {
		require.EqualValues(t, 1, m.DeliveryCount)
		require.NoError(t, r.CompleteMessage(t.Context(), m, nil))
	}
}

func TestTimeToLive(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	for _, queue := range []string{"plain", "late"} {
		require.NoError(t, sender(t, c, queue).SendMessage(t.Context(), &azservicebus.Message{TimeToLive: new(100 * time.Millisecond)}, nil))
	}
	require.Eventually(t, func() bool { return bus.Counts("plain").Active+bus.Counts("late").Active == 0 }, time.Minute, 5*time.Millisecond)
	require.Zero(t, bus.Counts("plain").DeadLetter)
	require.Equal(t, "TTLExpiredException", bus.Peek("late/$DeadLetterQueue")[0].Properties["DeadLetterReason"])
}

func TestPeekChangesNothing(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	s, r := sender(t, c, "plain"), receiver(t, c, "plain", nil)
	send(t, s, "active", "locked", "deferred")
	got := receive(t, r, 3)
	require.NoError(t, r.AbandonMessage(t.Context(), got[0], nil))
	require.NoError(t, r.DeferMessage(t.Context(), got[2], nil))
	_, err := s.ScheduleMessages(t.Context(), []*azservicebus.Message{{Body: []byte("scheduled")}}, time.Now().Add(time.Hour), nil)
	require.NoError(t, err)
	for range 2 {
		peeked, err := r.PeekMessages(t.Context(), 10, &azservicebus.PeekMessagesOptions{FromSequenceNumber: new(int64(0))})
		require.NoError(t, err)
		require.Equal(t, []string{"active", "locked", "deferred", "scheduled"}, bodies(peeked))
		var states []azservicebus.MessageState
		for _, m := range peeked {
			states = append(states, m.State)
		}
		require.Equal(t, []azservicebus.MessageState{0, 0, 1, 2}, states)
	}
	require.Equal(t, minibus.Counts{Active: 2, Deferred: 1, Scheduled: 1, Locked: 1}, bus.Counts("plain"))
}
