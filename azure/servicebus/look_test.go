package servicebus

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
	"github.com/relaybox/relaybox/outbox"
)

// TestLook counts and takes nothing, as many as it is asked for at most.
func TestLook(t *testing.T) {
	t.Parallel()
	c := newCemetery(t, func(o *minibus.Options) {
		subs := &o.Config.Topics[0].Subscriptions
		*subs = append(*subs, minibus.Subscription{Name: "plain"})
	})
	client := closed(t, Open(Connection{ConnectionString: c.bus.ConnectionString()}, Options{}))
	for _, dead := range []bool{false, true} {
		seen, err := client.Look(t.Context(), "events", "plain", dead, 100)
		require.NoError(t, err)
		require.Equal(t, Seen{}, seen)
	}
	c.bury("no", "a:1", "b:1", "c:1")
	for _, of := range []struct {
		name string
		dead bool
	}{{"all", true}, {"plain", false}} {
		for most, want := range map[int]Seen{2: {Count: 2, More: true}, 3: {Count: 3}, 100: {Count: 3}} {
			seen, err := client.Look(t.Context(), "events", of.name, of.dead, most)
			require.NoError(t, err)
			require.WithinDuration(t, time.Now(), seen.Oldest, time.Minute)
			seen.Oldest = time.Time{}
			require.Equal(t, want, seen, of.name)
		}
	}
	c.nothingLocked()
	require.Len(t, c.at(graveyard), 3)
}

// TestALookThatIsRefused leaves the connection alone: others send over it.
func TestALookThatIsRefused(t *testing.T) {
	t.Parallel()
	bus := minibus.RunT(t, topology)
	client := closed(t, Open(Connection{ConnectionString: bus.ConnectionString()}, Options{}))
	p := client.Publisher("events", PublisherOptions{})
	require.Equal(t, "ok", outcome(p.Publish(t.Context(), events("a1"))))
	before, ok := client.attached("events")
	require.True(t, ok)
	_, err := client.Look(t.Context(), "events", "nobody", true, 1)
	require.Equal(t, outbox.Unavailable, outbox.ClassOf(err), "%v", err)
	_, err = client.Look(t.Context(), "events", "all", false, 1)
	require.ErrorContains(t, err, "requires sessions")
	after, ok := client.attached("events")
	require.True(t, ok)
	require.Equal(t, before, after)
}
