package mutants_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
	"github.com/relaybox/relaybox/test/mutants"
)

// TestEveryMutantFits: one whose text is gone, or that does not compile, is caught by
// nothing. That it compiles is tried when MUTANTS=1: each takes a compiler's time.
func TestEveryMutantFits(t *testing.T) {
	t.Parallel()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	names := map[string]bool{}
	for _, m := range slices.Concat(mutants.All, mutants.Writer, mutants.Simulated, mutants.Reborn, mutants.Mixed) {
		require.False(t, names[m.Name], m.Name)
		names[m.Name] = true
		t.Run(m.Name, func(t *testing.T) {
			require.NotEmpty(t, m.Breaks)
			overlay, err := m.Overlay(source, t.TempDir())
			require.NoError(t, err)
			if os.Getenv("MUTANTS") == "" {
				return
			}
			args := []string{"build", "-overlay", overlay}
			for _, e := range append([]mutants.Edit{m.Edit}, m.And...) {
				args = append(args, "./"+path.Dir(e.File))
			}
			cmd := exec.CommandContext(t.Context(), "go", args...)
			cmd.Dir = source
			said, err := cmd.CombinedOutput()
			require.NoError(t, err, string(said))
		})
	}
}

func TestOverlayRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	source := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(source, "a.go"), []byte("one two two"), 0o600))
	for name, e := range map[string]mutants.Edit{
		"gone":  {File: "a.go", Old: "three", New: ""},
		"twice": {File: "a.go", Old: "two", New: ""},
	} {
		_, err := mutants.Mutant{Edit: e}.Overlay(source, t.TempDir())
		require.ErrorIs(t, err, mutants.ErrStale, name)
	}
	_, err := mutants.Mutant{Edit: mutants.Edit{File: "b.go"}}.Overlay(source, t.TempDir())
	require.ErrorIs(t, err, os.ErrNotExist)
	both := mutants.Mutant{Edit: mutants.Edit{File: "a.go", Old: "one", New: "1"}, And: []mutants.Edit{{File: "a.go", Old: "1 two", New: "12"}}}
	overlay, err := both.Overlay(source, t.TempDir())
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(filepath.Dir(overlay), "0-a.go"))
	require.NoError(t, err)
	require.Equal(t, "12 two", string(text))
}
