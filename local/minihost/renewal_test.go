package minihost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/minihost/internal/bus"
	"github.com/relaybox/relaybox/local/netsim"
)

var errAway = errors.New("the store is away")

// quiet is a broker with one queue and a listener on it, in fake time.
type quiet struct {
	t      *testing.T
	broker *minibus.Server
	pipe   *netsim.Pipe
	stop   context.CancelFunc // ends accepting
	begun  time.Time
	mu     sync.Mutex
	starts []string // "message#delivery at", of each call
}

// inBubble runs a listener on one queue until test returns; deliver is the handler.
func inBubble(t *testing.T, q minibus.Queue, c bus.Config, deliver func(context.Context, azfunc.Delivery) error, test func(*quiet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		q.Name, q.DefaultMessageTimeToLive = plainQueue, 14*24*time.Hour
		broker, err := minibus.Open(minibus.Options{Config: &minibus.Config{Queues: []minibus.Queue{q}}})
		require.NoError(t, err)
		r := &quiet{t: t, broker: broker, pipe: netsim.NewPipe(), begun: time.Now()}
		served := make(chan error, 1)
		go func() { served <- broker.Serve(r.pipe) }()

		if c.MaxSessions == 0 {
			c.MaxSessions, c.MaxCalls = 4, 4
		}
		l := &bus.Listener{
			Name: "ConsumeEvent", Config: c, Log: slog.New(slog.DiscardHandler), Dial: r.pipe.Dial,
			Trigger: bus.Trigger{Queue: plainQueue, Sessions: q.RequiresSession, Connection: bus.Connection{String: broker.ConnectionString("localhost")}},
			Ready:   func(ctx context.Context) error { return ctx.Err() },
			Deliver: func(ctx context.Context, d azfunc.Delivery) error {
				r.mu.Lock()
				r.starts = append(r.starts, fmt.Sprintf("%s#%d at %s", d.MessageID, d.DeliveryCount, time.Since(r.begun).Round(time.Minute)))
				r.mu.Unlock()
				return deliver(ctx, d)
			},
		}
		accept, stop := context.WithCancel(t.Context())
		r.stop = stop
		calls, cut := context.WithCancel(t.Context())
		listening := make(chan struct{})
		go func() { defer close(listening); l.Listen(accept, calls) }()

		defer func() { // a failed test ends here, too, or its bubble would be left with goroutines
			stop()
			cut()
			<-listening
			require.NoError(t, broker.Close())
			require.NoError(t, <-served)
		}()
		test(r)
	})
}

// send puts messages of one session on the queue.
func (r *quiet) send(ids ...string) {
	r.t.Helper()
	c, err := azservicebus.NewClientFromConnectionString(r.broker.ConnectionString("localhost"), &azservicebus.ClientOptions{
		NewWebSocketConn: func(ctx context.Context, _ azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
			return r.pipe.Dial(ctx)
		},
	})
	require.NoError(r.t, err)
	s, err := c.NewSender(plainQueue, nil)
	require.NoError(r.t, err)
	for _, id := range ids {
		require.NoError(r.t, s.SendMessage(r.t.Context(), &azservicebus.Message{MessageID: &id, SessionID: new("s"), Body: []byte(id)}, nil))
	}
	require.NoError(r.t, c.Close(r.t.Context()))
}

func (r *quiet) calls() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.starts...)
}

// held fails after a hold, as a handler does whose store is away, or with its caller.
func held(d time.Duration) func(context.Context, azfunc.Delivery) error {
	return func(ctx context.Context, _ azfunc.Delivery) error {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
		return errAway
	}
}

// A session's lock is renewed from its acceptance: the second call outlives the renewal,
// though it is no longer than the first, and its message comes again beside it.
func TestASessionIsRenewedFromItsAcceptance(t *testing.T) {
	t.Parallel()
	c := bus.Config{MaxRenewal: 6*time.Minute + 30*time.Second, SessionIdle: time.Second}
	inBubble(t, minibus.Queue{RequiresSession: true, MaxDeliveryCount: 100}, c, held(4*time.Minute), func(r *quiet) {
		r.send("m")
		time.Sleep(7*time.Minute + 45*time.Second)
		require.Equal(t, []string{"m#1 at 0s", "m#2 at 4m0s", "m#3 at 7m0s"}, r.calls())
	})
}

// A message's lock is renewed from its receipt, each time anew.
func TestAMessageIsRenewedFromItsReceipt(t *testing.T) {
	t.Parallel()
	c := bus.Config{MaxRenewal: 6*time.Minute + 30*time.Second}
	inBubble(t, minibus.Queue{MaxDeliveryCount: 100}, c, held(4*time.Minute), func(r *quiet) {
		r.send("m")
		time.Sleep(11 * time.Minute)
		require.Equal(t, []string{"m#1 at 0s", "m#2 at 4m0s", "m#3 at 8m0s"}, r.calls())
	})
	inBubble(t, minibus.Queue{MaxDeliveryCount: 100}, c, held(10*time.Minute), func(r *quiet) {
		r.send("m")
		time.Sleep(9 * time.Minute)
		require.Equal(t, []string{"m#1 at 0s", "m#2 at 7m0s"}, r.calls(), "the call outlives the renewal")
	})
}

