package infra_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// predict returns what the Bicep CLI's own evaluator says that a parameter file makes.
// The templates are copied, because the CLI writes its answer beside them.
func predict(t *testing.T, name, text string, environment ...string) deployment {
	t.Helper()
	cli, dir := bicep(t), t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(root(t), "infra", "bicep"))))
	if text != "" {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	cmd := exec.CommandContext(t.Context(), cli, "snapshot", name, "--mode", "overwrite",
		"--subscription-id", "00000000-0000-0000-0000-000000000001", "--location", "westeurope", "--deployment-name", "test")
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1"), environment...)
	var said bytes.Buffer
	cmd.Stderr = &said
	err := cmd.Run()
	require.Empty(t, said.String(), "bicep snapshot %s", name)
	require.NoError(t, err)
	answer, err := os.ReadFile(filepath.Join(dir, strings.TrimSuffix(name, ".bicepparam")+".snapshot.json"))
	require.NoError(t, err)
	var made struct {
		PredictedResources []map[string]any
		Diagnostics        []any
	}
	require.NoError(t, json.Unmarshal(answer, &made))
	require.Empty(t, made.Diagnostics)
	var all deployment
	for _, r := range made.PredictedResources {
		kind, _ := r["type"].(string)
		called, _ := r["name"].(string)
		all = append(all, resource{Type: kind, Name: called, all: r})
	}
	return all
}

// TestBicepAgreesWithTheEvaluator of this package, about every resource and about each
// value that is neither an identifier nor known to a deployment only.
func TestBicepAgreesWithTheEvaluator(t *testing.T) {
	t.Parallel()
	const everything = "using 'main.bicep'\nparam environmentName = 'x1'\nparam location = 'here'\n" +
		"param privateNetwork = true\nparam exactScaling = true\nparam alertEmail = 'a@example.com'\nparam zoneRedundant = true\n"
	ours := with(t, map[string]any{"privateNetwork": true, "exactScaling": true, "alertEmail": "a@example.com", "zoneRedundant": true})
	compare(t, predict(t, "test.bicepparam", everything), ours)
	compare(t, predict(t, "prod.bicepparam", ""), deploy(t, file(t, "prod.bicepparam")))
}

func compare(t *testing.T, theirs, ours deployment) {
	t.Helper()
	require.Equal(t, kinds(theirs), kinds(ours))
	for _, kind := range slices.Compact(kinds(theirs)) {
		if kind == "Microsoft.Authorization/roleAssignments" || strings.HasPrefix(kind, "Microsoft.Network/private") {
			continue // their order is that of names, which are hashes in one and not in the other
		}
		for i, r := range theirs.of(kind) {
			for _, part := range []string{"kind", "sku", "location", "tags", "properties"} {
				same(t, r.get(part), ours.of(kind)[i].get(part), r.Name+" "+part)
			}
		}
	}
}

func kinds(d deployment) []string {
	var all []string
	for _, r := range d {
		all = append(all, r.Type)
	}
	slices.Sort(all)
	return all
}

// named finds values that hold an identifier, which our evaluator invents.
var named = regexp.MustCompile(`^\[|relaybox-|/subscriptions/|reference\(|^subnet:|^10\.`)

func same(t *testing.T, theirs, ours any, path string) {
	t.Helper()
	switch v := theirs.(type) {
	case map[string]any:
		o, ok := ours.(map[string]any)
		require.True(t, ok, path)
		for key, value := range v {
			same(t, value, o[key], path+"."+key)
		}
		for key, value := range o {
			require.True(t, value == nil || v[key] != nil, "%s.%s: Bicep has no such property", path, key)
		}
	case []any:
		o, ok := ours.([]any)
		require.True(t, ok && len(o) == len(v), "%s: %v", path, ours)
		for i := range v {
			same(t, v[i], o[i], fmt.Sprintf("%s[%d]", path, i))
		}
	case string:
		if !named.MatchString(v) && !named.MatchString(fmt.Sprint(ours)) {
			require.Equal(t, v, ours, path)
		}
	default:
		require.Equal(t, v, ours, path)
	}
}
