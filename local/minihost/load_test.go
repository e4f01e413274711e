package minihost

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLoadRefusesWhatIsNoApp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		words string
	}{
		"an empty folder":       {nil, "has no function"},
		"only deeper functions": {map[string]string{"host.json": "{}", "a/b/function.json": "{}"}, "has no function"},
		"a source tree":         {map[string]string{"host.json": "{}", "go.mod": "module x", "functions/WriteProfile/function.json": "{}"}, "is a source tree"},
		"a module":              {map[string]string{"go.mod": "module x"}, "is a source tree"},
		"functions alone":       {map[string]string{"F/function.json": "{}"}, "no host.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(Options{App: folder(t, c.files)})
			require.ErrorIs(t, err, ErrNotAssembled)
			require.ErrorContains(t, err, c.words)
			require.ErrorContains(t, err, "relaybox assemble")
		})
	}
	_, err := Load(Options{App: filepath.Join(t.TempDir(), "nope")})
	require.ErrorIs(t, err, ErrNotAssembled)
}

// Faults of host.json and the executable are reported together.
func TestLoadReportsHostFaults(t *testing.T) {
	t.Parallel()
	_, err := Load(Options{App: folder(t, map[string]string{"F/function.json": readJSON, "plain": "x", "host.json": `{
		// comments are allowed
		"version": "1.0", "functionTimeout": "00:00:00",
		"extensionBundle": {"id": "x"},
		"extensions": {"serviceBus": {"maxConcurrentSessions": 0, "maxConcurrentCallsPerSession": 2, "sessionIdleTimeout": "soon", "maxAutoLockRenewalDuration": "-01:00:00"}},
		"customHandler": {"description": {"defaultExecutablePath": "plain"}, "enableForwardingHttpRequest": "maybe", "port": "x"},
	}`})})
	require.ErrorIs(t, err, ErrHostConfig)
	for _, words := range []string{
		`version: is "1.0"; write "2.0"`, "functionTimeout: must be at least", "extensionBundle.version: is missing",
		"maxConcurrentSessions: is 0", "maxConcurrentCallsPerSession: is 2", "sessionIdleTimeout", "maxAutoLockRenewalDuration: is -1h0m0s; write hh:mm:ss", "lacks the execute bit; run chmod +x",
		"enableForwardingHttpRequest", "customHandler.port",
	} {
		require.ErrorContains(t, err, words)
	}
	for text, words := range map[string]string{
		`{`: "not a JSON object", `null`: "not a JSON object", `{"version":"2.0"}`: "defaultExecutablePath: is missing",
		`{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"nope"}}}`: "there is no program nope",
		`{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"F"}}}`:    "is a folder",
	} {
		_, err := Load(Options{App: folder(t, map[string]string{"F/function.json": readJSON, "host.json": text})})
		require.ErrorIs(t, err, ErrHostConfig)
		require.ErrorContains(t, err, words)
	}
}

