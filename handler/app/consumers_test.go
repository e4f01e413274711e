package app

import (
	"log/slog"
	"maps"
	"strings"
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

// TestNobodySharesAQueue: of each event only one of two consumers would hear, and nobody would tell.
func TestNobodySharesAQueue(t *testing.T) {
	t.Parallel()
	stream := map[string]string{"EVENTS_BROKER": "jetstream", "NATS_URL": "nats://127.0.0.1:4222", "EVENTS_STREAM": "EVENTS"}
	for name, c := range map[string]struct {
		settings map[string]string
		over     map[string]string
		want     string // "": it can be
	}{
		"three of their own": {map[string]string{"EVENTS_SUBSCRIPTION": "a", "MAILING_SUBSCRIPTION": "b", "CACHE_SUBSCRIPTION": "c"}, nil, ""},
		"two":                {map[string]string{"EVENTS_SUBSCRIPTION": "a", "MAILING_SUBSCRIPTION": "A"}, nil, `MAILING_SUBSCRIPTION is "A", as EVENTS_SUBSCRIPTION is`},
		"the cache":          {map[string]string{"EVENTS_SUBSCRIPTION": "a", "CACHE_SUBSCRIPTION": "a"}, nil, `EVENTS_SUBSCRIPTION is "a", as CACHE_SUBSCRIPTION is`},
		"one that is off":    {map[string]string{"EVENTS_SUBSCRIPTION": "a", "CACHE_SUBSCRIPTION": "a", "AzureWebJobs.RefreshCache.Disabled": "true"}, nil, ""},
		"no name":            {map[string]string{"MAILING_SUBSCRIPTION": "a'b; %x"}, nil, "MAILING_SUBSCRIPTION is \"a'b; %x\", which is no name that the broker takes"},
		"a long name":        {map[string]string{"EVENTS_SUBSCRIPTION": strings.Repeat("x", 51)}, nil, "EVENTS_SUBSCRIPTION is"},
		"over a stream":      {map[string]string{"EVENTS_CONSUMER": "a", "MAILING_SUBSCRIPTION": "a"}, stream, `MAILING_SUBSCRIPTION is "a", as EVENTS_CONSUMER is`},
		"two over a stream":  {map[string]string{"EVENTS_CONSUMER": "a", "MAILING_SUBSCRIPTION": "b", "CACHE_SUBSCRIPTION": "b"}, stream, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := map[string]string{}
			maps.Copy(settings, c.settings)
			maps.Copy(settings, c.over)
			_, err := New(loaded(t, settings), slog.New(slog.DiscardHandler), Options{})
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}
