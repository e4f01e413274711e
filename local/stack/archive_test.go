package stack_test

import (
	"archive/zip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

// app assembles the small tree.
func app(t *testing.T) string {
	out := filepath.Join(t.TempDir(), "app")
	require.NoError(t, stack.Assemble(t.Context(), stack.Build{Source: tree(t)}, out))
	return out
}

func TestArchiveIsReproducibleAndHasTheModes(t *testing.T) {
	t.Parallel()
	first, second := filepath.Join(t.TempDir(), "new", "app.zip"), filepath.Join(t.TempDir(), "app.zip")
	one := app(t)
	// A file system that has lost every mode, as one on Windows.
	require.NoError(t, os.Chmod(filepath.Join(one, "bin", "handler"), 0o600))
	require.NoError(t, stack.Archive(one, first))
	require.NoError(t, os.WriteFile(second, []byte("an older package"), 0o600))
	require.NoError(t, stack.Archive(app(t), second))
	a, err := os.ReadFile(first)
	require.NoError(t, err)
	b, err := os.ReadFile(second)
	require.NoError(t, err)
	require.Equal(t, a, b)
	left, err := os.ReadDir(filepath.Dir(second))
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing but the package is left behind")

	z, err := zip.OpenReader(first)
	require.NoError(t, err)
	defer func() { require.NoError(t, z.Close()) }()
	modes := map[string]fs.FileMode{}
	for _, f := range z.File {
		modes[f.Name] = f.Mode()
		from, err := f.Open()
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, from) // checks the sum
		require.NoError(t, err)
	}
	require.Equal(t, map[string]fs.FileMode{"Read/function.json": 0o644, "Write/function.json": 0o644, "bin/handler": 0o755, "host.json": 0o644}, modes)
}

func TestArchiveRefusesWhatDoesNotBelongThere(t *testing.T) {
	t.Parallel()
	for _, stray := range []string{"local.settings.json", "Write/notes.txt", "Write/Deeper/function.json", ".env"} {
		dir, file := app(t), filepath.Join(t.TempDir(), "app.zip")
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, stray)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, stray), []byte("{}"), 0o600))
		err := stack.Archive(dir, file)
		require.ErrorIs(t, err, stack.ErrNotPlain)
		require.ErrorContains(t, err, filepath.Base(stray))
		require.NoFileExists(t, file)
	}
	dir := app(t)
	require.NoError(t, os.Remove(filepath.Join(dir, "bin", "handler")))
	require.NoError(t, os.Symlink("/bin/sh", filepath.Join(dir, "bin", "handler")))
	require.ErrorIs(t, stack.Archive(dir, filepath.Join(t.TempDir(), "a.zip")), stack.ErrNotPlain)
	require.NoError(t, os.Remove(filepath.Join(dir, "bin", "handler")))
	require.ErrorIs(t, stack.Archive(dir, filepath.Join(t.TempDir(), "a.zip")), fs.ErrNotExist)
	require.ErrorContains(t, stack.Archive(t.TempDir(), filepath.Join(t.TempDir(), "a.zip")), "assemble the app first")
	dir = app(t)
	for _, file := range []string{filepath.Join(dir, "app.zip"), filepath.Join(dir, "Write", "app.zip"), dir} {
		require.ErrorContains(t, stack.Archive(dir, file), "beside it")
		require.DirExists(t, dir)
		require.NoFileExists(t, file)
	}
}
