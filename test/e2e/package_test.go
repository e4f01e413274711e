package e2e_test

import (
	"archive/zip"
	"debug/elf"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/local/stack"
)

// unzip unpacks as a deployment does: names and modes as the file says.
func unzip(t *testing.T, file, dir string) {
	t.Helper()
	z, err := zip.OpenReader(file)
	require.NoError(t, err)
	defer func() { require.NoError(t, z.Close()) }()
	for _, f := range z.File {
		require.True(t, filepath.IsLocal(f.Name), f.Name)
		path := filepath.Join(dir, filepath.FromSlash(f.Name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		from, err := f.Open()
		require.NoError(t, err)
		body, err := io.ReadAll(from)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, body, 0o600))
		require.NoError(t, os.Chmod(path, f.Mode()))
	}
}

// TestThePackageRuns: what is uploaded is what runs.
func TestThePackageRuns(t *testing.T) {
	t.Parallel()
	file, dir := filepath.Join(t.TempDir(), "app.zip"), filepath.Join(t.TempDir(), "app")
	require.NoError(t, stack.Archive(assembled, file))
	unzip(t, file, dir)
	s := start(t, func(c *stack.Config) { c.App = dir })
	folders, err := functions.Triggers()
	require.NoError(t, err)
	require.Len(t, s.Functions(), len(folders))
	s.must(201, http.MethodPut, "zip", `{"displayName":"Zip"}`)
	require.Contains(t, s.must(200, http.MethodGet, "zip", "").body, "Zip")
	require.Equal(t, "Zip", s.consumed("zip", 1).Data.State.DisplayName)
}

// TestBothArchitectures: a package is made for a machine that is not this one.
func TestBothArchitectures(t *testing.T) {
	t.Parallel()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		app, file, dir := filepath.Join(t.TempDir(), "app"), filepath.Join(t.TempDir(), "app.zip"), filepath.Join(t.TempDir(), "unpacked")
		require.NoError(t, stack.Assemble(t.Context(), stack.Build{Source: source, OS: "linux", Arch: arch}, app))
		require.NoError(t, stack.Archive(app, file))
		unzip(t, file, dir)
		handler := filepath.Join(dir, "handler")
		info, err := os.Stat(handler)
		require.NoError(t, err)
		require.EqualValues(t, 0o755, info.Mode().Perm())
		binary, err := elf.Open(handler)
		require.NoError(t, err)
		require.Equal(t, machine, binary.Machine)
		_, err = binary.DynamicSymbols()
		require.ErrorIs(t, err, elf.ErrNoSymbols, "it needs no library of the machine it runs on")
		require.NoError(t, binary.Close())
	}
}
