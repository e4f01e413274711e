package parts

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus"
)

// TestTopologyIsReadByTheBus: what is written is what the bus is told.
func TestTopologyIsReadByTheBus(t *testing.T) {
	t.Parallel()
	got, err := minibus.LoadConfig(bytes.NewReader(Topology(Topic{"events", 20 * time.Second, []Subscription{{"views", true, 5 * time.Second}, {"watch", false, time.Minute}}})))
	require.NoError(t, err)
	require.Len(t, got.Topics, 1)
	topic := got.Topics[0]
	require.True(t, topic.RequiresDuplicateDetection)
	require.Equal(t, 20*time.Second, topic.DuplicateDetectionHistoryTimeWindow)
	require.Len(t, topic.Subscriptions, 2)
	require.True(t, topic.Subscriptions[0].RequiresSession)
	require.Equal(t, 5*time.Second, topic.Subscriptions[0].LockDuration)
	require.False(t, topic.Subscriptions[1].RequiresSession)
}

func TestAsksForSessions(t *testing.T) {
	t.Parallel()
	app := t.TempDir()
	_, err := AsksForSessions(app)
	require.ErrorIs(t, err, os.ErrNotExist)
	file := filepath.Join(app, "ConsumeEvent", "function.json")
	require.NoError(t, os.Mkdir(filepath.Dir(file), 0o700))
	for text, want := range map[string]bool{
		`{"bindings":[{"isSessionsEnabled":true}]}`: true,
		`{"bindings":[{"type":"x"}]}`:               false,
		`{"bindings":[]}`:                           false,
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		got, err := AsksForSessions(app)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	}
}
