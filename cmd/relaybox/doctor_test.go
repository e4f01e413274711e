package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDoctorsExitStatus(t *testing.T) {
	t.Parallel()
	settings := filepath.Join(t.TempDir(), "local.settings.json")
	require.NoError(t, os.WriteFile(settings, []byte(`{"Values":{"COSMOS_CONNECTION":"AccountEndpoint=http://127.0.0.1:1/;AccountKey=c2VjcmV0"}}`), 0o600))
	var out, stderr strings.Builder
	err := run(t.Context(), []string{"doctor", "--settings", settings, "--timeout", "5s"}, &out, &stderr)
	require.Equal(t, 1, exit(t.Context(), err, &stderr))
	require.Empty(t, stderr.String(), "the report says it all")
	require.Contains(t, out.String(), "refused  EVENTS_TOPIC")
	require.NotContains(t, out.String(), "c2VjcmV0")
}
