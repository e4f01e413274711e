package private_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/private"
)

// modes are those of everything below a folder.
func modes(t *testing.T, dir string) map[string]fs.FileMode {
	t.Helper()
	all := map[string]fs.FileMode{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		all[path] = info.Mode().Perm()
		return nil
	}))
	return all
}

// TestAStoreIsItsOwners runs a store through its files: logs that are used again, tables, manifests, the lock.
func TestAStoreIsItsOwners(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		db, err := pebble.Open(dir, &pebble.Options{FS: private.FS(), FormatMajorVersion: pebble.FormatNewest})
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, db.Set([]byte("key"), make([]byte, 1000), pebble.Sync))
			require.NoError(t, db.Flush())
		}
		require.NoError(t, db.Close())
	}
	found := modes(t, filepath.Dir(dir))
	require.Greater(t, len(found), 5)
	for name, mode := range found {
		want := private.File
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			want = private.Folder
		}
		require.Equal(t, want, mode, name)
	}
}

func TestFilesThatAreThereBecomeTheOwners(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, old, renamed := private.FS(), filepath.Join(dir, "old"), filepath.Join(dir, "renamed")
	require.NoError(t, os.WriteFile(old, nil, 0o644)) //nolint:gosec // as an earlier version left it
	file, err := f.ReuseForWrite(old, renamed, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	file, err = f.OpenReadWrite(filepath.Join(dir, "new"), vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	lock, err := f.Lock(filepath.Join(dir, "lock"))
	require.NoError(t, err)
	require.NoError(t, lock.Close())
	for _, name := range []string{"renamed", "new", "lock"} {
		require.Equal(t, private.File, modes(t, dir)[filepath.Join(dir, name)], name)
	}
	_, err = f.Lock(filepath.Join(dir, "none", "lock"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Equal(t, vfs.Default, vfs.Root(f))
}
