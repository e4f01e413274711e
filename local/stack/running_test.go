package stack_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

// TestRunningIsLeftAndRemoved: what runs is written down, but not all of an environment.
func TestRunningIsLeftAndRemoved(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	_, err := stack.FindRunning(data)
	require.ErrorIs(t, err, stack.ErrNotRunning)

	s := stack.RunT(t, only(stack.Cosmos, stack.Bus), func(c *stack.Config) {
		c.Data, c.BusAdminAddr, c.Page = data, "127.0.0.1:0", "http://127.0.0.1:7075/"
		c.Settings = map[string]string{"EVENTS_TOPIC": "mine", "RELAYBOX_X": "1", "PASSWORD": "secret", "COSMOS_CONNECTION__accountEndpoint": "https://a"}
		c.Leave = func(name string) bool { return name == "RELAYBOX_X" }
	})
	r, err := stack.FindRunning(data)
	require.NoError(t, err)
	require.Equal(t, os.Getpid(), r.PID)
	require.Equal(t, []string{"", s.CosmosURL, s.BusAddr, s.BusAdminAddr}, []string{r.Host, r.Cosmos, r.Bus, r.BusAdmin})
	require.Equal(t, "http://127.0.0.1:7075/", r.Page)
	require.Equal(t, s.CosmosConnection, r.Values["COSMOS_CONNECTION"])
	require.Equal(t, s.BusConnection, r.Values["SERVICEBUS_CONNECTION"])
	require.Equal(t, "mine", r.Values["EVENTS_TOPIC"])
	require.Equal(t, "1", r.Values["RELAYBOX_X"])
	require.NotContains(t, r.Values, "PASSWORD")
	require.NotContains(t, r.Values, "COSMOS_CONNECTION__accountEndpoint", "the stand-in has taken its place")

	file := filepath.Join(data, "running.json")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoFileExists(t, file)

	// One that was killed had no time for that.
	require.NoError(t, os.WriteFile(file, text, 0o600))
	_, err = stack.FindRunning(data)
	require.ErrorIs(t, err, stack.ErrNotRunning)
}
