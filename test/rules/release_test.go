package rules_test

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/jsonc"
)

// TestReleasesAreWhatCICompiles: the same systems and processors, with the same goreleaser.
func TestReleasesAreWhatCICompiles(t *testing.T) {
	t.Parallel()
	release := parse[struct {
		Builds []struct {
			Main         string
			GOOS, GOARCH []string
			Env, Flags   []string
		}
		Checksum map[string]any
		SBOMs    []map[string]any
	}](t, ".goreleaser.yaml")
	require.Len(t, release.Builds, 1)
	build := release.Builds[0]
	require.Equal(t, "./cmd/relaybox", build.Main)
	require.Contains(t, build.Env, "CGO_ENABLED=0")
	require.Contains(t, build.Flags, "-buildvcs=true", "relaybox version tells the commit")
	require.NotEmpty(t, release.Checksum)
	require.NotEmpty(t, release.SBOMs)
	var released []string
	for _, system := range build.GOOS {
		for _, processor := range build.GOARCH {
			released = append(released, system+"/"+processor)
		}
	}
	ci := read(t, ".ci/run")
	compiled := regexp.MustCompile(`(?m)^readonly PLATFORMS=\((.*)\)$`).FindStringSubmatch(ci)
	require.NotNil(t, compiled)
	require.ElementsMatch(t, strings.Fields(compiled[1]), released)

	tool := regexp.MustCompile(`github\.com/goreleaser/goreleaser/v2@v[0-9.]+`)
	checked := tool.FindString(ci)
	require.NotEmpty(t, checked)
	require.Equal(t, checked, tool.FindString(read(t, ".github/workflows/release.yml")))
	require.NotContains(t, read(t, ".github/workflows/release.yml"), "secrets.")
}

// TestEditorFiles can be read, and name what there is.
func TestEditorFiles(t *testing.T) {
	t.Parallel()
	type file struct {
		Configurations []struct {
			Name, Program, ProcessID, PreLaunchTask string
		}
		Tasks        []struct{ Label, Command string }
		ForwardPorts []int
	}
	var files [3]file
	for i, name := range []string{".vscode/launch.json", ".vscode/tasks.json", ".devcontainer/devcontainer.json"} {
		require.NoError(t, json.Unmarshal(jsonc.ToJSON([]byte(read(t, name))), &files[i]), name)
	}
	launch, tasks := files[0], files[1]
	labels := map[string]bool{}
	for _, task := range tasks.Tasks {
		labels[task.Label] = true
		require.FileExists(t, filepath.Join(root(t), strings.TrimPrefix(task.Command, "bash ")))
	}
	for _, c := range launch.Configurations {
		require.True(t, c.PreLaunchTask == "" || labels[c.PreLaunchTask], c.Name)
		if dir, ours := strings.CutPrefix(c.Program, "${workspaceFolder}/"); ours {
			require.DirExists(t, filepath.Join(root(t), dir))
		}
		if c.ProcessID != "" {
			require.Contains(t, read(t, "host.json"), `"defaultExecutablePath": "`+c.ProcessID+`"`)
		}
	}
	require.Equal(t, []int{7071, 8081, 5672, 5300}, files[2].ForwardPorts)
}
