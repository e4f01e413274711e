package minibus_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/netsim"
)

func TestManyLinksOnOneConnection(t *testing.T) {
	t.Parallel()
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			s, err := c.NewSender("plain", nil)
			if err == nil {
				err = s.SendMessage(t.Context(), &azservicebus.Message{MessageID: new(fmt.Sprint(i))}, nil)
			}
			if err != nil {
				t.Error(err)
				return
			}
			r, err := c.NewReceiverForQueue("plain", nil)
			if err != nil {
				t.Error(err)
				return
			}
			got, err := r.ReceiveMessages(t.Context(), 1, nil)
			if err != nil || len(got) != 1 || r.CompleteMessage(t.Context(), got[0], nil) != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Zero(t, bus.Counts("plain"))
	require.NoError(t, c.Close(t.Context()))
	require.NoError(t, c.Close(t.Context()))
	require.Eventually(t, func() bool { return bus.Links() == 0 }, time.Minute, time.Millisecond)
}

// Everything is completed exactly once, whoever receives it.
func TestConcurrentReceivers(t *testing.T) {
	t.Parallel()
	total := 10_000
	if wayOf(t) != "" {
		total = 1000 // faults take their time
	}
	bus := runT(t, topology)
	c := connect(t, bus.ConnectionString())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var mu sync.Mutex
	completed := map[string]int{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			r, err := c.NewReceiverForQueue("plain", nil)
			if err != nil {
				t.Error(err)
				return
			}
			for {
				got, err := r.ReceiveMessages(ctx, 50, nil)
				if err != nil {
					return
				}
				for _, m := range got {
					if err := r.CompleteMessage(t.Context(), m, nil); err != nil {
						t.Error(err)
					}
					mu.Lock()
					if completed[m.MessageID]++; len(completed) == total {
						cancel()
					}
					mu.Unlock()
				}
			}
		})
	}
	s := sender(t, c, "plain")
	for n := 0; n < total; {
		batch, err := s.NewMessageBatch(t.Context(), nil)
		require.NoError(t, err)
		for range 100 {
			require.NoError(t, batch.AddMessage(&azservicebus.Message{MessageID: new(fmt.Sprint(n))}, nil))
			n++
		}
		require.NoError(t, s.SendMessageBatch(t.Context(), batch, nil))
	}
	wg.Wait()
	require.Len(t, completed, total)
	for id, n := range completed {
		require.Equal(t, 1, n, id)
	}
	require.Zero(t, bus.Counts("plain"))
}

// A cut connection costs time, not messages: locks run out, sessions are free at once.
func TestCutConnections(t *testing.T) {
	t.Parallel()
	var o minibus.Options
	topology(&o)
	bus, err := minibus.Open(o)
	require.NoError(t, err)
	underFaults(t, bus)
	l := netsim.Wrap(listen(t))
	served := make(chan error, 1)
	go func() { served <- bus.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, bus.Close())
		require.NoError(t, <-served)
	})
	c := connect(t, bus.ConnectionString(l.Addr().String()))
	s := sender(t, c, "short")
	send(t, s, "x")
	r := receiver(t, c, "short", nil)
	receive(t, r, 1)
	sendTo(t, sender(t, c, "sessions"), "k", "y")
	_, err = c.AcceptSessionForQueue(within(t, time.Minute), "sessions", "k", nil)
	require.NoError(t, err)
	l.Cut()
	require.Eventually(t, func() bool { return bus.Links() == 0 }, time.Minute, time.Millisecond)
	l.Heal()
	var again []*azservicebus.ReceivedMessage
	require.Eventually(t, func() bool {
		again, _ = r.ReceiveMessages(within(t, 2*time.Second), 1, nil)
		return len(again) == 1
	}, time.Minute, time.Millisecond)
	require.EqualValues(t, 2, again[0].DeliveryCount)
	require.NoError(t, r.CompleteMessage(t.Context(), again[0], nil))
	second, err := c.AcceptSessionForQueue(within(t, time.Minute), "sessions", "k", nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, receive(t, second, 1)[0].DeliveryCount)
}
