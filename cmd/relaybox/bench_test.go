package main

import (
	"bytes"
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
}
