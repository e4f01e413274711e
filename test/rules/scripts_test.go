package rules_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// tools are what scripts/ may use beside what they check for.
var tools = []string{"bash", "sh", "cat", "curl", "date", "dirname", "head", "mktemp", "rm", "seq", "sleep", "sort", "tail"}

// script runs one of scripts/ with only tools and the given programs on its PATH.
func script(t *testing.T, name string, programs map[string]string, env []string, args ...string) (string, error) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	bin := t.TempDir()
	for program, text := range programs {
		require.NoError(t, os.WriteFile(filepath.Join(bin, program), []byte("#!/bin/sh\n"+text+"\n"), 0o600))
		require.NoError(t, os.Chmod(filepath.Join(bin, program), 0o700)) //nolint:gosec // a program must be executable
	}
	for _, tool := range tools {
		if path, err := exec.LookPath(tool); err == nil {
			require.NoError(t, os.Symlink(path, filepath.Join(bin, tool)))
		}
	}
	cmd := exec.CommandContext(t.Context(), bash, append([]string{filepath.Join(root(t), "scripts", name)}, args...)...)
	cmd.Env = append([]string{"PATH=" + bin, "HOME=" + t.TempDir()}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// goodDocker runs our emulators; like compose it says nothing without the file's variables.
var goodDocker = `case "$*" in "compose ps --quiet") [ -n "$ACCEPT_EULA" ] && [ -n "$MSSQL_SA_PASSWORD" ] && echo running;; esac; exit 0`

func TestFuncStartNamesEverythingThatIsMissing(t *testing.T) {
	t.Parallel()
	if _, err := net.Dial("tcp", "127.0.0.1:7071"); err == nil {
		t.Skip("something listens on port 7071")
	}
	for name, c := range map[string]struct {
		programs map[string]string
		env      []string
		want     []string
	}{
		"nothing there": {map[string]string{"go": "exit 0"}, nil, []string{"func: install", "docker: install", "ACCEPT_EULA: set it to Y"}},
		"old func, engine off": {map[string]string{"go": "exit 0", "func": "echo 3.0.3904", "docker": "exit 1"}, []string{"ACCEPT_EULA=Y"},
			[]string{"func 3.0.3904 is too old", "the Docker engine does not answer"}},
		"no compose":           {map[string]string{"go": "exit 0", "func": "echo 4.14.0", "docker": `[ "$1" = info ]`}, []string{"ACCEPT_EULA=Y"}, []string{"docker compose: install"}},
		"licence not accepted": {map[string]string{"go": "exit 0", "func": "echo 4.14.0", "docker": goodDocker}, []string{"ACCEPT_EULA=N"}, []string{"ACCEPT_EULA"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := script(t, "func-start.sh", c.programs, c.env, "check")
			require.Error(t, err, out)
			require.GreaterOrEqual(t, strings.Count(out, "\n  - "), len(c.want), out)
			for _, want := range c.want {
				require.Contains(t, out, want)
			}
		})
	}
	// Azurite's port is taken, by our own emulators as docker says.
	if l, err := net.Listen("tcp", "127.0.0.1:10002"); err == nil {
		defer func() { require.NoError(t, l.Close()) }()
	}
	out, err := script(t, "func-start.sh", map[string]string{"go": "exit 0", "func": "echo 4.14.0", "docker": goodDocker}, []string{"ACCEPT_EULA=Y"}, "check")
	require.NoError(t, err, out)
	require.Contains(t, out, "everything is there")
}

// TestSmoke runs the smoke test against an app that is not ready at once, and one that
// loses what it was given.
func TestSmoke(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("no curl")
	}
	var mu sync.Mutex
	stored, late, forgets := map[string]bool{}, 2, false
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.Header.Get("X-Functions-Key") != "k":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodPut && late > 0:
			late--
			w.WriteHeader(http.StatusServiceUnavailable)
		case r.Method == http.MethodPut:
			stored[r.URL.Path] = !forgets
			w.WriteHeader(http.StatusCreated)
		case !stored[r.URL.Path]:
			w.WriteHeader(http.StatusNotFound)
		case r.Method == http.MethodDelete:
			delete(stored, r.URL.Path)
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(app.Close)
	smoke := func(key string) (string, error) {
		return script(t, "smoke.sh", nil, []string{"SMOKE_KEY=" + key, "SMOKE_PAUSE=0", "SMOKE_TRIES=5"}, "rg", "app", app.URL)
	}
	out, err := smoke("k")
	require.NoError(t, err, out)
	require.Contains(t, out, "PUT: 503; trying again")
	require.Contains(t, out, "GET after DELETE: 404")
	require.Empty(t, stored)

	// A young app has no key yet.
	asked := filepath.Join(t.TempDir(), "asked")
	az := `if [ -e ` + asked + ` ]; then echo k; else : >` + asked + `; exit 1; fi`
	out, err = script(t, "smoke.sh", map[string]string{"az": az}, []string{"SMOKE_PAUSE=0", "SMOKE_TRIES=5"}, "rg", "app", app.URL)
	require.NoError(t, err, out)
	require.Contains(t, out, "no function key yet; trying again")

	out, err = smoke("wrong")
	require.Error(t, err)
	require.Contains(t, out, "PUT: got 401 and expected 201")
	mu.Lock()
	forgets = true
	mu.Unlock()
	out, err = smoke("k")
	require.Error(t, err)
	require.Contains(t, out, "GET: got 404 and expected 200")
}
