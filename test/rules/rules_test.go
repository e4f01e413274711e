// Package rules_test keeps what no single package can keep: which room may import which,
// and that settings, functions and the handler's binary fit together (design §2).
package rules_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/jsonc"

	"github.com/relaybox/relaybox/functions"
	"github.com/relaybox/relaybox/local/stack"
)

const module = "github.com/relaybox/relaybox/"

func root(t *testing.T) string {
	t.Helper()
	dir, err := stack.FindSource(".")
	require.NoError(t, err)
	return dir
}

// pkg is what go list says about a package of ours.
type pkg struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	require.NoError(t, err)
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p pkg
		require.NoError(t, dec.Decode(&p))
		all = append(all, p)
	}
	return all
}

// rule forbids the packages below room to import what begins with one of never, unless
// it begins with one of but.
type rule struct {
	room       string
	never, but []string
	testsToo   bool
}

var (
	ours = []string{module}
	sdks = []string{"github.com/Azure/"}
)

var rules = []rule{
	{room: "profile", never: []string{module, "github.com/", "golang.org/", "go."}, but: []string{module + "profile", module + "entity"}},
	{room: "examples", never: []string{module, "github.com/", "golang.org/", "go."}, but: []string{module + "examples", module + "entity", module + "profile", module + "inbox"}},
	{room: "examples/orders", never: ours, but: []string{module + "examples/orders", module + "entity"}},
	{room: "entity", never: ours, but: []string{module + "entity", module + "outbox", module + "inbox", module + "azfunc"}, testsToo: true},
	{room: "entity", never: sdks, testsToo: true},
	{room: "entity/document", never: ours, but: []string{module + "entity/document"}, testsToo: true},
	{room: "internal/heap", never: ours, testsToo: true},
	{room: "internal/pace", never: ours, testsToo: true},
	{room: "internal/recent", never: ours, testsToo: true},
	{room: "internal/history", never: ours, but: []string{module + "internal/history"}, testsToo: true},
	{room: "outbox", never: ours, but: []string{module + "outbox", module + "internal/pace", module + "internal/recent"}, testsToo: true},
	{room: "outbox", never: sdks, testsToo: true},
	{room: "inbox", never: ours, but: []string{module + "inbox", module + "internal/pace", module + "internal/recent"}, testsToo: true},
	{room: "inbox", never: sdks, testsToo: true},
	{room: "cache", never: ours, but: []string{module + "cache", module + "outbox", module + "internal/pace"}, testsToo: true},
	{room: "cache", never: sdks, testsToo: true},
	{room: "health", never: ours, but: []string{module + "health", module + "outbox"}, testsToo: true},
	{room: "health", never: sdks, testsToo: true},
	{room: "azfunc", never: ours, but: []string{module + "azfunc"}, testsToo: true},
	{room: "local/netsim", never: ours, but: []string{module + "local/netsim"}, testsToo: true},
	{room: "local/disk", never: ours, but: []string{module + "local/disk", module + "local/private", module + "internal/pace"}, testsToo: true},
	{room: "local/private", never: ours, but: []string{module + "local/private"}, testsToo: true},
	{room: "local/hostname", never: ours, but: []string{module + "local/hostname"}, testsToo: true},
	{room: "local/natsserver", never: ours, but: []string{module + "local/natsserver"}, testsToo: true},
	{room: "local/balancer", never: ours, but: []string{module + "local/balancer", module + "local/netsim"}, testsToo: true},
	{room: "functions", never: append([]string{module + "azure", module + "local"}, sdks...)},
	{room: "azure", never: []string{module + "functions", module + "entity", module + "profile", module + "examples", module + "local"}},
	{room: "nats", never: ours, but: []string{module + "nats", module + "outbox", module + "internal/pace"}, testsToo: true},
	{room: "handler", never: []string{module + "local", "github.com/stretchr/testify"}},
	{room: "handler/telemetry", never: ours, but: []string{module + "handler/telemetry", module + "outbox", module + "inbox", module + "azfunc", module + "azure/cosmos", module + "azure/servicebus", module + "nats/jetstream", module + "cache", module + "internal/pace"}},
	{room: "handler/telemetry/otlp", never: ours, but: []string{module + "handler/telemetry/otlp", module + "internal/pace"}},
	{room: "local", never: []string{module + "outbox", module + "inbox", module + "entity", module + "profile", module + "examples", module + "functions"}, testsToo: true},
}

