package servicebus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/go-amqp"
	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/local/netsim"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
	"github.com/stretchr/testify/require"
)

const (
	subscription = "events/Subscriptions/all"
	window       = 10 * time.Minute // as in infra/bicep; the emulator's own is too short
)

func topology(o *minibus.Options) {
	o.Config = &minibus.Config{Topics: []minibus.Topic{{
		Name: "events", RequiresDuplicateDetection: true, DuplicateDetectionHistoryTimeWindow: window,
		Subscriptions: []minibus.Subscription{{Name: "all", RequiresSession: true}},
	}}}
}

// closed closes c with the test, and finds that this leaves nothing open.
func closed(t *testing.T, c *Client) *Client {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		require.NoError(t, c.Close(ctx))
	})
	return c
}

func received(bus *minibus.Server, key string) []outbox.Event {
	var got []outbox.Event
	for _, m := range bus.Peek(subscription) {
		if m.SessionID != key {
			continue
		}
		e := outbox.Event{Key: m.SessionID, ID: m.MessageID, Type: m.Subject, Envelope: m.Body}
		e.Seq, _ = m.Properties["seq"].(int64)
		e.Trace.Parent, _ = m.Properties["traceparent"].(string)
		e.Trace.State, _ = m.Properties["tracestate"].(string)
		e.ReplayFor, _ = m.Properties["replayfor"].(string)
		got = append(got, e)
	}
	return got
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]PublisherOptions{
		"":                   {},
		"OneLane":            {Lanes: 1},
		"OneSessionPerBatch": {OneSessionPerBatch: true},
	} {
		t.Run("Publisher"+name, func(t *testing.T) {
			outboxtest.TestPublisher(t, func(t *testing.T) outboxtest.Broker {
				bus, network, conn := behind(t)
				inject := func(f minibus.Fault) func() {
					return func() { require.NoError(t, bus.Inject(f)) }
				}
				return outboxtest.Broker{
					Publisher: closed(t, Open(Connection{ConnectionString: conn}, Options{})).Publisher("events", opts),
					Received:  func(_ *testing.T, key string) []outbox.Event { return received(bus, key) },
					Window:    window,
					Advance:   func(d time.Duration) { require.NoError(t, bus.Advance(d)) },
					TooLarge:  300 << 10,
					Down:      network.Cut, Up: network.Heal,
					Stall: inject(minibus.Fault{On: minibus.OnSend, Do: minibus.Stall}), Resume: bus.ClearFaults,
					RefuseAll: inject(minibus.Fault{On: minibus.OnSend, Do: minibus.Refuse, Condition: string(amqp.ErrCondNotAllowed), Text: "no"}), TakeAll: bus.ClearFaults,
				}
			})
		})
	}
}

func TestContentType(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	p := closed(t, Open(Connection{ConnectionString: bus.ConnectionString()}, Options{})).Publisher("events", PublisherOptions{})
	require.NoError(t, p.Ready(t.Context()))
	require.Equal(t, "ok", outcome(p.Publish(t.Context(), events("a1"))))
	require.Equal(t, "application/cloudevents+json", bus.Peek(subscription)[0].ContentType)
}

