// Package infra_test holds the compiled Bicep against what the protocol, the app and
// our security rules need. It evaluates the templates as a deployment would, so that the
// assertions see what each parameter file makes, and not expressions.
package infra_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/stack"
)

func root(t *testing.T) string {
	t.Helper()
	dir, err := stack.FindSource(".")
	require.NoError(t, err)
	return dir
}

// bicep finds the Bicep CLI: named by BICEP, beside the clone, or on the PATH.
func bicep(t *testing.T) string {
	t.Helper()
	candidates := []string{os.Getenv("BICEP"), filepath.Join(root(t), "..", "shared", "tools", "bicep")}
	if path, err := exec.LookPath("bicep"); err == nil {
		candidates = append(candidates, path)
	}
	for _, path := range candidates {
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	t.Skip("no Bicep CLI: name one with BICEP, or put it on the PATH")
	return ""
}

// run returns what the CLI prints; a word on stderr, even a warning, is a failure.
func run(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), bicep(t), args...)
	cmd.Dir = filepath.Join(root(t), "infra", "bicep")
	cmd.Env = append(os.Environ(), "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	require.Empty(t, said.String(), "bicep %s", strings.Join(args, " "))
	require.NoError(t, err)
	return out.Bytes()
}

type template struct {
	Parameters map[string]parameter `json:"parameters"`
	Variables  map[string]any       `json:"variables"`
	Resources  []map[string]any     `json:"resources"`
	Outputs    map[string]parameter `json:"outputs"`
}

type parameter struct {
	Type         string
	DefaultValue any
	Metadata     struct{ Description string }
	Value        any
}

// compiled is main.bicep, compiled once.
var compiled struct {
	once sync.Once
	text []byte
}

func compile(t *testing.T) (template, []byte) {
	t.Helper()
	bicep(t)
	compiled.once.Do(func() { compiled.text = run(t, "build", "main.bicep", "--stdout") })
	var main template
	require.NoError(t, json.Unmarshal(compiled.text, &main))
	return main, compiled.text
}

// files keeps the parameter files that were built.
var files sync.Map

// file returns the values of a parameter file.
func file(t *testing.T, name string) map[string]any {
	t.Helper()
	if values, ok := files.Load(name); ok {
		return values.(map[string]any)
	}
	var built struct{ ParametersJSON string }
	require.NoError(t, json.Unmarshal(run(t, "build-params", name, "--stdout"), &built))
	var values struct {
		Parameters map[string]struct{ Value any }
	}
	require.NoError(t, json.Unmarshal([]byte(built.ParametersJSON), &values))
	all := map[string]any{}
	for name, p := range values.Parameters {
		all[name] = p.Value
	}
	files.Store(name, all)
	return all
}

// resource is one that a deployment makes, evaluated.
type resource struct {
	Type, Name, Scope string
	all               map[string]any
}

// get follows a path of properties, such as "properties.sku.name". Nothing is nil.
func (r resource) get(path string) any {
	var v any = r.all
	for key := range strings.SplitSeq(path, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[key]
	}
	return v
}

// deployment is what a template makes with some parameters.
type deployment []resource

func deploy(t *testing.T, values map[string]any) deployment {
	t.Helper()
	main, _ := compile(t)
	return main.deploy(values)
}

func (m template) deploy(values map[string]any) deployment {
	s := &scope{parameters: maps.Clone(values), variables: m.Variables}
	for name, p := range m.Parameters { // a default may be made of a value that was given
		if _, ok := values[name]; !ok {
			s.parameters[name] = s.eval(p.DefaultValue)
		}
	}
	var all deployment
	for _, r := range m.Resources {
		if s.eval(r["condition"]) == false {
			continue
		}
		copies := 1
		c, repeated := r["copy"].(map[string]any)
		if repeated {
			n, _ := number(s.eval(c["count"]))
			copies = int(n)
		}
		for i := range copies {
			all = append(all, s.at(i).make(r)...)
		}
	}
	return all
}

func (s *scope) make(r map[string]any) deployment {
	if r["type"] == "Microsoft.Resources/deployments" {
		return s.nested(r["properties"].(map[string]any))
	}
	v := s.eval(r).(map[string]any)
	made := resource{all: v}
	made.Type, _ = v["type"].(string)
	made.Name, _ = v["name"].(string)
	made.Scope, _ = v["scope"].(string)
	return deployment{made}
}

func (s *scope) nested(properties map[string]any) deployment {
	values := map[string]any{}
	for name, p := range properties["parameters"].(map[string]any) {
		values[name] = member(s.eval(p), "value")
	}
	text, err := json.Marshal(properties["template"])
	if err != nil {
		panic(err)
	}
	var inner template
	if err := json.Unmarshal(text, &inner); err != nil {
		panic(err)
	}
	return inner.deploy(values)
}

func (d deployment) of(kind string) []resource {
	var found []resource
	for _, r := range d {
		if r.Type == kind {
			found = append(found, r)
		}
	}
	return found
}

// the returns the only resource of a kind.
func (d deployment) the(t *testing.T, kind string) resource {
	t.Helper()
	found := d.of(kind)
	require.Len(t, found, 1, kind)
	return found[0]
}

// every runs f for what each parameter file makes, and for everything switched on.
func every(t *testing.T, f func(*testing.T, deployment)) {
	t.Helper()
	variants := map[string]map[string]any{
		"dev": file(t, "dev.bicepparam"), "prod": file(t, "prod.bicepparam"), "azd": file(t, "main.bicepparam"),
		"private standard": {"environmentName": "x1", "location": "here", "privateNetwork": true, "exactScaling": true, "alertEmail": "a@example.com"},
		"shared cache":     {"environmentName": "x1", "location": "here", "readCache": "redis", "privateNetwork": true},
		"two consumers":    {"environmentName": "x1", "location": "here", "mailingList": true},
		"kinds with their own": {"environmentName": "x1", "location": "here", "kindContainers": map[string]any{
			"invoice": map[string]any{"outbox": "invoices", "inbox": "invoice-views"},
			"credit":  map[string]any{"outbox": "credits", "inbox": "views"},
		}},
	}
	for name, values := range variants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, deploy(t, values))
		})
	}
}
