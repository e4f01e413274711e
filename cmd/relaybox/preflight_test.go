package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

// TestNothingStartsThatCannotWork: up ends with every fault and its remedy, before it has a
// data folder, forgets one or serves anything.
func TestNothingStartsThatCannotWork(t *testing.T) {
	t.Parallel()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	app := filepath.Join(t.TempDir(), "app")
	require.NoError(t, stack.Assemble(t.Context(), stack.Build{Source: source}, app))
	check := func(settings map[string]string) error {
		return preflight(stack.Config{App: app, Settings: settings})
	}
	require.NoError(t, check(nil))

	err = check(map[string]string{"RELAYBOX_INBOX_HOLD": "nonsense", "RELAYBOX_GAP_POLICY": "lenient", "DISPATCH_SCHEDULE": "often"})
	require.ErrorIs(t, err, errNotReady)
	for _, says := range []string{"\n  RELAYBOX_INBOX_HOLD cannot be read", "\n  RELAYBOX_GAP_POLICY is \"lenient\": use", "\n  OutboxDispatcher does not load", "every minute is", "AzureWebJobs.OutboxDispatcher.Disabled=true"} {
		require.ErrorContains(t, err, says)
	}
	require.NoError(t, check(map[string]string{"DISPATCH_SCHEDULE": "often", "AzureWebJobs.OutboxDispatcher.Disabled": "true"}), "as the text says")

	// Connections are the stack's own where its parts run, and the settings' where not.
	mine := map[string]string{"COSMOS_CONNECTION__accountEndpoint": "nonsense", "SERVICEBUS_CONNECTION": "nonsense"}
	require.NoError(t, check(mine))
	err = preflight(stack.Config{App: app, Settings: mine, Only: []stack.Part{stack.Host}})
	require.ErrorContains(t, err, "COSMOS_CONNECTION")
	require.ErrorContains(t, err, "SERVICEBUS_CONNECTION")

	// A file that does not load keeps the data as it is.
	data := t.TempDir()
	marker := filepath.Join(data, "bus", "marker")
	require.NoError(t, os.MkdirAll(filepath.Dir(marker), 0o700))
	require.NoError(t, os.WriteFile(marker, nil, 0o600))
	require.NoError(t, os.Remove(filepath.Join(app, "Orders", "function.json")))
	require.NoError(t, os.WriteFile(filepath.Join(app, "Orders", "function.json"), []byte("{"), 0o600))
	status, out, said := called(t.Context(), "up", "--fresh", "--app", app, "--data", data, "--host-addr", "127.0.0.1:0", "--cosmos-addr", "127.0.0.1:0", "--bus-addr", "127.0.0.1:0", "--bus-admin-addr", "off")
	require.Equal(t, exitFailed, status)
	require.Contains(t, said, "Orders does not load")
	require.NotContains(t, out, "curl")
	require.FileExists(t, marker)
}

// TestForeignHandlersKeepTheirSettings: what a handler of somebody else reads is not known here.
func TestForeignHandlersKeepTheirSettings(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "handler")
	require.NoError(t, os.WriteFile(file, []byte("#!/bin/sh\n"), 0o600))
	require.False(t, ours(file))
	require.False(t, ours(filepath.Join(t.TempDir(), "none")))
	own, err := os.Executable()
	require.NoError(t, err)
	require.False(t, ours(own), "this test is no handler")
}

// TestHome: from any folder of the source tree it is its root.
func TestHome(t *testing.T) {
	t.Parallel()
	source, err := stack.FindSource(".")
	require.NoError(t, err)
	require.Equal(t, ".", homeOf(source))
	require.Equal(t, filepath.Join("..", ".."), homeOf(filepath.Join(source, "cmd", "relaybox")))
	require.Equal(t, ".", homeOf(t.TempDir()))

	f := typed()
	f.data = ""
	cfg, err := f.config(nil)
	require.NoError(t, err)
	require.Equal(t, filepath.Join("..", "..", ".relaybox"), cfg.Data, "a folder below gets no data of its own")
	require.False(t, strings.HasPrefix(cfg.Data, "."+string(filepath.Separator)))
}

// TestAHandlerThatNeverAnswersEndsUp: starting it again for ever helps nobody.
func TestAHandlerThatNeverAnswersEndsUp(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the handler of this test is a shell script")
	}
	app := t.TempDir()
	for name, text := range map[string]string{
		"host.json":       `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"handler"},"enableForwardingHttpRequest":true}}`,
		"F/function.json": `{"bindings":[{"type":"httpTrigger","direction":"in","name":"req","methods":["get"],"authLevel":"anonymous"},{"type":"http","direction":"out","name":"res"}]}`,
		"handler":         "#!/bin/sh\necho no database >&2\nexit 3\n",
	} {
		file := filepath.Join(app, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o700)) //nolint:gosec // one of them is a program
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	status, _, said := called(ctx, "up", "--only", "host", "--app", app, "--data", t.TempDir(), "--host-addr", "127.0.0.1:0")
	require.Equal(t, exitFailed, status, said)
	require.Contains(t, said, "it has never answered")
	require.Contains(t, said, "exit status 3")
}
