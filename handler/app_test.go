package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/handler/config"
)

// TestOwnContainers: a misspelt kind would otherwise be stored in the shared containers.
func TestOwnContainers(t *testing.T) {
	t.Parallel()
	kinds, err := entity.NewKinds(entity.Kind[struct{}, entity.None]{Name: "order"}, entity.Kind[struct{}, entity.None]{Name: "profile"})
	require.NoError(t, err)
	var cfg config.Config
	cfg.Cosmos.Own = "order=orders/order-views"
	outbox, inbox, err := own(cfg, kinds)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"order": "orders"}, outbox)
	require.Equal(t, map[string]string{"order": "order-views"}, inbox)
	cfg.Cosmos.Own = "oder=orders/order-views"
	_, _, err = own(cfg, kinds)
	require.EqualError(t, err, `COSMOS_KIND_CONTAINERS names the kind "oder", which the app does not know: write one of order, profile`)
}
