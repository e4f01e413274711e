package sim

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
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
		w := waiting{Seq: 2, Parked: true}
		w.Fault.Attempts, w.Fault.Reason = attempts, reason
		return w
	}
	for n, c := range []struct {
		waiting []waiting
		want    int
	}{
		{nil, 0},
		{[]waiting{parked(parkAfter, "too large"), {Seq: 3}}, 0},
		{[]waiting{parked(parkAfter-1, "too large")}, 1},
		{[]waiting{parked(parkAfter, "")}, 1},
		{[]waiting{parked(parkAfter, "too large"), parked(parkAfter, "too large")}, 1},
		{[]waiting{{Seq: 1}}, 1},
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			breaches := 0
			judge := &checker{key: profiles.key("k0"), kind: &profiles, waiting: c.waiting, breach: func(string, string, ...any) { breaches++ }}
			judge.poisoned()
			require.Equal(t, c.want, breaches)
		})
	}
}
