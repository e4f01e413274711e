package app

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/handler/config"
)

func TestOwnContainers(t *testing.T) {
	t.Parallel()
	var cfg config.Config
	cfg.Cosmos.Own = "order=orders/order-views"
	outbox, inbox := own(cfg)
	require.Equal(t, map[string]string{"order": "orders"}, outbox)
	require.Equal(t, map[string]string{"order": "order-views"}, inbox)
}

// TestUnknownKinds: a misspelt kind would otherwise be stored in the shared containers.
func TestUnknownKinds(t *testing.T) {
	t.Parallel()
	kinds, err := entity.NewKinds(entity.Kind[struct{}, entity.None]{Name: "order"}, entity.Kind[struct{}, entity.None]{Name: "profile"})
	require.NoError(t, err)
	var cfg config.Config
	cfg.Cosmos.Own = "order=orders/order-views"
	require.Empty(t, unknownKinds(cfg, kinds))
	cfg.Cosmos.Own = "prfile=a/b,order=orders/order-views,oder=c/d"
	faults := unknownKinds(cfg, kinds)
	require.Len(t, faults, 2)
	require.EqualError(t, faults[0], `COSMOS_KIND_CONTAINERS names the kind "oder", which the app does not know: write one of order, profile`)
	require.ErrorContains(t, faults[1], `names the kind "prfile"`)
}
