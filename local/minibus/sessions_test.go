package minibus_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

func requireCode(t *testing.T, err error, code azservicebus.Code) {
	t.Helper()
	var sbErr *azservicebus.Error
	require.ErrorAs(t, err, &sbErr)
	require.Equal(t, code, sbErr.Code)
}

func TestSessionsKeepOrder(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	s := sender(t, c, "sessions")
	for i := 1; i <= 3; i++ {
		sendTo(t, s, "a", fmt.Sprint("a", i))
		sendTo(t, s, "b", fmt.Sprint("b", i))
	}
	a, err := c.AcceptNextSessionForQueue(within(t, time.Minute), "sessions", nil)
	require.NoError(t, err)
	require.Equal(t, "a", a.SessionID(), "the session with the oldest message comes first")
	b, err := c.AcceptSessionForQueue(within(t, time.Minute), "sessions", "b", nil)
	require.NoError(t, err)

	m := receive(t, a, 1)[0]
	require.Equal(t, "a1", string(m.Body))
	require.NoError(t, a.AbandonMessage(t.Context(), m, nil))
	got := receive(t, a, 3)
	require.Equal(t, []string{"a1", "a2", "a3"}, bodies(got), "an abandoned message goes back to its place")
	require.EqualValues(t, 2, got[0].DeliveryCount)
	require.Equal(t, []string{"b1", "b2", "b3"}, bodies(receive(t, b, 3)))

	// Closing gives unsettled messages back: first, in order, uncounted.
	require.NoError(t, b.Close(t.Context()))
	b, err = c.AcceptSessionForQueue(within(t, time.Minute), "sessions", "b", nil)
	require.NoError(t, err)
	got = receive(t, b, 3)
	require.Equal(t, []string{"b1", "b2", "b3"}, bodies(got))
	require.EqualValues(t, 1, got[0].DeliveryCount)
}

func TestSessionHasOneOwner(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	first, err := c.AcceptSessionForQueue(within(t, time.Minute), "sessions", "s", nil)
	require.NoError(t, err)
	_, err = c.AcceptSessionForQueue(within(t, time.Minute), "sessions", "s", nil)
	require.ErrorContains(t, err, "com.microsoft:session-cannot-be-locked")
	require.NoError(t, first.Close(t.Context()))
	_, err = c.AcceptSessionForQueue(within(t, time.Minute), "sessions", "s", nil)
	require.NoError(t, err)
}

func TestNextSessionWaits(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	c := connect(t, bus.ConnectionString())
	accepted := make(chan string, 1)
	go func() {
		r, err := c.AcceptNextSessionForQueue(within(t, time.Minute), "sessions", nil)
		if err != nil {
			accepted <- err.Error()
			return
		}
		accepted <- r.SessionID()
	}()
	sendTo(t, sender(t, c, "sessions"), "s", "x")
	require.Equal(t, "s", <-accepted)
}

func TestSessionLock(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	sendTo(t, sender(t, c, "shortsessions"), "s", "x")
	r, err := c.AcceptSessionForQueue(within(t, time.Minute), "shortsessions", "s", nil)
	require.NoError(t, err)
	m := receive(t, r, 1)[0]
	before := r.LockedUntil()
	require.NoError(t, r.RenewSessionLock(t.Context(), nil))
	require.False(t, r.LockedUntil().Before(before))

	// The next owner gets it as soon as the lock has expired; the failed delivery is counted.
	next, err := c.AcceptNextSessionForQueue(within(t, time.Minute), "shortsessions", nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, receive(t, next, 1)[0].DeliveryCount)
	// The SDK answers a lost session lock by trying to accept the session again, for longer than a test should take.
	require.Error(t, r.CompleteMessage(within(t, 300*time.Millisecond), m, nil))
}

func TestSessionState(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	with := func(use func(*azservicebus.SessionReceiver)) {
		r, err := c.AcceptSessionForQueue(within(t, time.Minute), "sessions", "s", nil)
		require.NoError(t, err)
		use(r)
		require.NoError(t, r.Close(context.Background()))
	}
	with(func(r *azservicebus.SessionReceiver) {
		state, err := r.GetSessionState(t.Context(), nil)
		require.NoError(t, err)
		require.Nil(t, state)
		require.NoError(t, r.SetSessionState(t.Context(), []byte("half way"), nil))
	})
	with(func(r *azservicebus.SessionReceiver) {
		state, err := r.GetSessionState(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, "half way", string(state))
		require.NoError(t, r.SetSessionState(t.Context(), nil, nil))
		state, err = r.GetSessionState(t.Context(), nil)
		require.NoError(t, err)
		require.Nil(t, state)
	})
}

func TestListSessions(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	s := sender(t, c, "sessions")
	batch, err := s.NewMessageBatch(t.Context(), nil)
	require.NoError(t, err)
	for i := range 120 {
		require.NoError(t, batch.AddMessage(&azservicebus.Message{SessionID: new(fmt.Sprintf("s%03d", i))}, nil))
	}
	require.NoError(t, s.SendMessageBatch(t.Context(), batch, nil))
	r, err := c.AcceptSessionForQueue(within(t, time.Minute), "sessions", "state only", nil)
	require.NoError(t, err)
	require.NoError(t, r.SetSessionState(t.Context(), []byte("x"), nil))

	list := func(opts *azservicebus.ListSessionsOptions) (ids []string, pages int) {
		pager := c.NewListSessionsForQueuePager("sessions", opts)
		for pager.More() {
			page, err := pager.NextPage(t.Context())
			require.NoError(t, err)
			ids = append(ids, page.Sessions...)
			pages++
		}
		return ids, pages
	}
	ids, pages := list(nil)
	require.Len(t, ids, 121)
	require.Equal(t, 2, pages)
	ids, _ = list(&azservicebus.ListSessionsOptions{SessionStateUpdatedAfter: new(time.Now().Add(-time.Minute))})
	require.Equal(t, []string{"state only"}, ids)
}

func TestSessionReceiversAndOthers(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	_, err := receiver(t, c, "sessions", nil).ReceiveMessages(within(t, time.Minute), 1, nil)
	require.ErrorContains(t, err, "It is not possible for an entity that requires sessions to create a non-sessionful message receiver.")
	_, err = c.AcceptSessionForQueue(within(t, time.Minute), "plain", "s", nil)
	require.ErrorContains(t, err, "A sessionful message receiver cannot be created on an entity that does not require sessions.")
	err = sender(t, c, "sessions").SendMessage(within(t, time.Minute), &azservicebus.Message{}, nil)
	require.ErrorContains(t, err, "The SessionId was not set on a message, and it cannot be sent to the entity.")
	require.Zero(t, bus.Counts("sessions"))
}
