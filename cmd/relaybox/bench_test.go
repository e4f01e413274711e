package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cmd/relaybox/bench"
)

// TestBenchRefusesWhatItDoesNotKnow before it builds anything.
func TestBenchRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := run(t.Context(), []string{"bench", "--workload", "thorough"}, &out, &out)
	require.ErrorIs(t, err, bench.ErrNoWorkload)
	require.Empty(t, out.String())

	margins := filepath.Join(t.TempDir(), "margins.txt")
	for text, want := range map[string]error{
		"through requests/event ours 4":          bench.ErrMargins,
		"thorough requests/event ours 4 <= 6":    bench.ErrNoWorkload,
		"# through requests/event ours 4 <= 6\n": bench.ErrMargins,
	} {
		require.NoError(t, os.WriteFile(margins, []byte(text), 0o600))
		err := run(t.Context(), []string{"bench", "--guard", margins}, &out, &out)
		require.ErrorIs(t, err, want)
		require.Empty(t, out.String())
	}
	require.ErrorIs(t, run(t.Context(), []string{"bench", "--guard", filepath.Dir(margins) + "/none"}, &out, &out), fs.ErrNotExist)
}