// rooms are those of the stand-ins, lowest first, with what each may import of ours beside
// itself: each knows those under it and none above. No room holds a cloud SDK but the one
// that receives messages.
var rooms = []struct {
	of  string
	may map[string]string
}{
	{"local/minicosmos", map[string]string{
		"sql":                "",
		"partition":          "sql",
		"internal/refusal":   "../disk",
		"internal/hybridrow": "",
		"internal/store":     "internal/refusal ../disk",
		"internal/index":     "partition sql",
		"internal/document":  "internal/refusal internal/store internal/index partition sql",
		"internal/layout":    "internal/document partition",
		"internal/account":   "internal/refusal internal/store internal/document internal/layout partition sql ../disk",
		"internal/query":     "internal/refusal internal/store internal/index internal/document internal/layout internal/account partition sql",
		"internal/wire":      "internal/refusal internal/layout sql",
		"internal/fault":     "internal/refusal internal/layout internal/wire ../faulthttp",
		"internal/rest":      "internal/refusal internal/hybridrow internal/document internal/layout internal/account internal/query internal/wire internal/fault partition sql",
	}},
	{"local/minihost", map[string]string{
		"internal/wire":   "",
		"internal/route":  "",
		"internal/timer":  "../../azfunc",
		"internal/worker": "internal/wire",
		"internal/bus":    "internal/worker ../../azfunc " + sdks[0],
		"internal/app":    "internal/worker internal/bus internal/timer internal/route",
		"internal/front":  "internal/wire internal/route ../hostname ../netsim ../../azfunc",
		"internal/admin":  "internal/wire internal/app internal/front",
	}},
}

// ofRooms makes a rule of each room.
func ofRooms() []rule {
	var all []rule
	for _, house := range rooms {
		for name, may := range house.may {
			r := rule{room: path.Join(house.of, name), never: slices.Concat(ours, sdks), testsToo: true}
			r.but = []string{module + r.room}
			for room := range strings.FieldsSeq(may) {
				if !slices.Contains(sdks, room) {
					room = module + path.Join(house.of, room)
				}
				r.but = append(r.but, room)
			}
			all = append(all, r)
		}
	}
	return all
}

// TestEveryRoomHasARule: a new room of a stand-in says what it may import.
func TestEveryRoomHasARule(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, house := range rooms {
			if room, inside := strings.CutPrefix(p.ImportPath, module+house.of+"/internal/"); inside {
				require.Contains(t, house.may, "internal/"+room, p.ImportPath)
			}
		}
	}
}

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	all := slices.Concat(rules, ofRooms())
	for _, p := range packages(t) {
		for _, r := range all {
			if !below(p.ImportPath, module+r.room) {
				continue
			}
			imports := p.Imports
			if r.testsToo {
				tests := slices.Concat(p.TestImports, p.XTestImports)
				imports = slices.Concat(imports, slices.DeleteFunc(tests, func(imported string) bool { return imported == module+"test/linear" }))
			}
			for _, imported := range imports {
				if r.forbids(imported) {
					t.Errorf("%s imports %s: %s may not import %s", p.ImportPath, imported, r.room, strings.Join(r.never, ", "))
				}
			}
		}
	}
}

// forbids says whether imported is out of bounds. testify and test/linear are for everybody's tests.
func (r rule) forbids(imported string) bool {
	under := func(all []string) bool {
		return slices.ContainsFunc(all, func(prefix string) bool { return strings.HasPrefix(imported, prefix) })
	}
	return under(r.never) && !under(r.but)
}

// TestOnlyOneRoomKnowsOpenTelemetry: the others have observers. Nobody speaks gRPC: it would
// double the handler.
func TestOnlyOneRoomKnowsOpenTelemetry(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		if below(p.ImportPath, module+"handler/telemetry") || below(p.ImportPath, module+"test/collector") {
			continue
		}
		for _, imported := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			require.False(t, strings.HasPrefix(imported, "go.opentelemetry.io/"), "%s imports %s", p.ImportPath, imported)
		}
	}
}

func below(path, room string) bool { return path == room || strings.HasPrefix(path, room+"/") }

func TestOnlyTheAdaptersHoldACloudSDK(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		// The stand-ins' host and the demo are clients of the bus; they are not the app.
		if below(p.ImportPath, module+"azure") || below(p.ImportPath, module+"local") || below(p.ImportPath, module+"cmd") || below(p.ImportPath, module+"test") {
			continue
		}
		for _, imported := range p.Imports {
			require.False(t, strings.HasPrefix(imported, "github.com/Azure/"), "%s imports %s", p.ImportPath, imported)
		}
	}
}

