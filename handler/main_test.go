package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/handler/app"
	"github.com/relaybox/relaybox/handler/config"
)

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
	made, err := app.New(cfg, slog.New(slog.DiscardHandler), app.Options{})
	require.Nil(t, made)
	var out bytes.Buffer
	report(slog.New(slog.NewJSONHandler(&out, nil)), "handler stopped", config.Faults(err))
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
