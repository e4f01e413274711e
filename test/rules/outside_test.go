package rules_test

import (
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
			write := func(name string, content []byte) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
			}
			sums, err := os.ReadFile(filepath.Join(root(t), "go.sum"))
			require.NoError(t, err)
			write("orders_test.go", program[1])
			write("go.sum", sums)
			write("go.mod", []byte("module example.com/outside\n\ngo 1.26\n\nrequire github.com/relaybox/relaybox v0.0.0\n\nreplace github.com/relaybox/relaybox => "+root(t)+"\n"))
			cmd := exec.CommandContext(t.Context(), "go", "test", "-mod=mod", "-count=1", "./...")
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			require.Contains(t, string(out), "ok")
		})
	}
}
