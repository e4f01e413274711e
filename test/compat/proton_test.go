package compat_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestProton: Apache Qpid Proton, a client in C with a Python face, sends, receives, settles and drains. PYTHON names a
// Python that has it; without one, Debian's is tried.
func TestProton(t *testing.T) {
	t.Parallel()
	runScript(t, pythonWithProton(t), filepath.Join("scripts", "proton_amqp.py"))
}

// TestProtonIsHarmed: its cases end as in peace, when the broker is killed or cut off between two calls and they connect and
// attach again by hand.
func TestProtonIsHarmed(t *testing.T) {
	t.Parallel()
	python := pythonWithProton(t)
	harmed(t, func(file string) []string { return []string{python, file} }, []string{filepath.Join("scripts", "proton_amqp.py")}, sparedProton)
}

func pythonWithProton(t *testing.T) string {
	t.Helper()
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "/usr/bin/python3"
	}
	version, err := exec.Command(python, "-c", "import proton; print(*proton.VERSION, sep='.')").Output() //nolint:gosec // the tester's own program
	if err != nil {
		t.Skipf("%s has no module proton: apt-get install python3-qpid-proton, or let PYTHON name a Python that has it", python)
	}
	t.Logf("proton %s", version)
	return python
}
