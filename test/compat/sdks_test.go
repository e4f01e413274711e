package compat_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos"
)

// TestCosmosPython: the unmodified azure-cosmos of PyPI, with and without coroutines, works with minicosmos as with Cosmos
// DB, over one range and over several. AZURE_PYTHON names a Python that has it.
func TestCosmosPython(t *testing.T) {
	t.Parallel()
	python := os.Getenv("AZURE_PYTHON")
	if python == "" {
		t.Skip("AZURE_PYTHON names no Python: make a venv, pip install azure-cosmos aiohttp")
	}
	version, err := exec.Command(python, "-c", "import aiohttp, importlib.metadata as m; print(m.version('azure-cosmos'))").Output() //nolint:gosec // the tester's own program
	require.NoError(t, err, "%s has no azure-cosmos and aiohttp", python)
	scripts := []string{"cosmos.py", "cosmos_queries.py", "cosmos_async.py"}
	passed, tried := sdkCases(t, func(script string) []string { return []string{python, filepath.Join("scripts", script)} }, scripts)
	counted(t, "azure-cosmos "+strings.TrimSpace(string(version))+" (PyPI)", passed, tried)
}

// TestCosmosJava: the unmodified azure-cosmos of Maven Central in gateway mode, with and without waiting. AZURE_JARS names a
// folder with it and what it needs: mvn -f scripts/java dependency:copy-dependencies -DoutputDirectory=…
func TestCosmosJava(t *testing.T) {
	t.Parallel()
	program, version := javaCosmos(t)
	passed, tried := sdkCases(t, program, []string{"Cases"})
	counted(t, "azure-cosmos "+version+" (Maven Central), gateway mode", passed, tried)
}

// javaCosmos compiles the cases for azure-cosmos of Java; program is how to run their main class.
func javaCosmos(t *testing.T) (program func(main string) []string, version string) {
	t.Helper()
	jars := os.Getenv("AZURE_JARS")
	if jars == "" {
		t.Skip("AZURE_JARS names no folder: mvn -f test/compat/scripts/java dependency:copy-dependencies -DoutputDirectory=FOLDER")
	}
	found, err := filepath.Glob(filepath.Join(jars, "azure-cosmos-[0-9]*.jar"))
	require.NoError(t, err)
	require.Len(t, found, 1, "%s has no azure-cosmos", jars)
	version = strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[0]), "azure-cosmos-"), ".jar")
	sources, err := filepath.Glob(filepath.Join("scripts", "java", "*.java"))
	require.NoError(t, err)
	classes, path := t.TempDir(), filepath.Join(jars, "*")
	text, err := exec.Command("javac", append([]string{"-encoding", "UTF-8", "-cp", path, "-d", classes}, sources...)...).CombinedOutput() //nolint:gosec // the tester's own program
	require.NoError(t, err, "javac of Java 17 or later: %s", text)
	return func(main string) []string {
		return []string{"java", "-Dfile.encoding=UTF-8", "-DCOSMOS.HTTP_CONNECTION_WITHOUT_TLS_ALLOWED=true", "-cp", classes + string(os.PathListSeparator) + path, main}
	}, version
}

// sdkCases runs scripts over one range and over three, each case as a subtest. A case counts as passed where both do.
func sdkCases(t *testing.T, program func(script string) []string, scripts []string) (passed, tried int) {
	t.Helper()
	failed := map[string]bool{}
	for _, script := range scripts {
		for _, ranges := range []int{1, 3} {
			for _, one := range programCases(t, program(script), minicosmos.RunT(t, func(o *minicosmos.Options) { o.Ranges = ranges }).URL) {
				name := script + ": " + one.Name
				failed[name] = failed[name] || one.Error != ""
				t.Run(fmt.Sprintf("%s, ranges: %d", name, ranges), func(t *testing.T) { require.Empty(t, one.Error) })
			}
		}
	}
	for _, bad := range failed {
		if !bad {
			passed++
		}
	}
	return passed, len(failed)
}

// counted fails unless docs/compat.md has the count of a client's cases.
func counted(t *testing.T, client string, passed, tried int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "compat.md"))
	require.NoError(t, err)
	require.Contains(t, string(text), fmt.Sprintf("| %s | %d of %d |", client, passed, tried), "docs/compat.md")
}
