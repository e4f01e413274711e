package timer

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStatusIsItsOwners(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "host")
	s := NewStore(dir)
	require.NoError(t, s.put("Sweep", Status{Last: time.Unix(1, 0).UTC()}))
	for name, want := range map[string]os.FileMode{dir: 0o700, filepath.Dir(s.path("Sweep")): 0o700, s.path("Sweep"): 0o600} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode().Perm(), name)
	}
}
