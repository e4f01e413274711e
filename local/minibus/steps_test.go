package minibus_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/netsim"
	"github.com/relaybox/relaybox/test/victim"
)

// stepLock is how long locks last while the connections are cut.
const stepLock = 10 * time.Minute

// maxTries is how often a message is delivered.
const maxTries = 4

// stepped is a broker with all that the steps need.
func stepped(dir string) minibus.Options {
	return minibus.Options{Dir: dir, Config: &minibus.Config{
		Queues: []minibus.Queue{
			{Name: "plain", LockDuration: stepLock, MaxDeliveryCount: maxTries, DefaultMessageTimeToLive: 1000 * time.Hour},
			{Name: "out", DefaultMessageTimeToLive: 1000 * time.Hour},
			{Name: "dedup", RequiresDuplicateDetection: true, DuplicateDetectionHistoryTimeWindow: 1000 * time.Hour, DefaultMessageTimeToLive: 1000 * time.Hour},
			{Name: "sessions", RequiresSession: true, MaxDeliveryCount: maxTries, DefaultMessageTimeToLive: 1000 * time.Hour},
			{Name: "source", ForwardTo: "out", DefaultMessageTimeToLive: 1000 * time.Hour},
		},
		Topics: []minibus.Topic{{
			Name: "events", DefaultMessageTimeToLive: 1000 * time.Hour,
			RequiresDuplicateDetection: true, DuplicateDetectionHistoryTimeWindow: 1000 * time.Hour,
			Subscriptions: []minibus.Subscription{
				{Name: "all", LockDuration: stepLock, MaxDeliveryCount: maxTries, DefaultMessageTimeToLive: 1000 * time.Hour},
				{Name: "some", Rules: []minibus.Rule{{Name: "red", SQL: "sys.Label = 'red'"}}, DefaultMessageTimeToLive: 1000 * time.Hour},
			},
		}},
	}}
}

// harm is what happens to the broker between any two steps.
type harm interface {
	addr() string
	// strike does it, and says whether a delivery under way counts as one that failed.
	strike(t *testing.T) (counts bool)
	// look shows what the broker has.
	look(t *testing.T) map[string]minibus.Snapshot
}

// kills is kill -9, and a start on the same folder.
type kills struct {
	dir    string
	left   string // a copy of what the last one has left
	broker *victim.Process
}

func (k *kills) addr() string { return k.broker.At }

func (k *kills) strike(t *testing.T) bool {
	t.Helper()
	k.broker.Kill()
	k.left = t.TempDir()
	require.NoError(t, os.CopyFS(k.left, os.DirFS(k.dir)))
	k.start(t)
	return false
}

func (k *kills) start(t *testing.T) {
	t.Helper()
	var err error
	k.broker, err = victim.Start("stepped", k.dir)
	require.NoError(t, err)
}

// look opens the copy: a broker that is closed in peace would mend what the next one has to.
func (k *kills) look(t *testing.T) map[string]minibus.Snapshot {
	t.Helper()
	bus, err := minibus.Open(stepped(k.left))
	require.NoError(t, err)
	defer func() { require.NoError(t, bus.Close()) }()
	return bus.Snapshot()
}

// cuts ends all connections, and then all locks.
type cuts struct {
	bus *minibus.Server
	l   *netsim.Listener
}

func (c *cuts) addr() string { return c.l.Addr().String() }

func (c *cuts) strike(t *testing.T) bool {
	t.Helper()
	c.l.Cut()
	require.Eventually(t, func() bool { return c.bus.Links() == 0 }, time.Minute, time.Millisecond)
	c.l.Heal()
	require.NoError(t, c.bus.Advance(stepLock+time.Second))
	return true
}

func (c *cuts) look(*testing.T) map[string]minibus.Snapshot { return c.bus.Snapshot() }

// TestStepsWithHarmBetween does what clients do, step by step: after each the broker is killed, or its connections are
// cut, and what it has is what it has confirmed. In order, and in some orders by chance (BUS_ORDERS; 3). The client is
// one for all, and finds its way back by itself.
func TestStepsWithHarmBetween(t *testing.T) {
	t.Parallel()
	orders := 3
	if text := os.Getenv("BUS_ORDERS"); text != "" {
		var err error
		orders, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	for order := range orders + 1 {
		t.Run(fmt.Sprint("kills ", order), func(t *testing.T) {
			t.Parallel()
			k := &kills{dir: t.TempDir()}
			k.start(t)
			t.Cleanup(func() { k.broker.Kill() })
			walk(t, k, uint64(order))
		})
		t.Run(fmt.Sprint("cuts ", order), func(t *testing.T) {
			t.Parallel()
			bus, err := minibus.Open(stepped(""))
			require.NoError(t, err)
			l := netsim.Wrap(listen(t))
			served := make(chan error, 1)
			go func() { served <- bus.Serve(l) }()
			t.Cleanup(func() {
				require.NoError(t, bus.Close())
				require.NoError(t, <-served)
			})
			walk(t, &cuts{bus, l}, uint64(order))
		})
	}
}

// walk does all steps in order, or as many by chance, with a harm after each.
func walk(t *testing.T, h harm, order uint64) {
	t.Helper()
	w := &walker{
		t: t, harm: h, random: rand.New(rand.NewPCG(order, order)),
		senders: map[string]*azservicebus.Sender{}, receivers: map[string]*azservicebus.Receiver{},
		model: model{kept: map[string][]*kept{}, states: map[string]string{}, colours: map[string]bool{"red": true}, numbers: map[string]int64{}, known: map[string][]string{}},
	}
	var err error
	w.client, err = azservicebus.NewClientFromConnectionString(minibus.DefaultPolicy.ConnectionString("127.0.0.1:1"), &azservicebus.ClientOptions{
		RetryOptions: azservicebus.RetryOptions{MaxRetries: 100, RetryDelay: time.Millisecond, MaxRetryDelay: 100 * time.Millisecond},
		// The next broker has another address.
		NewWebSocketConn: func(ctx context.Context, _ azservicebus.NewWebSocketConnArgs) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", h.addr())
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = w.client.Close(ctx) // its last connection may be gone
	})
	var done []string
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the steps of order %d: %q", order, done)
		}
	})
	for n := range len(steps) {
		s := steps[n]
		for order > 0 {
			if s = steps[w.random.IntN(len(steps))]; s.can == nil || s.can(&w.model) {
				break
			}
		}
		require.True(t, s.can == nil || s.can(&w.model), "%s: not in this order", s.name)
		done = append(done, s.name)
		s.do(w)
		w.settled(h.strike(t))
		w.compare(s.name)
	}
}
