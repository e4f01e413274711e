package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
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

// TestWhatKeepsTheAppFromStarting is a list, which is logged line by line.
func TestWhatKeepsTheAppFromStarting(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load(map[string]string{
		"COSMOS_CONNECTION": "AccountEndpoint=http://127.0.0.1:8081/;AccountKey=a2V5", "COSMOS_DATABASE": "d",
		"COSMOS_OUTBOX_CONTAINER": "entities", "COSMOS_INBOX_CONTAINER": "views", "EVENTS_TOPIC": "t",
		"SERVICEBUS_CONNECTION":  "Endpoint=sb://127.0.0.1;SharedAccessKeyName=n;SharedAccessKey=a2V5;UseDevelopmentEmulator=true;",
		"COSMOS_KIND_CONTAINERS": "nobody=a/b,anybody=c/d",
	})
	require.NoError(t, err)
	made, err := newApp(cfg, slog.New(slog.DiscardHandler))
	require.Nil(t, made)
	var out bytes.Buffer
	report(slog.New(slog.NewJSONHandler(&out, nil)), "handler stopped", faultsOf(err))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 2)
	for i, kind := range []string{"anybody", "nobody"} {
		var line struct {
			Fault      string
			Number, Of int
		}
		require.NoError(t, json.Unmarshal([]byte(lines[i]), &line))
		require.Contains(t, line.Fault, kind)
		require.Equal(t, i+1, line.Number)
		require.Equal(t, 2, line.Of)
	}
}
