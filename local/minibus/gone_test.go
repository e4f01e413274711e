package minibus_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/netsim"
)

// TestWhoIsGoneHoldsNoSession: a receiver that is killed gives its session back with its
// connection, its message uncounted; one that is frozen, when its lock ends, and counted.
func TestWhoIsGoneHoldsNoSession(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		killed bool
		after  time.Duration
		count  uint32
	}{"killed": {true, 0, 1}, "frozen": {false, time.Minute, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var o minibus.Options
				topology(&o)
				bus, err := minibus.Open(o)
				require.NoError(t, err)
				pipe := netsim.NewPipe()
				served := make(chan error, 1)
				go func() { served <- bus.Serve(pipe) }()
				var line net.Conn // of the last client
				client := func() *azservicebus.Client {
					c, err := azservicebus.NewClientFromConnectionString(bus.ConnectionString("localhost"), &azservicebus.ClientOptions{
						NewWebSocketConn: func(ctx context.Context, _ azservicebus.NewWebSocketConnArgs) (_ net.Conn, err error) {
							line, err = pipe.Dial(ctx)
							return line, err
						},
					})
					require.NoError(t, err)
					return c
				}
				heir := client()
				require.NoError(t, sender(t, heir, "sessions").SendMessage(t.Context(), &azservicebus.Message{SessionID: new("s")}, nil))
				owner := client()
				rx, err := owner.AcceptNextSessionForQueue(t.Context(), "sessions", nil)
				require.NoError(t, err)
				_, err = rx.ReceiveMessages(t.Context(), 1, nil)
				require.NoError(t, err)

				begun := time.Now()
				if row.killed {
					require.NoError(t, line.Close())
				}
				rx, err = heir.AcceptNextSessionForQueue(t.Context(), "sessions", nil)
				require.NoError(t, err)
				got, err := rx.ReceiveMessages(t.Context(), 1, nil)
				require.NoError(t, err)
				require.WithinDuration(t, begun.Add(row.after), time.Now(), 100*time.Millisecond)
				require.Equal(t, row.count, got[0].DeliveryCount)

				_ = owner.Close(t.Context()) // its connection may be gone
				require.NoError(t, heir.Close(t.Context()))
				require.NoError(t, bus.Close())
				require.NoError(t, <-served)
			})
		})
	}
}
