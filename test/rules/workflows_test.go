package rules_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pinned is an action by its commit, which nobody can move, with the version that it is for people.
var pinned = regexp.MustCompile(`^[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

// TestActionsArePinned: a tag can be moved to other code, which then runs with our tokens.
func TestActionsArePinned(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(root(t), ".github", "workflows", "*.y*ml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	versions := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			action, uses := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(line), "- "), "uses:")
			if !uses {
				continue
			}
			action = strings.TrimSpace(action)
			require.Regexp(t, pinned, action, filepath.Base(file))
			name, _, _ := strings.Cut(action, "@")
			if versions[name] == "" {
				versions[name] = action
			}
			require.Equal(t, versions[name], action, "one version in all workflows")
		}
	}
	require.NotEmpty(t, versions)
}
