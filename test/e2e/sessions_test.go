package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

// withSessions is the app folder with a ConsumeEvent that takes sessions.
func withSessions(t *testing.T) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "app")
	require.NoError(t, os.CopyFS(folder, os.DirFS(assembled)))
	file := filepath.Join(folder, "ConsumeEvent", "function.json")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	const off, on = `"isSessionsEnabled": false`, `"isSessionsEnabled": true`
	require.Contains(t, string(text), off)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), off, on, 1)), 0o600))
	return folder
}

// TestSessions: the subscription requires sessions and the function takes them, more keys than
// an instance has slots, and a handler that dies in the middle. Every event has one effect, and
// none comes before its predecessor: one that did would be stored as early at once.
func TestSessions(t *testing.T) {
	t.Parallel()
	const keys, writes, clients = 32, 4, 8
	names := stack.Defaults()
	topology := stack.Topology(names["EVENTS_TOPIC"], names["EVENTS_SUBSCRIPTION"])
	topology.Topics[0].Subscriptions[0].RequiresSession = true
	var log lines
	s := start(t, func(c *stack.Config) {
		c.App, c.Topology, c.HandlerOutput = withSessions(t), topology, &log
		c.Settings["RELAYBOX_INBOX_WAITING"] = "8"
		c.Settings["RELAYBOX_INBOX_WAIT"] = "1ms"
	})
	for n := range writes {
		var all sync.WaitGroup
		for c := range clients {
			all.Go(func() {
				for k := range keys { // each at another key: what they write at once has many orders
					s.until(http.StatusOK, http.MethodPut, fmt.Sprintf("p-%d", (k+c*keys/clients)%keys), fmt.Sprintf(`{"displayName":"%d by %d"}`, n, c))
				}
			})
		}
		if n == writes/2 {
			all.Go(s.killHandler)
		}
		all.Wait()
	}
	for k := range keys {
		id := fmt.Sprintf("p-%d", k)
		stored := s.must(http.StatusOK, http.MethodGet, id, "")
		m := s.consumed(id, int64(versionOf(stored.etag)))
		require.Contains(t, stored.body, fmt.Sprintf("%q", m.Data.State.DisplayName))
		applied := int64(0)
		for _, n := range m.Data.View.Applied {
			applied += n
		}
		require.Equal(t, m.LastSeq, applied, "effects of %s", id)
	}
	s.eventually(func() bool { return s.pending() == 0 }, "everything is settled")
	s.nothingDeadLettered()
	require.False(t, log.holds(`"signal":"early"`), "an event came before its predecessor")
}