func TestHandlerLinksNeitherLocalNorTestify(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./handler")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	require.NoError(t, err)
	for dep := range strings.FieldsSeq(string(out)) {
		require.False(t, below(dep, module+"local"), dep)
		require.NotContains(t, dep, "stretchr/testify")
		require.False(t, strings.HasPrefix(dep, "github.com/nats-io/nats-server/"), "the server is for tests: %s", dep)
		require.False(t, strings.HasPrefix(dep, "google.golang.org/grpc"), dep)
		require.NotEqual(t, "google.golang.org/protobuf/proto", dep, "the runtime of protobuf is larger than what it would do here")
		require.NotEqual(t, "testing", dep)
	}
}

// definitions are the function.json files by function name.
func definitions(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root(t), "functions", "*", "function.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	found := map[string][]byte{}
	for _, file := range files {
		found[filepath.Base(filepath.Dir(file))], err = os.ReadFile(file)
		require.NoError(t, err)
	}
	return found
}

func exampleSettings(t *testing.T) map[string]string {
	t.Helper()
	values, err := stack.ReadLocalSettings(filepath.Join(root(t), "local.settings.json.example"))
	require.NoError(t, err)
	return values
}

var percent = regexp.MustCompile(`%([A-Za-z0-9_]+)%`)

func TestEverySettingOfAFunctionIsInTheExample(t *testing.T) {
	t.Parallel()
	example := exampleSettings(t)
	for name, text := range definitions(t) {
		for _, setting := range percent.FindAllSubmatch(text, -1) {
			require.Contains(t, example, string(setting[1]), name)
		}
		var def struct{ Bindings []struct{ Connection string } }
		require.NoError(t, json.Unmarshal(jsonc.ToJSON(text), &def), name)
		for _, b := range def.Bindings {
			if b.Connection != "" {
				require.Contains(t, example, b.Connection, name)
			}
		}
	}
}

func TestStackDefaultsAreTheExamples(t *testing.T) {
	t.Parallel()
	example := exampleSettings(t)
	for name, value := range stack.Defaults() {
		if name == "DISPATCH_SCHEDULE" {
			continue // a person in front of the screen does not wait for a minute
		}
		require.Equal(t, example[name], value, name)
	}
}

func TestEveryFunctionFolderIsRegistered(t *testing.T) {
	t.Parallel()
	triggers, err := functions.Triggers()
	require.NoError(t, err)
	for name := range definitions(t) {
		require.Contains(t, triggers, name)
	}
	_, err = functions.New(functions.Deps{})
	require.NoError(t, err, "a folder without a line in functions.go, or a line without a folder")
}

func TestHostJSONSetsWhatMustNotDependOnTheMachine(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root(t), "host.json"))
	require.NoError(t, err)
	var host struct {
		FunctionTimeout string
		CustomHandler   struct{ EnableForwardingHTTPRequest bool }
		Extensions      struct {
			ServiceBus struct {
				MaxConcurrentSessions, MaxConcurrentCallsPerSession int
				AutoCompleteMessages                                bool
				MaxAutoLockRenewalDuration                          string
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &host))
	bus := host.Extensions.ServiceBus
	require.NotEmpty(t, host.FunctionTimeout)
	require.True(t, host.CustomHandler.EnableForwardingHTTPRequest)
	require.Positive(t, bus.MaxConcurrentSessions, "the default grows with the number of processors")
	require.Equal(t, 1, bus.MaxConcurrentCallsPerSession, "two calls at once would break the order of a session")
	require.True(t, bus.AutoCompleteMessages, "a custom handler cannot settle messages itself")
	require.Equal(t, "1.00:00:00", bus.MaxAutoLockRenewalDuration, "a session that is busy for longer loses its lock in the middle of a call")
}

func TestNoPathOfAMachineInTheTree(t *testing.T) {
	t.Parallel()
	home := regexp.MustCompile(`/(home|Users|root)/[a-z]+`)
	dir := root(t)
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir() && (name == ".git" || name == "dist" || name == ".relaybox" || name == "testdata"):
			return fs.SkipDir
		case d.IsDir() || !slices.Contains([]string{".go", ".md", ".json", ".sh", ".example", ".bicep"}, filepath.Ext(name)):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if found := home.Find(text); found != nil {
			t.Errorf("%s names %s", path, found)
		}
		return nil
	}))
}
