package app

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

// Definition is a Function with what the triggers need.
type Definition struct {
	Function
	JSON      json.RawMessage // function.json
	Binding   string          // name of the trigger binding
	Output    string          // name of the http output, "" if there is none
	PureHTTP  bool            // one httpTrigger in, one http out, nothing else
	AuthLevel string
	Template  *route.Route // of an HTTP function
	Timer     timer.Config
	Bus       bus.Trigger
	Rule      string // what a subscription must let through; nothing here needs it
	Retry     timer.Retry
}

var functionName = regexp.MustCompile(`(?i)^[a-z][a-z0-9_\-]{0,127}$`)

// discover finds the functions: the direct children of root that hold a
// function.json, sorted by name. Everything else is passed over in silence, as
// the real host does.
func discover(c Config, s Settings) ([]*Definition, error) {
	entries, err := os.ReadDir(c.Root)
	if err != nil {
		return nil, err
	}
	var list []*Definition
	for _, e := range entries {
		folder := filepath.Join(c.Root, e.Name())
		text, err := os.ReadFile(filepath.Join(folder, "function.json"))
		if errors.Is(err, os.ErrNotExist) || !isDir(folder) {
			continue
		}
		if c.allowed != nil && !slices.ContainsFunc(c.allowed, func(n string) bool { return strings.EqualFold(n, e.Name()) }) {
			continue
		}
		f := &Definition{Function: Function{Name: e.Name(), Disabled: s.disabled(e.Name())}}
		if err != nil {
			f.fault("function.json cannot be read: %v", err)
		} else {
			f.load(text, c, s)
		}
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b *Definition) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return list, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (f *Definition) fault(format string, args ...any) {
	f.Errors = append(f.Errors, fmt.Sprintf(format, args...))
}

func (f *Definition) load(text []byte, c Config, s Settings) {
	if !functionName.MatchString(f.Name) || strings.EqualFold(f.Name, "host") {
		f.fault("the folder's name is no function name; use letters, digits, _ and -, a letter first, and not host")
	}
	doc, err := parseTree(text)
	if err != nil {
		f.fault("function.json: %v", err)
		return
	}
	f.JSON = jsonc.ToJSON(text)
	r := &reader{tree: doc, file: "function.json"}
	if script := r.text("scriptFile"); script != "" {
		if _, err := os.Stat(filepath.Join(c.Root, f.Name, script)); err != nil {
			f.fault("function.json: scriptFile %q does not exist; a custom handler needs none, remove the key", script)
		}
	}
	f.Retry = readRetry(r)
	f.Rule = s.expand(r.text("rule"))
	bindings := f.bindings(doc)
	f.classify(bindings, c, s)
	f.Errors = append(f.Errors, r.faults...)
}
