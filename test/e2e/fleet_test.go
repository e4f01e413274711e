package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cmd/relaybox/demo"
	"github.com/relaybox/relaybox/cmd/relaybox/parts"
	"github.com/relaybox/relaybox/local/stack"
)

// TestInstancesComeAndGo runs three instances behind the proxy, of which some are killed, leave and
// join. What became of every write is the demo's own to say: by its exit status.
func TestInstancesComeAndGo(t *testing.T) {
	t.Parallel()
	if !parts.Supported {
		t.Skip("instances are killed with their host on Linux only")
	}
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	relaybox := filepath.Join(t.TempDir(), "relaybox")
	build := exec.Command("go", "build", "-o", relaybox, "./cmd/relaybox")
	build.Dir = source
	said, err := build.CombinedOutput()
	require.NoError(t, err, "%s", said)

	ctx, cancel := context.WithTimeout(t.Context(), 9*time.Minute) // of the ten that a test has
	defer cancel()
	cmd := exec.CommandContext(ctx, relaybox, "demo", "--app", assembled, "--instances", "3", "--rate", "25", "--minutes", "0.25", "--json")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // its processes go with it
	var table, story bytes.Buffer
	cmd.Stdout, cmd.Stderr = &table, &story
	require.NoError(t, cmd.Run(), "%s", &story)
	t.Logf("%s", &story)

	var report demo.Report
	require.NoError(t, json.Unmarshal(table.Bytes(), &report))
	require.Positive(t, report.Writes) // fewer than were asked for, if the machine is busy
	require.Equal(t, report.Writes, report.Acknowledged+report.Declined)
	require.Equal(t, report.Events, report.Consumed)
	require.Empty(t, report.Broken)
	require.Zero(t, report.Lost+report.Disorder)
	fleet := report.Fleet
	require.NotNil(t, fleet)
	require.Positive(t, fleet.Killed)
	require.Positive(t, fleet.Left)
	require.Positive(t, fleet.Joined)
	require.Positive(t, fleet.Reads)
	require.Positive(t, fleet.Cached)
	sent, consumed := 0, 0
	for n, i := range fleet.Spread {
		if n < fleet.Instances {
			require.Positive(t, i.Requests, i.Name)
		}
		sent += i.Sent
		consumed += i.Consumed
	}
	require.GreaterOrEqual(t, len(fleet.Spread), 4, "one has joined")
	require.Equal(t, report.Events, consumed)
	require.LessOrEqual(t, sent, report.Events)
	require.Positive(t, sent)
}
