package compat_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestServiceBusPython: the unmodified azure-servicebus, Microsoft's client for Python, sync and async, works with minibus
// as with Service Bus.
func TestServiceBusPython(t *testing.T) {
	t.Parallel()
	python := pythonWith(t, "azure-servicebus", "aiohttp", "websocket-client")
	for _, file := range pythonScripts(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			runScript(t, python, file)
		})
	}
}

// TestServiceBusPythonIsHarmed: its cases end as in peace, when the broker is killed or cut off between two calls of the client.
func TestServiceBusPythonIsHarmed(t *testing.T) {
	t.Parallel()
	python := pythonWith(t, "azure-servicebus", "aiohttp", "websocket-client")
	harmedInTurn(t, func(file string) []string { return []string{python, file} }, pythonScripts(t), sparedPython)
}

// pythonScripts are those with cases.
func pythonScripts(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("scripts", "pybus_*.py"))
	require.NoError(t, err)
	return slices.DeleteFunc(files, func(file string) bool { return filepath.Base(file) == "pybus_cases.py" })
}

// pythonWith is the Python that AZURE_PYTHON names; a test is skipped without one that has the packages.
func pythonWith(t *testing.T, packages ...string) string {
	t.Helper()
	python := os.Getenv("AZURE_PYTHON")
	if python == "" {
		t.Skipf("AZURE_PYTHON does not name a Python: python3 -m venv FOLDER; FOLDER/bin/pip install %v; AZURE_PYTHON=FOLDER/bin/python", packages)
	}
	for _, name := range packages {
		version, err := exec.Command(python, "-c", "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))", name).Output() //nolint:gosec // the tester's own program
		if err != nil {
			t.Skipf("%s has no package %s: pip install %s", python, name, name)
		}
		t.Logf("%s %s", name, version)
	}
	return python
}