// Renewal without an end, or none at all.
func TestRenewalForEverAndNever(t *testing.T) {
	t.Parallel()
	for _, sessions := range []bool{true, false} {
		t.Run(fmt.Sprint("sessions ", sessions), func(t *testing.T) {
			t.Parallel()
			q := minibus.Queue{RequiresSession: sessions, MaxDeliveryCount: 100}
			inBubble(t, q, bus.Config{MaxRenewal: -time.Millisecond, SessionIdle: time.Second}, held(12*time.Hour), func(r *quiet) {
				r.send("m")
				time.Sleep(11 * time.Hour)
				require.Equal(t, []string{"m#1 at 0s"}, r.calls())
			})
			inBubble(t, q, bus.Config{SessionIdle: time.Second}, held(90*time.Second), func(r *quiet) {
				r.send("m")
				time.Sleep(80 * time.Second)
				require.Equal(t, []string{"m#1 at 0s", "m#2 at 1m0s"}, r.calls())
			})
		})
	}
}

// Only a few slots ask for a session at a time: after a restart of the broker the others
// would wait for theirs behind all of them.
func TestFewSlotsAskForASession(t *testing.T) {
	t.Parallel()
	c := bus.Config{MaxSessions: 1000, MaxRenewal: time.Hour, SessionIdle: time.Second}
	inBubble(t, minibus.Queue{RequiresSession: true, MaxDeliveryCount: 100}, c, held(time.Minute), func(r *quiet) {
		time.Sleep(10 * time.Second)
		require.Equal(t, 2*runtime.NumCPU(), r.broker.Links())
		r.send("m")
		time.Sleep(30 * time.Second)
		require.Equal(t, []string{"m#1 at 0s"}, r.calls())
	})
}

// TestADayWithoutTheStore: a hold of 25 minutes, 100 deliveries and a renewal of a day, as
// host.json and infra/bicep have them, bear a day in which every hour a call fails as if its handler had died.
func TestADayWithoutTheStore(t *testing.T) {
	t.Parallel()
	const hold, outage = 25 * time.Minute, 24 * time.Hour
	for _, sessions := range []bool{true, false} {
		t.Run(fmt.Sprint("sessions ", sessions), func(t *testing.T) {
			t.Parallel()
			var begun time.Time
			store := func(ctx context.Context, d azfunc.Delivery) error {
				away := time.Since(begun)
				if away >= outage {
					return nil
				}
				death := away.Truncate(time.Hour) + time.Hour
				time.Sleep(min(hold, death-away, outage-away))
				if time.Since(begun) >= outage {
					return nil
				}
				return errAway
			}
			c := bus.Config{MaxRenewal: 24 * time.Hour, SessionIdle: time.Second}
			inBubble(t, minibus.Queue{RequiresSession: sessions, MaxDeliveryCount: 100}, c, store, func(r *quiet) {
				begun = time.Now()
				r.send("m1", "m2", "m3")
				time.Sleep(outage + time.Minute)
				require.Zero(t, r.broker.Counts(plainQueue))
				deliveries := len(r.calls())
				if !sessions {
					deliveries /= 3 // one after the other in a session, where the first one waits for all
				}
				require.InDelta(t, 72, deliveries, 3)
			})
		})
	}
}

// TestALinkThatEndsForGood: the SDK does not attach again after some conditions, and gives
// neither messages nor an error, at once. The listener makes a receiver anew, and does not spin:
// in a bubble that would never end.
func TestALinkThatEndsForGood(t *testing.T) {
	t.Parallel()
	for _, sessions := range []bool{false, true} {
		done := func(context.Context, azfunc.Delivery) error { return nil }
		inBubble(t, minibus.Queue{RequiresSession: sessions, MaxDeliveryCount: 100}, bus.Config{MaxRenewal: time.Minute, SessionIdle: time.Second}, done, func(r *quiet) {
			r.send("first")
			time.Sleep(time.Minute)
			require.NoError(t, r.broker.Inject(minibus.Fault{On: minibus.OnReceive, Do: minibus.Busy, Times: 5}))
			r.send("second", "third")
			time.Sleep(5 * time.Minute)
			require.Len(t, r.calls(), 3, "each once")
		})
	}
}

// TestWhatComesAtTheEndIsGivenBack: the host stops while calls run, and one more message comes
// for the credit that is out. It must not wait for its lock to run out.
func TestWhatComesAtTheEndIsGivenBack(t *testing.T) {
	t.Parallel()
	inBubble(t, minibus.Queue{MaxDeliveryCount: 100, LockDuration: time.Minute}, bus.Config{MaxRenewal: time.Hour}, held(20*time.Second), func(r *quiet) {
		r.send("first")
		time.Sleep(time.Second)
		r.stop()
		r.send("second")
		time.Sleep(time.Second)
		c, err := azservicebus.NewClientFromConnectionString(r.broker.ConnectionString("localhost"), &azservicebus.ClientOptions{
			NewWebSocketConn: func(ctx context.Context, _ azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
				return r.pipe.Dial(ctx)
			},
		})
		require.NoError(r.t, err)
		rx, err := c.NewReceiverForQueue(plainQueue, nil)
		require.NoError(r.t, err)
		ctx, cancel := context.WithTimeout(r.t.Context(), 5*time.Second)
		defer cancel()
		got, err := rx.ReceiveMessages(ctx, 1, nil)
		require.NoError(r.t, err)
		require.Equal(r.t, "second", got[0].MessageID)
		require.NoError(r.t, rx.CompleteMessage(r.t.Context(), got[0], nil))
		require.NoError(r.t, c.Close(r.t.Context()))
	})
}
