package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

// streamWait is how long the stream's server waits for what a handler had in hand when it was killed.
const streamWait = 5 * time.Second

// TestKilledHandlerOverAStream: the app takes its events itself there, so what it had in hand comes to
// the next handler; and the broker is away in between.
func TestKilledHandlerOverAStream(t *testing.T) {
	t.Parallel()
	s := start(t, func(c *stack.Config) { c.Broker, c.StreamWait = stack.JetStream, streamWait })
	const writes = 30
	versions := map[string]int64{}
	for n := range writes {
		id := fmt.Sprintf("p-%d", n%3)
		s.eventually(func() bool {
			got, err := s.call(http.MethodPut, id, fmt.Sprintf(`{"displayName":"%d"}`, n))
			if err != nil || got.status >= 300 {
				return false
			}
			versions[id] = int64(versionOf(got.etag))
			return true
		}, "write %d", n)
		switch n {
		case writes / 3:
			s.BusNet.Cut()
		case writes / 2:
			process, err := os.FindProcess(s.HandlerPID())
			require.NoError(t, err)
			require.NoError(t, process.Kill())
			s.BusNet.Heal()
		}
	}
	for id, version := range versions {
		s.eventually(func() bool { m := s.model(id); return m != nil && m.LastSeq == version }, "%s is consumed up to %d", id, version)
		require.Zero(t, s.model(id).Gaps)
	}
}
