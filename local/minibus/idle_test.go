package minibus_test

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/netsim"
)

// inBubble runs a broker and a client over in-memory connections in fake time. dials counts connections.
func inBubble(t *testing.T, test func(t *testing.T, bus *minibus.Server, c *azservicebus.Client, dials *atomic.Int32)) {
	synctest.Test(t, func(t *testing.T) {
		var o minibus.Options
		topology(&o)
		bus, err := minibus.Open(o)
		require.NoError(t, err)
		underFaults(t, bus)
		pipe := netsim.NewPipe()
		served := make(chan error, 1)
		go func() { served <- bus.Serve(pipe) }()
		dials := new(atomic.Int32)
		c, err := azservicebus.NewClientFromConnectionString(bus.ConnectionString("localhost"), &azservicebus.ClientOptions{
			NewWebSocketConn: func(ctx context.Context, _ azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
				dials.Add(1)
				return pipe.Dial(ctx)
			},
		})
		require.NoError(t, err)
		test(t, bus, c, dials)
		require.NoError(t, c.Close(t.Context()))
		require.NoError(t, bus.Close())
		require.NoError(t, <-served)
	})
}

func TestIdleConnectionLives(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, bus *minibus.Server, c *azservicebus.Client, dials *atomic.Int32) {
		r := receiver(t, c, "plain", nil)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		_, err := r.ReceiveMessages(ctx, 1, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualValues(t, 1, dials.Load(), "no heartbeat for 60 s makes the client connect again")
	})
}

func TestEmulatorTimes(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, bus *minibus.Server, c *azservicebus.Client, _ *atomic.Int32) {
		r := receiver(t, c, "plain", nil)
		require.NoError(t, sender(t, c, "plain").SendMessage(t.Context(), &azservicebus.Message{}, nil))
		first := time.Now()
		got, err := r.ReceiveMessages(t.Context(), 1, nil)
		require.NoError(t, err)
		time.Sleep(50 * time.Second)
		require.NoError(t, r.RenewMessageLock(t.Context(), got[0], nil))
		require.WithinDuration(t, time.Now().Add(time.Minute), *got[0].LockedUntil, time.Second)
		got, err = r.ReceiveMessages(t.Context(), 1, nil)
		require.NoError(t, err)
		require.EqualValues(t, 2, got[0].DeliveryCount)
		require.WithinDuration(t, first.Add(110*time.Second), time.Now(), time.Second, "the lock's minute, begun again after 50 s")
		time.Sleep(time.Hour)
		require.Zero(t, bus.Counts("plain"), "expired after the lock had ended")
	})
}

// The client gives the broker all of its own time but a moment: only in fake time is it certain who is first.
func TestNoSessionInTime(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, _ *minibus.Server, c *azservicebus.Client, _ *atomic.Int32) {
		for _, patience := range []time.Duration{1500 * time.Millisecond, 5 * time.Minute} {
			started := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			_, err := c.AcceptNextSessionForQueue(ctx, "sessions", nil)
			cancel()
			requireCode(t, err, azservicebus.CodeTimeout)
			require.WithinDuration(t, started.Add(patience), time.Now(), 150*time.Millisecond)
		}
	})
}
