package app

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFurtherConsumersAreInUse where they have a subscription and their function is not turned
// off; others need no container.
func TestFurtherConsumersAreInUse(t *testing.T) {
	t.Parallel()
	const subscription = "MAILING_SUBSCRIPTION"
	for name, c := range map[string]struct {
		settings map[string]string
		want     []string // containers
	}{
		"no subscription": {nil, nil},
		"its own name":    {map[string]string{subscription: "list"}, []string{"mailing-list"}},
		"a named one":     {map[string]string{subscription: "list", "COSMOS_CONSUMER_CONTAINERS": "mailing-list=people"}, []string{"people"}},
		"turned off":      {map[string]string{subscription: "list", "AzureWebJobs.MailingList.Disabled": "true"}, nil},
		"off, for shells": {map[string]string{subscription: "list", "AzureWebJobs_MailingList_Disabled": "true"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := loaded(t, c.settings)
			used, err := inUse(cfg)
			require.NoError(t, err)
			require.Equal(t, c.want, containersOf(cfg, used))
			require.Empty(t, unknownConsumers(cfg, used))
			a, err := New(cfg, slog.New(slog.DiscardHandler), Options{})
			require.NoError(t, err)
			require.Equal(t, append([]string{"entities", "views"}, c.want...), a.containers)
		})
	}
}

// TestConsumersThatCannotBe: a misspelt one would have its models in another container than was
// meant, and two models of one key cannot be in one.
func TestConsumersThatCannotBe(t *testing.T) {
	t.Parallel()
	for want, settings := range map[string]map[string]string{
		`COSMOS_CONSUMER_CONTAINERS names the consumer "mailing", which the app does not know: write one of mailing-list`: {"COSMOS_CONSUMER_CONTAINERS": "mailing=people"},
		`the container "mailing-list" of mailing-list belongs to COSMOS_KIND_CONTAINERS`:                                  {"MAILING_SUBSCRIPTION": "list", "COSMOS_KIND_CONTAINERS": "profile=profiles/mailing-list"},
	} {
		cfg := loaded(t, settings)
		_, err := New(cfg, slog.New(slog.DiscardHandler), Options{})
		require.ErrorContains(t, err, want)
	}
}
