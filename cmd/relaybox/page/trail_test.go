package page_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cmd/relaybox/page"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func sent(t *page.Trail, n int, written, at time.Time) {
	id := fmt.Sprint("e-", n)
	t.Sent(page.Way{ID: id, Key: "profile:a", Seq: int64(n), Written: written}, id, at)
}

// TestTrailFlow: rates are of finished seconds, latencies from the write, and what is not known is nil.
func TestTrailFlow(t *testing.T) {
	t.Parallel()
	trail := page.NewTrail(began)
	flow, _ := trail.Show(began, []page.Way{})
	require.Equal(t, page.Flow{}, flow, "nothing is known in the first second")
	now := began.Add(20 * time.Second)
	for n := range 100 {
		at := now.Add(-time.Duration(n+1) * 100 * time.Millisecond) // ten a second
		sent(trail, n, at.Add(-time.Duration(n)*time.Millisecond), at)
		if n%2 == 0 {
			trail.Consumed(fmt.Sprint("e-", n), at.Add(10*time.Millisecond))
		}
	}
	flow, ways := trail.Show(now, nil)
	require.Nil(t, flow.Written, "nobody knows what waits in the store")
	require.InDelta(t, 10, *flow.Sent, 0.2)
	require.InDelta(t, 5, *flow.Consumed, 0.2)
	require.Equal(t, 100, flow.ToBroker.N)
	require.Equal(t, 50.0, flow.ToBroker.P50)
	require.Equal(t, 99.0, flow.ToBroker.P99)
	require.Equal(t, 50, flow.ToEffect.N)
	require.Equal(t, "e-0", ways[0].ID, "the newest first")

	waiting := []page.Way{{ID: "w-1", State: page.Pending, Written: now.Add(-2 * time.Second)}, {ID: "e-0", State: page.Pending, Written: now.Add(-time.Second)}}
	more, ways := trail.Show(now, waiting)
	require.InDelta(t, 10, *more.Written, 0.3)
	require.Len(t, ways, 101, "what was sent meanwhile does not wait")

	flow, _ = trail.Show(now.Add(2*time.Minute), []page.Way{})
	require.Zero(t, *flow.Sent)
	require.Nil(t, flow.ToEffect, "an old figure is none")
}

// TestTrailIsBounded: the oldest go, and what comes of them later is counted all the same.
func TestTrailIsBounded(t *testing.T) {
	t.Parallel()
	trail := page.NewTrail(began)
	for n := range 1200 {
		sent(trail, n, began, began.Add(time.Duration(n)*time.Millisecond))
	}
	trail.Consumed("e-3", began.Add(2*time.Second))
	trail.Consumed("", began.Add(2*time.Second))
	flow, ways := trail.Show(began.Add(3*time.Second), []page.Way{})
	require.Len(t, ways, 500)
	require.Nil(t, flow.ToEffect)
	require.NotZero(t, *flow.Consumed)
}

// TestTrailOfForeignIds: a sender that is not ours may give its messages ids that events have.
func TestTrailOfForeignIds(t *testing.T) {
	t.Parallel()
	trail := page.NewTrail(began)
	for _, id := range []string{"a", "b"} {
		trail.Sent(page.Way{ID: id, Key: "profile:" + id, Written: began}, "a", began)
	}
	trail.Sent(page.Way{ID: "c", Key: "profile:c", Written: began}, "", began)
	trail.Consumed("", began)
	_, ways := trail.Show(began, nil)
	for _, w := range ways {
		require.Equal(t, page.Sent, w.State, "an id that is missing is nobody's")
	}
	for n := range 1200 {
		sent(trail, n, began, began)
	}
	_, ways = trail.Show(began, nil)
	require.Len(t, ways, 500)
}

// TestTrailOfADeadLetter that was redriven: the copy has another message id, and is the same event.
func TestTrailOfADeadLetter(t *testing.T) {
	t.Parallel()
	trail := page.NewTrail(began)
	sent(trail, 1, began, began.Add(time.Second))
	trail.Dead("e-1", began.Add(2*time.Second))
	_, ways := trail.Show(began.Add(3*time.Second), nil)
	require.Equal(t, page.Dead, ways[0].State)
	trail.Sent(page.Way{ID: "e-1"}, "redriven-1", began.Add(4*time.Second))
	trail.Consumed("redriven-1", began.Add(5*time.Second))
	_, ways = trail.Show(began.Add(6*time.Second), nil)
	require.Len(t, ways, 1)
	require.Equal(t, page.Consumed, ways[0].State)
	require.Equal(t, began.Add(time.Second), ways[0].Sent, "when it was sent first")
}
