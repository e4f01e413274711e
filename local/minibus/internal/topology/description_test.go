package topology_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// A digest is what stores of earlier versions hold: with another, what clients have changed would be dropped.
func TestDigestStays(t *testing.T) {
	t.Parallel()
	d := topology.Description{
		Kind: topology.SubscriptionKind, Path: "t/Subscriptions/s", Name: "s", Topic: "t", ForwardTo: "a", ForwardDeadTo: "b",
		Settings: topology.Settings{
			Lock: time.Minute, TTL: time.Hour, MaxDelivery: 3, DeadLetterLate: true, RequiresSession: true, Duplicates: time.Second,
			Window: time.Minute, Status: topology.StatusDisabled, Metadata: "meta", Unbatched: true, FilterErrors: true, MaxMB: 7, Idle: 5 * time.Minute,
		},
		Rules: []rules.Compiled{{Name: rules.DefaultName, Filter: rules.Everything{}}, {Name: "f", Filter: rules.Falsehood{}}},
	}
	for _, r := range []rules.Rule{
		{Name: "c", Correlation: &rules.CorrelationFilter{Label: "l", Properties: map[string]any{"n": 1.0}}},
		{Name: "q", SQL: "sys.Label = 'x'", Action: "SET sys.Label = 'y'"},
	} {
		compiled, err := rules.Compile(r)
		require.NoError(t, err)
		d.Rules = append(d.Rules, compiled)
	}
	require.Equal(t, uint64(14447429296657719109), d.Digest())
}
