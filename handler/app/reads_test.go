package app

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/handler/config"
)

// TestPrefix: apps that store elsewhere have keys of their own, however the address is written.
func TestPrefix(t *testing.T) {
	t.Parallel()
	of := func(endpoint, connection, database, named string) string {
		var cfg config.Config
		cfg.Cosmos.Endpoint, cfg.Cosmos.ConnectionString, cfg.Cosmos.Database, cfg.ReadCache.Prefix = endpoint, connection, database, named
		return prefix(cfg)
	}
	one := of("https://one.documents.azure.com/", "", "relaybox", "")
	require.Regexp(t, "^relaybox:[0-9a-f]{12}:$", one)
	require.Equal(t, one, of("https://ONE.documents.azure.com", "", "relaybox", ""))
	require.Equal(t, one, of("", "AccountEndpoint=https://one.documents.azure.com/;AccountKey=a2V5", "relaybox", ""))
	require.NotEqual(t, one, of("https://two.documents.azure.com/", "", "relaybox", ""))
	require.NotEqual(t, one, of("https://one.documents.azure.com/", "", "other", ""))
	require.Equal(t, "ours:", of("https://one.documents.azure.com/", "", "relaybox", "ours:"))
}