// behind runs a broker behind a network that can be cut.
func behind(t *testing.T) (*minibus.Server, *netsim.Listener, string) {
	var o minibus.Options
	topology(&o)
	bus, err := minibus.Open(o)
	require.NoError(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	network := netsim.Wrap(l)
	var serving sync.WaitGroup
	serving.Go(func() { require.NoError(t, bus.Serve(network)) })
	t.Cleanup(func() {
		require.NoError(t, bus.Close())
		serving.Wait()
	})
	return bus, network, bus.ConnectionString(l.Addr().String())
}

// An outage is noticed at once, costs no message, and is over with the first send
// behind it, again and again.
func TestOutage(t *testing.T) {
	t.Parallel()
	bus, network, conn := behind(t)
	network.Cut() // the very first call meets it, too
	p := closed(t, Open(Connection{ConnectionString: conn}, Options{})).Publisher("events", PublisherOptions{})
	for round := range 3 {
		start := time.Now()
		names := fmt.Sprintf("a%d b%d", round+1, round+1)
		require.Equal(t, "unavailable, unavailable", outcome(p.Publish(t.Context(), events(names))))
		network.Heal()
		require.Equal(t, "ok, ok", outcome(p.Publish(t.Context(), events(names))))
		require.Less(t, time.Since(start), 30*time.Second)
		network.Cut()
	}
	require.Len(t, received(bus, "a"), 3)
	require.Len(t, received(bus, "b"), 3)
}

// TestReach: whether the broker is there is asked of the broker, not of a link that stood, and
// a link that stands is left alone.
func TestReach(t *testing.T) {
	t.Parallel()
	_, network, conn := behind(t)
	c := closed(t, Open(Connection{ConnectionString: conn}, Options{ConnectTimeout: time.Second}))
	p := c.Publisher("events", PublisherOptions{})
	require.NoError(t, c.Reach(t.Context(), "events"), "before anything was sent")
	require.Equal(t, "ok", outcome(p.Publish(t.Context(), events("a1"))))
	before, ok := c.attached("events")
	require.True(t, ok)
	require.NoError(t, c.Reach(t.Context(), "events"))
	after, ok := c.attached("events")
	require.True(t, ok)
	require.Equal(t, before, after)
	for range 3 {
		require.NoError(t, c.Reach(t.Context(), "events"))
		network.Cut()
		require.Error(t, c.Reach(t.Context(), "events"))
		network.Heal()
	}
	require.Error(t, c.Reach(t.Context(), "nobody's"))
	require.Equal(t, "ok", outcome(p.Publish(t.Context(), events("a2"))))
}

func TestOutageUnderLoad(t *testing.T) {
	t.Parallel()
	bus, network, conn := behind(t)
	p := closed(t, Open(Connection{ConnectionString: conn}, Options{})).Publisher("events", PublisherOptions{})
	var wg sync.WaitGroup
	for key := range 8 {
		wg.Go(func() {
			for seq := 1; seq <= 40; {
				e := outbox.Event{Key: fmt.Sprint(key), Seq: int64(seq), ID: fmt.Sprintf("%d-%d", key, seq), Type: "t", Envelope: []byte(`{}`)}
				err := p.Publish(t.Context(), []outbox.Event{e})[0]
				if err == nil {
					seq++
					continue
				}
				require.False(t, outbox.ClassOf(err).Permanent(), "%v", err)
			}
		})
	}
	for range 3 {
		network.Cut()
		network.Heal()
	}
	wg.Wait()
	for key := range 8 {
		got := received(bus, fmt.Sprint(key))
		require.Len(t, got, 40)
		for i, e := range got {
			require.EqualValues(t, i+1, e.Seq)
		}
	}
}

func TestOperatorsMistakes(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology, func(o *minibus.Options) {
		o.Policies = append(o.Policies, minibus.DefaultPolicy, minibus.Policy{Name: "reader", Key: "a2V5", Claims: []minibus.Claim{minibus.Listen}})
	})
	for name, row := range map[string]struct {
		conn, topic string
		want        outbox.Class
	}{
		"no such topic": {bus.ConnectionString(), "nowhere", outbox.Unavailable},
		"wrong key":     {strings.Replace(bus.ConnectionString(), "SAS_KEY_VALUE", "AAAA", 1), "events", outbox.Unauthorized},
		"no claim": {strings.NewReplacer("SAS_KEY_VALUE", "a2V5", "RootManageSharedAccessKey", "reader").Replace(bus.ConnectionString()),
			"events", outbox.Unauthorized},
		"no connection": {"Endpoint=sb://127.0.0.1", "events", outbox.Unauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := closed(t, Open(Connection{ConnectionString: row.conn}, Options{})).Publisher(row.topic, PublisherOptions{})
			require.Equal(t, row.want, outbox.ClassOf(p.Ready(t.Context())))
			results := p.Publish(t.Context(), events("a1 a2"))
			require.Equal(t, row.want, outbox.ClassOf(results[0]), "%v", results[0])
			require.Equal(t, outbox.ErrNotAttempted, results[1])
			require.NotContains(t, results[0].Error(), "AAAA")
		})
	}
}

