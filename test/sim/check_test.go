package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

// TestTwoKindsInOnePartition: the checker sees an event under another entity's number.
func TestTwoKindsInOnePartition(t *testing.T) {
	for name, c := range map[string]struct {
		event event
		want  []string
	}{
		"its own":    {event{Type: "relaybox.order.created", Subject: "k0", seq: 1}, nil},
		"other kind": {event{Type: "relaybox.profile.created", Subject: "k0", seq: 1}, []string{"G2"}},
		"other id":   {event{Type: "relaybox.order.created", Subject: "k1", seq: 1}, []string{"G2"}},
	} {
		t.Run(name, func(t *testing.T) {
			var seen []string
			judge := &checker{key: orders.key("k0"), kind: &orders, lines: stream{{first: 1, events: []event{c.event}}}, breach: func(guarantee, _ string, _ ...any) { seen = append(seen, guarantee) }}
			judge.own()
			require.Equal(t, c.want, seen)
		})
	}
}

// TestParkedTooEarly: the checker sees an event that is parked before its attempts, without
// a reason, or behind one that is not.
func TestParkedTooEarly(t *testing.T) {
	parked := func(attempts int, reason string) waiting {
		return waiting{Event: outbox.Event{Seq: 2, Fault: &outbox.Fault{Attempts: attempts, Reason: reason}}}
	}
	behind := func(seq int64) waiting { return waiting{Event: outbox.Event{Seq: seq}} }
	for n, c := range []struct {
		waiting []waiting
		want    int
	}{
		{nil, 0},
		{[]waiting{parked(parkAfter, "too large"), behind(3)}, 0},
		{[]waiting{parked(parkAfter-1, "too large")}, 1},
		{[]waiting{parked(parkAfter, "")}, 1},
		{[]waiting{parked(parkAfter, "too large"), parked(parkAfter, "too large")}, 1},
		{[]waiting{behind(1)}, 1},
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			breaches := 0
			judge := &checker{key: profiles.key("k0"), kind: &profiles, waiting: c.waiting, breach: func(string, string, ...any) { breaches++ }}
			judge.poisoned()
			require.Equal(t, c.want, breaches)
		})
	}
}

// TestALifeFollowsOneOfItsOwn: of two lives with an event 1 the one that is gone with its
// container has nothing to do with what comes after, whenever its writer's clock said it began;
// where there is no other, both containers took the batch that began it.
func TestALifeFollowsOneOfItsOwn(t *testing.T) {
	at := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	of := func(life string, seq int64, drawn time.Time) *line {
		return &line{life: life, first: seq, drawn: drawn, events: []event{{Life: life, seq: seq, first: seq, Drawn: drawn}}}
	}
	old, fresh, moved := of("old", 1, at.Add(time.Second)), of("new", 1, at), of("moved", 2, at.Add(time.Minute))
	for _, c := range []struct {
		lines stream
		want  []string
	}{
		{stream{old, fresh, moved}, []string{"new", "moved"}},
		{stream{fresh, moved, old}, []string{"new", "moved"}},
		{stream{old, moved}, []string{"old", "moved"}},
	} {
		var lives []string
		for _, e := range (&checker{lines: c.lines}).committed(numbered{LastSeq: 2, Incarnation: outbox.Incarnation{ID: "moved"}}, nil, numbered{}, "old") {
			lives = append(lives, e.Life)
		}
		require.Equal(t, c.want, lives)
	}
}
