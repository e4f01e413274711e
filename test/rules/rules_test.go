// Package rules checks what no compiler does: who may import whom, and that names
// which stand in several files are the same everywhere (design §2).
package rules

import (
	"bytes"
	"encoding/json"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/functions"
)

const (
	root   = "../.."
	module = "github.com/relaybox/relaybox/"
)

// forbidden: a room, and what the code in it (tests excepted) must not import. A rule
// that starts with "=" forbids everything but what follows.
var forbidden = map[string][]string{
	"profile":          {"=std"},
	"outbox":           {module, "github.com/Azure/"},
	"inbox":            {module, "github.com/Azure/"},
	"azfunc":           {module, "github.com/Azure/"},
	"local/netsim":     {module, "github.com/Azure/"},
	"functions":        {module + "azure", module + "local", "github.com/Azure/", "github.com/stretchr/"},
	"azure":            {module + "functions", module + "profile", module + "local", "github.com/stretchr/"},
	"handler":          {module + "local", module + "profile", "github.com/stretchr/"},
	"local":            {module + "outbox", module + "inbox", module + "profile", module + "functions", module + "azure", module + "handler"},
	"local/minibus":    {module + "local/minicosmos", module + "local/minihost", module + "local/stack"},
	"local/minicosmos": {module + "local/minibus", module + "local/minihost", module + "local/stack"},
}

// imports returns what each Go file of a room imports, tests and the test kits of a
// package (outbox/outboxtest) left out.
func imports(t *testing.T, room string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(filepath.Join(root, room), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (strings.HasSuffix(d.Name(), "test") || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[path] = append(found[path], name)
		}
		return nil
	})
	require.NoError(t, err)
	require.NotEmpty(t, found, "no Go file in %s", room)
	return found
}

// own says whether name is the room itself or a part of it.
func own(room, name string) bool {
	return name == module+room || strings.HasPrefix(name, module+room+"/")
}

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	for room, rules := range forbidden {
		for file, names := range imports(t, room) {
			for _, name := range names {
				for _, rule := range rules {
					std := !strings.Contains(strings.Split(name, "/")[0], ".")
					bad := !own(room, name) && (rule == "=std" && !std || rule != "=std" && strings.HasPrefix(name, rule))
					require.False(t, bad, "%s imports %s: %s must not", file, name, room)
				}
			}
		}
	}
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(bytes.NewReader(text)).Decode(into), path)
}

// settingsOf returns the setting names that a function.json uses: %NAME% and connection.
func settingsOf(t *testing.T, text string) []string {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile(`%([^%"]+)%|"connection"\s*:\s*"([^"]+)"`).FindAllStringSubmatch(text, -1) {
		names = append(names, m[1]+m[2])
	}
	return names
}

func TestSettingsOfFunctionsAreInTheExample(t *testing.T) {
	t.Parallel()
	var example struct{ Values map[string]string }
	readJSON(t, "local.settings.json.example", &example)
	files, err := filepath.Glob(filepath.Join(root, "functions", "*", "function.json"))
	require.NoError(t, err)
	require.Len(t, files, 4)
	used := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, name := range settingsOf(t, string(text)) {
			require.Contains(t, example.Values, name, "%s uses it", file)
			used++
		}
	}
	require.GreaterOrEqual(t, used, 4, "schedule, connection, topic, subscription")
}

// TestSettingsOfTheHandlerAreInTheExample: the settings without a default.
func TestSettingsOfTheHandlerAreInTheExample(t *testing.T) {
	t.Parallel()
	var example struct{ Values map[string]string }
	readJSON(t, "local.settings.json.example", &example)
	for _, name := range []string{"COSMOS_CONNECTION", "COSMOS_DATABASE", "COSMOS_OUTBOX_CONTAINER", "COSMOS_INBOX_CONTAINER", "SERVICEBUS_CONNECTION", "EVENTS_TOPIC"} {
		require.NotEmpty(t, example.Values[name], name)
	}
}

func TestEveryFunctionFolderIsRegistered(t *testing.T) {
	t.Parallel()
	_, err := functions.New(functions.Deps{})
	require.NoError(t, err)
}

// TestHostAndFunctionsAgree: the rules that a host applies without a word.
func TestHostAndFunctionsAgree(t *testing.T) {
	t.Parallel()
	var host struct {
		Version         string
		FunctionTimeout string
		CustomHandler   struct {
			EnableForwardingHTTPRequest bool `json:"enableForwardingHttpRequest"`
			Description                 struct{ DefaultExecutablePath string }
		}
		Extensions struct {
			ServiceBus struct {
				MaxConcurrentSessions        int
				MaxConcurrentCallsPerSession int
				AutoCompleteMessages         *bool
			}
		}
	}
	readJSON(t, "host.json", &host)
	require.Equal(t, "2.0", host.Version)
	require.NotEmpty(t, host.FunctionTimeout)
	require.True(t, host.CustomHandler.EnableForwardingHTTPRequest)
	require.Equal(t, "handler", host.CustomHandler.Description.DefaultExecutablePath)
	require.Positive(t, host.Extensions.ServiceBus.MaxConcurrentSessions, "the default depends on the machine's CPUs")
	require.Equal(t, 1, host.Extensions.ServiceBus.MaxConcurrentCallsPerSession, "order")
	require.True(t, *host.Extensions.ServiceBus.AutoCompleteMessages, "a custom handler cannot settle by itself")

	var consume struct {
		Bindings []struct {
			Type, DataType, Cardinality string
			IsSessionsEnabled           bool
		}
	}
	readJSON(t, "functions/ConsumeEvent/function.json", &consume)
	require.Equal(t, "binary", consume.Bindings[0].DataType)
	require.True(t, consume.Bindings[0].IsSessionsEnabled)

	for _, name := range []string{"WriteProfile", "ReadProfile"} {
		var def struct{ Bindings []struct{ Route string } }
		readJSON(t, "functions/"+name+"/function.json", &def)
		require.Equal(t, "profiles/{id:regex(^[A-Za-z0-9._~-]{{1,128}}$)}", def.Bindings[0].Route)
	}
}
