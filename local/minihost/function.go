package minihost

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/tidwall/jsonc"

	"github.com/relaybox/relaybox/local/minihost/internal/bus"
	"github.com/relaybox/relaybox/local/minihost/internal/route"
	"github.com/relaybox/relaybox/local/minihost/internal/timer"
)

// Trigger kinds that this host serves.
const (
	HTTPTrigger       = "httpTrigger"
	TimerTrigger      = "timerTrigger"
	ServiceBusTrigger = "serviceBusTrigger"
)

// A Function is one function of the app, faulty or not.
type Function struct {
	Name    string
	Trigger string // one of the trigger kinds; empty if function.json is unreadable
	// Methods and Route belong to HTTP functions: methods in upper case, none
	// for all; the route with its prefix, such as "api/profiles/{id}".
	Methods []string
	Route   string
	// Disabled by a setting: the function is shown and never runs.
	Disabled bool
	// Errors keep the function from loading; the others are not affected. Each
	// names its remedy.
	Errors []string
}

// function is a Function with what the triggers need.
type function struct {
	Function
	config    json.RawMessage // function.json
	binding   string          // name of the trigger binding
	output    string          // name of the http output, "" if there is none
	pureHTTP  bool            // one httpTrigger in, one http out, nothing else
	authLevel string
	route     *route.Route
	timer     timer.Config
	bus       bus.Trigger
	retry     timer.Retry
}

var functionName = regexp.MustCompile(`(?i)^[a-z][a-z0-9_\-]{0,127}$`)

// discover finds the functions: the direct children of root that hold a
// function.json, sorted by name. Everything else is passed over in silence, as
// the real host does.
func discover(c hostConfig, s settings) ([]*function, error) {
	entries, err := os.ReadDir(c.root)
	if err != nil {
		return nil, err
	}
	var list []*function
	for _, e := range entries {
		folder := filepath.Join(c.root, e.Name())
		text, err := os.ReadFile(filepath.Join(folder, "function.json"))
		if errors.Is(err, os.ErrNotExist) || !isDir(folder) {
			continue
		}
		if c.allowed != nil && !slices.ContainsFunc(c.allowed, func(n string) bool { return strings.EqualFold(n, e.Name()) }) {
			continue
		}
		f := &function{Function: Function{Name: e.Name(), Disabled: s.disabled(e.Name())}}
		if err != nil {
			f.fault("function.json cannot be read: %v", err)
		} else {
			f.load(text, c, s)
		}
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b *function) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return list, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (f *function) fault(format string, args ...any) {
	f.Errors = append(f.Errors, fmt.Sprintf(format, args...))
}

func (f *function) load(text []byte, c hostConfig, s settings) {
	if !functionName.MatchString(f.Name) || strings.EqualFold(f.Name, "host") {
		f.fault("the folder's name is no function name; use letters, digits, _ and -, a letter first, and not host")
	}
	doc, err := parseTree(text)
	if err != nil {
		f.fault("function.json: %v", err)
		return
	}
	f.config = jsonc.ToJSON(text)
	r := &reader{tree: doc, file: "function.json"}
	if script := r.text("scriptFile"); script != "" {
		if _, err := os.Stat(filepath.Join(c.root, f.Name, script)); err != nil {
			f.fault("function.json: scriptFile %q does not exist; a custom handler needs none, remove the key", script)
		}
	}
	f.retry = readRetry(r)
	bindings := f.bindings(doc)
	f.classify(bindings, c, s)
	f.Errors = append(f.Errors, r.faults...)
}