// A fault of one function leaves the others alone and names its remedy.
func TestLoadReportsFunctionFaults(t *testing.T) {
	t.Parallel()
	timer := func(rest string) string {
		return `{"bindings":[{"type":"timerTrigger","direction":"in","name":"timer"` + rest + `}]}`
	}
	bus := func(rest string) string {
		return `{"bindings":[{"type":"serviceBusTrigger","direction":"in","name":"message","connection":"BUS"` + rest + `}]}`
	}
	const http = `{"type":"httpTrigger","direction":"in","name":"req"`
	for name, c := range map[string]struct{ config, words string }{
		"not json":            {`{`, "not a JSON object"},
		"no bindings":         {`{}`, "bindings is missing or empty"},
		"two triggers":        {`{"bindings":[` + http + `},{"type":"timerTrigger","direction":"in","name":"t","schedule":"* * * * *"}]}`, "2 triggers"},
		"no trigger":          {`{"bindings":[{"type":"http","direction":"out","name":"res"}]}`, "0 triggers"},
		"bad binding name":    {`{"bindings":[{"type":"httpTrigger","direction":"in","name":"my_req"}]}`, `name "my_req" is invalid`},
		"name twice":          {`{"bindings":[` + http + `},{"type":"http","direction":"out","name":"REQ"}]}`, "used twice"},
		"bad direction":       {`{"bindings":[{"type":"httpTrigger","direction":"inwards","name":"req"}]}`, "write in or out"},
		"unknown trigger":     {`{"bindings":[{"type":"queueTrigger","direction":"in","name":"q"}]}`, `"queueTrigger" is not supported`},
		"unknown output":      {`{"bindings":[` + http + `},{"type":"cosmosDB","direction":"out","name":"d"}]}`, `"cosmosDB" is not supported`},
		"script file":         {`{"scriptFile":"run.js","bindings":[` + http + `}]}`, `scriptFile "run.js" does not exist`},
		"bad route":           {`{"bindings":[` + http + `,"route":"a/{id:nope}"}]}`, `unknown constraint "nope"`},
		"route with a slash":  {`{"bindings":[` + http + `,"route":"/a"}]}`, "must not begin with a slash"},
		"bad level":           {`{"bindings":[` + http + `,"authLevel":"root"}]}`, "write anonymous, function or admin"},
		"bad schedule":        {timer(`,"schedule":"every minute"`), "neither NCRONTAB"},
		"missing setting":     {timer(`,"schedule":"%NOT_SET_ANYWHERE%"`), "setting NOT_SET_ANYWHERE is missing"},
		"single percent sign": {timer(`,"schedule":"%X"`), "a single %"},
		"bad retry":           {`{"retry":{"strategy":"often"},` + timer(`,"schedule":"* * * * *"`)[1:], "write fixedDelay or exponentialBackoff"},
		"missing connection":  {bus(`,"queueName":"q"`)[:len(bus(`,"queueName":"q"`))-3] + `,"connection":"NOT_SET_BUS"}]}`, "NOT_SET_BUS__fullyQualifiedNamespace"},
		"no entity":           {bus(``), "name either queueName"},
		"topic alone":         {bus(`,"topicName":"t"`), "name either queueName"},
		"many":                {bus(`,"queueName":"q","cardinality":"many"`), "cardinality many is not supported"},
		"no autocomplete":     {bus(`,"queueName":"q","autoCompleteMessages":false`), "autoCompleteMessages is false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := Load(Options{App: folder(t, map[string]string{"host.json": hostJSON(t, "", ""), "Bad/function.json": c.config, "Good/function.json": readJSON}),
				Settings: map[string]string{"BUS": "Endpoint=sb://localhost;"}})
			require.NoError(t, err)
			list := h.Functions()
			require.Len(t, list, 2)
			require.NotEmpty(t, list[0].Errors)
			require.Contains(t, list[0].Errors[0], c.words)
			require.Empty(t, list[1].Errors)
			require.Len(t, h.table.functions, 1)
		})
	}
	h, err := Load(Options{App: folder(t, map[string]string{"host.json": hostJSON(t, "", ""), "9bad/function.json": readJSON, "host/function.json": readJSON, "Good-1_x/function.json": readJSON})})
	require.NoError(t, err)
	require.NotEmpty(t, h.Functions()[0].Errors)
	require.Empty(t, h.Functions()[1].Errors)
	require.NotEmpty(t, h.Functions()[2].Errors, "host is reserved")

	_, err = Load(Options{App: folder(t, map[string]string{"host.json": hostJSON(t, "", ""), "Bad/function.json": "{}"})})
	require.ErrorIs(t, err, ErrHostConfig, "no function loads at all")

	noBundle := `{"version":"2.0","customHandler":{"description":{"defaultExecutablePath":"sh"}}}`
	h, err = Load(Options{App: folder(t, map[string]string{"host.json": noBundle, "Good/function.json": readJSON, "Bus/function.json": bus(`,"queueName":"q"`)}), Settings: map[string]string{"BUS": "x"}})
	require.NoError(t, err)
	require.Contains(t, h.Functions()[0].Errors[0], "extensionBundle")
}