// A peer that takes the connection and says nothing.
func TestSilentPeer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	conn := "Endpoint=sb://" + l.Addr().String() + ";SharedAccessKeyName=a;SharedAccessKey=b;UseDevelopmentEmulator=true"
	p := closed(t, Open(Connection{ConnectionString: conn}, Options{ConnectTimeout: 500 * time.Millisecond})).Publisher("events", PublisherOptions{})

	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.Equal(t, "timeout", outcome(p.Publish(ctx, events("a1"))))
	// The socket's deadline and ours are the same; the SDK calls the former a lost connection.
	require.Contains(t, []string{"timeout", "unavailable"}, outcome(p.Publish(t.Context(), events("a1"))))
}

func TestCloseIsFinal(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	c := Open(Connection{ConnectionString: bus.ConnectionString()}, Options{})
	p := c.Publisher("events", PublisherOptions{})
	require.Equal(t, "ok", outcome(p.Publish(t.Context(), events("a1"))))
	require.NoError(t, c.Close(t.Context()))
	require.NoError(t, c.Close(t.Context()), "twice is fine")
	results := p.Publish(t.Context(), events("a2"))
	require.ErrorIs(t, errors.Join(results...), errClosed)
	require.ErrorIs(t, errors.Join(c.Publisher("events", PublisherOptions{}).Publish(t.Context(), events("a2"))...), errClosed)
}

// TestAnIdleConnectionIsGivenUp: nothing renews its claims, and the next send makes another.
func TestAnIdleConnectionIsGivenUp(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	c := closed(t, Open(Connection{ConnectionString: bus.ConnectionString()}, Options{IdleTimeout: 2 * time.Second}))
	p := c.Publisher("events", PublisherOptions{})
	send := func(seq int64) {
		e := outbox.Event{Key: "k", Seq: seq, ID: fmt.Sprint("e-", seq), Type: "t", Envelope: []byte(`{}`)}
		require.NoError(t, errors.Join(p.Publish(t.Context(), []outbox.Event{e})...))
	}
	current := func() *session {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.current
	}
	send(1)
	first := current()
	require.Eventually(t, func() bool { return current() == nil }, time.Minute, 10*time.Millisecond)
	send(2)
	require.NotSame(t, first, current())
	require.Len(t, received(bus.Server, "k"), 2)
}

// TestAClosedClientHasHungUp, and connects no more.
func TestAClosedClientHasHungUp(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	c := Open(Connection{ConnectionString: bus.ConnectionString()}, Options{})
	before := c.Publisher("events", PublisherOptions{})
	require.NoError(t, before.Ready(t.Context()))
	require.NotZero(t, bus.Links())
	require.NoError(t, c.Close(t.Context()))
	require.Eventually(t, func() bool { return bus.Links() == 0 }, time.Minute, 5*time.Millisecond)
	for _, p := range []*Publisher{before, c.Publisher("events", PublisherOptions{})} {
		require.ErrorContains(t, errors.Join(p.Publish(t.Context(), []outbox.Event{{Key: "k", Seq: 1, ID: "e", Envelope: []byte("{}")}})...), errClosed.Error())
		_, err := c.attach(t.Context(), "events")
		require.ErrorIs(t, err, errClosed)
	}
	require.Zero(t, bus.Links())
	require.NoError(t, c.Close(t.Context()), "again")
}
