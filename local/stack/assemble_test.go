package stack_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

// tree writes a small source tree and returns its root.
func tree(t *testing.T) string {
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":                            "module example.test/app\n\ngo 1.26\n",
		"host.json":                         `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"bin/handler"}}}`,
		"handler/main.go":                   "package main\n\nfunc main() { println(\"here\") }\n",
		"functions/Write/function.json":     `{"bindings":[]}`,
		"functions/Write/write.go":          "package write\n",
		"functions/Read/function.json":      `{"bindings":[]}`,
		"functions/shared/shared.go":        "package shared\n",
		"functions/Deep/Down/function.json": `{"bindings":[]}`,
	} {
		path := filepath.Join(root, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	return root
}

// snapshot is every file below dir with its mode and bytes.
func snapshot(t *testing.T, dir string) map[string]string {
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := d.Info()
		require.NoError(t, err)
		name, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		found[filepath.ToSlash(name)] = info.Mode().String()
		if !d.IsDir() {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			found[filepath.ToSlash(name)] += " " + string(text)
		}
		return nil
	}))
	return found
}

func TestAssembleWritesTheSameBytesAndModesTwice(t *testing.T) {
	t.Parallel()
	source, out := tree(t), filepath.Join(t.TempDir(), "dist", "app")
	require.NoError(t, stack.Assemble(t.Context(), stack.Build{Source: source}, out))
	first := snapshot(t, out)

	// Another clone elsewhere, and what was there before is gone.
	require.NoError(t, os.MkdirAll(filepath.Join(out, "Stale"), 0o755))
	require.NoError(t, stack.Assemble(t.Context(), stack.Build{Source: tree(t)}, out))
	require.Equal(t, first, snapshot(t, out))

	require.ElementsMatch(t, []string{".", "host.json", "bin", "bin/handler", "Write", "Write/function.json", "Read", "Read/function.json"}, keys(first))
	require.Contains(t, first["bin/handler"], "-rwxr-xr-x ")
	require.Contains(t, first["host.json"], "-rw-r--r-- ")
	require.NotContains(t, first["bin/handler"], source, "the binary names the machine's folders")
	left, err := os.ReadDir(filepath.Dir(out))
	require.NoError(t, err)
	require.Len(t, left, 1, "a half-made folder was left behind")
}

func keys(m map[string]string) []string {
	var all []string
	for k := range m {
		all = append(all, k)
	}
	return all
}

func TestAssembleForAnotherMachine(t *testing.T) {
	t.Parallel()
	out := filepath.Join(t.TempDir(), "app")
	require.NoError(t, stack.Assemble(t.Context(), stack.Build{Source: tree(t), OS: "linux", Arch: "arm64"}, out))
	binary, err := os.ReadFile(filepath.Join(out, "bin", "handler"))
	require.NoError(t, err)
	require.Equal(t, "\x7fELF", string(binary[:4]))
	require.EqualValues(t, 0xb7, binary[18], "ELF machine: AArch64")
}

func TestAssembleLeavesOtherFoldersAlone(t *testing.T) {
	t.Parallel()
	source := tree(t)
	for name, out := range map[string]string{"a home folder": t.TempDir(), "the source": source} {
		require.NoError(t, os.WriteFile(filepath.Join(out, "diary.txt"), nil, 0o600))
		require.ErrorIs(t, stack.Assemble(t.Context(), stack.Build{Source: source}, out), stack.ErrNotAnApp, name)
		require.FileExists(t, filepath.Join(out, "diary.txt"))
	}
}

func TestAssembleReportsTheCompiler(t *testing.T) {
	t.Parallel()
	source := tree(t)
	require.NoError(t, os.WriteFile(filepath.Join(source, "handler", "main.go"), []byte("package main\n\nfunc main() { undefined() }\n"), 0o600))
	out := filepath.Join(t.TempDir(), "app")
	require.ErrorContains(t, stack.Assemble(t.Context(), stack.Build{Source: source}, out), "undefined: undefined")
	require.NoDirExists(t, out)
}

func TestAssembleRefusesAnExecutableOutsideTheApp(t *testing.T) {
	t.Parallel()
	source := tree(t)
	require.NoError(t, os.WriteFile(filepath.Join(source, "host.json"), []byte(`{"customHandler":{"description":{"defaultExecutablePath":"../handler"}}}`), 0o600))
	require.ErrorContains(t, stack.Assemble(t.Context(), stack.Build{Source: source}, filepath.Join(t.TempDir(), "app")), "defaultExecutablePath")
}

func TestFindSource(t *testing.T) {
	t.Parallel()
	root := tree(t)
	found, err := stack.FindSource(filepath.Join(root, "functions", "Write"))
	require.NoError(t, err)
	require.Equal(t, root, found)
	_, err = stack.FindSource(t.TempDir())
	require.ErrorIs(t, err, stack.ErrNoSource)
}
