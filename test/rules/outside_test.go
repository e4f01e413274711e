package rules_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOutsideProjects: the program that a document shows runs as a test of a project that is not ours.
func TestOutsideProjects(t *testing.T) {
	t.Parallel()
	for _, doc := range []string{"minibus.md", "minicosmos.md"} {
		t.Run(doc, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(root(t), "docs", doc))
			require.NoError(t, err)
			program := regexp.MustCompile("(?s)```go\n(package .*?)```").FindSubmatch(text)
			require.NotNil(t, program, "the document has no program")
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "orders_test.go"), program[1], 0o600))
			require.Contains(t, outside(t, dir, "test", "-count=1", "./..."), "ok")
		})
	}
}

// TestOutsideService: so does the service of docs/library.md, and it prints what the
// document shows.
func TestOutsideService(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root(t), "docs", "library.md"))
	require.NoError(t, err)
	dir := t.TempDir()
	files := regexp.MustCompile("(?s)```go file=(\\S+)\n(.*?)```").FindAllSubmatch(text, -1)
	require.Len(t, files, 2)
	for _, file := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, string(file[1])), file[2], 0o600))
	}
	shown := regexp.MustCompile("(?s)```text\n(.*?)```").FindSubmatch(text)
	require.NotNil(t, shown, "the document does not show what is printed")
	require.Equal(t, string(shown[1]), outside(t, dir, "run", "."))
}

// outside makes dir a module that is not ours and uses ours, runs the go command there and
// returns what it prints.
func outside(t *testing.T, dir, verb string, args ...string) string {
	t.Helper()
	sums, err := os.ReadFile(filepath.Join(root(t), "go.sum"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/outside\n\ngo 1.26\n\nrequire github.com/relaybox/relaybox v0.0.0\n\nreplace github.com/relaybox/relaybox => "+root(t)+"\n"), 0o600))
	cmd := exec.CommandContext(t.Context(), "go", append([]string{verb, "-mod=mod"}, args...)...)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	require.NoError(t, err, "%s%s", out, &said)
	return string(out)
}
