package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const goodHost = `{
	"version": "2.0", "functionTimeout": "00:05:00",
	"customHandler": {"description": {"defaultExecutablePath": "handler"}, "enableForwardingHttpRequest": true},
	"extensionBundle": {"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*, 5.0.0)"},
	"extensions": {"serviceBus": {"maxConcurrentSessions": 8, "maxConcurrentCalls": 64, "maxAutoLockRenewalDuration": "00:06:00"}},
	"logging": {"applicationInsights": {"samplingSettings": {"excludedTypes": "Request; Trace"}}},
	"extras": {}
}`

// inspected is an app folder with an executable handler.
func inspected(t *testing.T, files map[string]string, settings map[string]string) Inspection {
	t.Helper()
	root := folder(t, files)
	require.NoError(t, os.WriteFile(filepath.Join(root, "handler"), []byte("#!"), 0o600))
	require.NoError(t, os.Chmod(filepath.Join(root, "handler"), 0o700)) //nolint:gosec // it is a program
	i, err := Inspect(root, settings)
	require.NoError(t, err)
	return i
}

func TestInspect(t *testing.T) {
	t.Parallel()
	i := inspected(t, map[string]string{
		"host.json":          goodHost,
		"Tick/function.json": `{"bindings":[{"type":"timerTrigger","direction":"in","name":"t","schedule":"%S%"}]}`,
		"Span/function.json": `{"bindings":[{"type":"timerTrigger","direction":"in","name":"t","schedule":"00:02:00"}]}`,
		"Eat/function.json":  `{"bindings":[{"type":"serviceBusTrigger","direction":"in","name":"m","connection":"SB","topicName":"a","subscriptionName":"b","isSessionsEnabled":true}]}`,
		"Bad/function.json":  `{"bindings":[{"type":"timerTrigger","direction":"in","name":"t","schedule":"%NONE%"}]}`,
	}, map[string]string{"S": "0 */5 * * * *", "SB": "Endpoint=sb://x", "AzureWebJobs.Span.Disabled": "true"})
	require.Empty(t, i.Faults)
	require.Empty(t, i.Unseen)

	h := *i.Host
	require.NotEmpty(t, h.Executable)
	h.Executable = ""
	require.Equal(t, HostConfig{
		FunctionTimeout: 5 * time.Minute, Forwarding: true,
		Bundle: "Microsoft.Azure.Functions.ExtensionBundle", BundleVersion: "[4.*, 5.0.0)",
		MaxSessions: 8, MaxSessionsSet: true, MaxCalls: 64, MaxCallsSet: true, CallsPerSession: 1, AutoComplete: true, LockRenewal: 6 * time.Minute,
		Sampling: true, NotSampled: []string{"Request", "Trace"}, UnknownKeys: []string{"extras"},
	}, h)

	require.Len(t, i.Functions, 4)
	bad, eat, span, tick := i.Functions[0], i.Functions[1], i.Functions[2], i.Functions[3]
	require.Contains(t, bad.Errors[0], "setting NONE is missing")
	require.Equal(t, []any{"a", "b", true}, []any{eat.Topic, eat.Subscription, eat.Sessions})
	require.Equal(t, []any{"00:02:00", 2 * time.Minute, false, true}, []any{span.Schedule, span.Interval, span.Cron, span.Disabled})
	require.Equal(t, []any{"0 */5 * * * *", 5 * time.Minute, true, false}, []any{tick.Schedule, tick.Interval, tick.Cron, tick.Disabled})
}

func TestInspectFindsWhatTheHostPassesOver(t *testing.T) {
	t.Parallel()
	one := `{"bindings":[{"type":"timerTrigger","direction":"in","name":"t","schedule":"0 * * * * *"}]}`
	i := inspected(t, map[string]string{
		"host.json": goodHost, "F/function.json": one, "functions/G/function.json": one, "F/H/function.json": one,
		"I/Function.json": one, "function.json": one, "docs/a.txt": "", ".git/x": "", "local.settings.json": "{}",
	}, nil)
	seen := map[string]string{}
	for _, u := range i.Unseen {
		seen[u.Path] = u.Why
	}
	require.Len(t, seen, 6)
	require.Contains(t, seen["functions/G/function.json"], "move the folder G up")
	require.Contains(t, seen["F/H/function.json"], "move the folder H up")
	require.Contains(t, seen["I/Function.json"], "lower case")
	require.Contains(t, seen["function.json"], "beside host.json")
	require.Contains(t, seen["docs/"], "no function.json")
	require.Contains(t, seen["local.settings.json"], "leaves it out")
}

func TestInspectGoesOnWhereLoadStops(t *testing.T) {
	t.Parallel()
	_, err := Inspect(filepath.Join(t.TempDir(), "none"), nil)
	require.ErrorIs(t, err, ErrNotAssembled)

	i := inspected(t, map[string]string{"host.json": `{`, "a/b/function.json": "{}"}, nil)
	require.Nil(t, i.Host)
	require.Len(t, i.Faults, 2, "no function, and no host.json that can be read")
	require.Equal(t, "a/b/function.json", i.Unseen[0].Path)
}
