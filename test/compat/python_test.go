package compat_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestServiceBusPython: the unmodified azure-servicebus, Microsoft's client for Python, sync and async, works with minibus
// as with Service Bus.
func TestServiceBusPython(t *testing.T) {
	t.Parallel()
	python := pythonWith(t, "azure-servicebus", "aiohttp", "websocket-client")
	files, err := filepath.Glob(filepath.Join("scripts", "pybus_*.py"))
	require.NoError(t, err)
	for _, file := range files {
		if filepath.Base(file) == "pybus_cases.py" {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			runScript(t, python, file)
		})
	}
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
