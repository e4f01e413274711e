package app

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minihost/internal/bus"
)

// folder writes an app folder; the values are the files' texts.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

// hostJSON is a host.json whose handler is this binary.
func hostJSON(t *testing.T, rest string) string {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	return fmt.Sprintf(`{"version":"2.0","functionTimeout":"00:01:00","extensionBundle":{"id":"b","version":"[4.*, 5.0.0)"},
		"customHandler":{"description":{"defaultExecutablePath":%q}}%s}`, exe, rest)
}

const (
	readJSON  = `{"bindings":[{"type":"httpTrigger","direction":"in","name":"req","authLevel":"anonymous","methods":["get","head"],"route":"profiles/{id}"},{"type":"http","direction":"out","name":"res"}]}`
	sweepJSON = `{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer","schedule":"%DISPATCH_SCHEDULE%","useMonitor":true}]}`
)

func TestLoadSettings(t *testing.T) {
	t.Parallel()
	dir := folder(t, map[string]string{
		"host.json": hostJSON(t, `,"extensions":{"http":{"routePrefix":""}}`), "notes/readme.txt": "ignored", "Read/function.json": readJSON, "Sweep/function.json": sweepJSON,
		"Bus/function.json": `{"disabled":true,"bindings":[{"type":"serviceBusTrigger","direction":"in","name":"m","topicName":"%T%-x","subscriptionName":"%S%","isSessionsEnabled":true,"dataType":"binary","connection":"BUS"}]}`,
	})
	load := func(change map[string]string) *App {
		s := map[string]string{"T": "topic", "S": "sub", "DISPATCH_SCHEDULE": "0 * * * * *", "BUS": "Endpoint=sb://a"}
		maps.Copy(s, change)
		a, err := Load(dir, s)
		require.NoError(t, err)
		return a
	}
	a := load(nil)
	require.Equal(t, Function{Name: "Read", Trigger: HTTPTrigger, Methods: []string{"GET", "HEAD"}, Route: "profiles/{id}"}, a.Functions[1].Function)
	consumer := a.Functions[0]
	require.Empty(t, consumer.Errors)
	require.False(t, consumer.Disabled, "disabled in function.json does nothing")
	require.Equal(t, bus.Trigger{Topic: "topic-x", Subscription: "sub", Sessions: true, AutoComplete: true, Binary: true, Connection: bus.Connection{String: "Endpoint=sb://a"}}, consumer.Bus)
	require.True(t, a.Functions[2].Timer.Monitor)
	require.Equal(t, time.Minute, a.Config.FunctionTimeout)
	require.Equal(t, 8, a.Config.Bus.MaxSessions)
	require.Equal(t, time.Minute, a.Config.Bus.SessionIdle, "the try time-out stands in")
	require.Equal(t, 5*time.Minute, a.Config.Bus.MaxRenewal)

	a = load(map[string]string{
		"AzureWebJobsBUS": "Endpoint=sb://first", "DISPATCH_SCHEDULE": "*/10 * * * * *", "AzureWebJobs.Read.Disabled": "true", "AzureWebJobs_Sweep_Disabled": "1",
		"AzureFunctionsJobHost__functionTimeout": "-1", "azurefunctionsjobhost__extensions__serviceBus__sessionIdleTimeout": "00:00:00.5",
		"AzureFunctionsJobHost__customHandler__description__arguments__0":           "%T%",
		"AzureFunctionsJobHost__extensions__serviceBus__maxAutoLockRenewalDuration": "-00:00:00.0010000",
	})
	require.Equal(t, "Endpoint=sb://first", a.Functions[0].Bus.Connection.String)
	require.True(t, a.Functions[1].Disabled)
	require.True(t, a.Functions[2].Disabled)
	require.False(t, a.Functions[2].Timer.Monitor, "more often than once a minute")
	require.Zero(t, a.Config.FunctionTimeout)
	require.Equal(t, 500*time.Millisecond, a.Config.Bus.SessionIdle)
	require.Negative(t, a.Config.Bus.MaxRenewal, "without an end")
	require.Equal(t, []string{"topic"}, a.Config.Handler.Arguments)

	a = load(map[string]string{"BUS": "", "BUS__fullyQualifiedNamespace": "ns.example", "BUS__clientId": "id", "AzureFunctionsJobHost__functions__0": "bus"})
	require.Len(t, a.Functions, 1, "the allow list")
	require.Equal(t, bus.Connection{Namespace: "ns.example", ClientID: "id"}, a.Functions[0].Bus.Connection)
}

func TestHandlerEnvironment(t *testing.T) {
	t.Parallel()
	env := newSettings(map[string]string{"PATH": "over"})
	require.Equal(t, "over", env["PATH"], "settings win over the environment")
	require.NotEmpty(t, os.Environ())
}
