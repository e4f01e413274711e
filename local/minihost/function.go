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
	route     *route
	timer     timerConfig
	bus       busTrigger
	retry     retryPolicy
}

type timerConfig struct {
	schedule     schedule
	text         string // resolved
	monitor      bool
	runOnStartup bool
}

type busTrigger struct {
	queue, topic, subscription string
	connection                 connection
	sessions, autoComplete     bool
	binary                     bool
}

var (
	functionName = regexp.MustCompile(`(?i)^[a-z][a-z0-9_\-]{0,127}$`)
	bindingName  = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9]{0,127}|\$return)$`)
)

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

// bindings reads the binding list and checks what all bindings share.
func (f *function) bindings(doc tree) []tree {
	raw, _ := doc.at("bindings").([]any)
	if len(raw) == 0 {
		f.fault("function.json: bindings is missing or empty; it needs one trigger")
	}
	var list []tree
	names := map[string]bool{}
	for i, item := range raw {
		b, ok := item.(map[string]any)
		if !ok {
			f.fault("function.json: bindings[%d] is not an object", i)
			continue
		}
		t := tree(b)
		name, _ := t.at("name").(string)
		direction, _ := t.at("direction").(string)
		kind, _ := t.at("type").(string)
		switch {
		case !bindingName.MatchString(name):
			f.fault("function.json: bindings[%d].name %q is invalid; use letters and digits, a letter first, or $return", i, name)
		case names[strings.ToLower(name)]:
			f.fault("function.json: bindings[%d].name %q is used twice", i, name)
		case !strings.EqualFold(direction, "in") && !strings.EqualFold(direction, "out"):
			f.fault("function.json: bindings[%d].direction is %q; write in or out", i, direction)
		case kind == "":
			f.fault("function.json: bindings[%d].type is missing", i)
		}
		names[strings.ToLower(name)] = true
		list = append(list, t)
	}
	return list
}

// classify finds the trigger and reads its settings.
func (f *function) classify(bindings []tree, c hostConfig, s settings) {
	var trigger tree
	triggers, outputs := 0, 0
	for _, b := range bindings {
		kind, _ := b.at("type").(string)
		name, _ := b.at("name").(string)
		switch {
		case strings.HasSuffix(strings.ToLower(kind), "trigger"):
			triggers++
			trigger, f.binding, f.Trigger = b, name, canonicalTrigger(kind)
		case strings.EqualFold(kind, "http"):
			outputs++
			f.output = name
		case kind != "":
			f.fault("function.json: the binding type %q is not supported by this local host; let the handler do the work with the service's SDK", kind)
		}
	}
	if triggers != 1 {
		f.fault("function.json: %d triggers; a function has exactly one", triggers)
		return
	}
	f.pureHTTP = f.Trigger == HTTPTrigger && outputs == 1 && len(bindings) == 2
	r := &reader{tree: trigger, file: "function.json"}
	switch f.Trigger {
	case HTTPTrigger:
		f.loadHTTP(r, c)
	case TimerTrigger:
		f.loadTimer(r, s)
	case ServiceBusTrigger:
		f.loadBus(r, c, s)
	default:
		f.fault("function.json: the trigger %q is not supported by this local host, which serves http, timer and Service Bus", f.Trigger)
	}
	f.Errors = append(f.Errors, r.faults...)
}

func canonicalTrigger(kind string) string {
	for _, known := range []string{HTTPTrigger, TimerTrigger, ServiceBusTrigger} {
		if strings.EqualFold(kind, known) {
			return known
		}
	}
	return kind
}

// resolved is a text property with its settings filled in.
func (f *function) resolved(r *reader, s settings, name string) string {
	v, err := s.resolve(r.text(name))
	if err != nil {
		f.fault("function.json: %s: %v", name, err)
	}
	return v
}

func (f *function) loadHTTP(r *reader, c hostConfig) {
	for _, m := range r.texts("methods") {
		f.Methods = append(f.Methods, strings.ToUpper(m))
	}
	f.authLevel = strings.ToLower(r.text("authLevel"))
	if !slices.Contains([]string{"", "anonymous", "function", "admin"}, f.authLevel) {
		f.fault("function.json: authLevel is %q; write anonymous, function or admin", f.authLevel)
	}
	f.Route = r.text("route")
	if f.Route == "" {
		f.Route = f.Name
	}
	if strings.HasPrefix(f.Route, "/") {
		f.fault("function.json: route %q must not begin with a slash; the prefix %q is added by the host", f.Route, c.routePrefix)
	}
	f.Route = strings.TrimPrefix(c.routePrefix+"/"+f.Route, "/")
	var err error
	if f.route, err = parseRoute(f.Route); err != nil {
		f.fault("function.json: route %q: %v", f.Route, err)
	}
}

func (f *function) loadTimer(r *reader, s settings) {
	f.timer = timerConfig{runOnStartup: r.flag(false, "runOnStartup"), monitor: r.flag(true, "useMonitor")}
	faults := len(f.Errors)
	f.timer.text = f.resolved(r, s, "schedule")
	if len(f.Errors) > faults {
		return
	}
	var err error
	if f.timer.schedule, err = parseSchedule(f.timer.text); err != nil {
		f.fault("function.json: %v", err)
		return
	}
	f.timer.monitor = f.timer.monitor && !f.timer.schedule.subMinute()
}

func (f *function) loadBus(r *reader, c hostConfig, s settings) {
	if !c.hasBundle {
		f.fault(`host.json has no extensionBundle, and serviceBusTrigger comes from it; add {"id":"Microsoft.Azure.Functions.ExtensionBundle","version":"[4.*, 5.0.0)"}`)
	}
	f.bus = busTrigger{
		queue: f.resolved(r, s, "queueName"), topic: f.resolved(r, s, "topicName"), subscription: f.resolved(r, s, "subscriptionName"),
		sessions: r.flag(false, "isSessionsEnabled"), autoComplete: r.flag(c.bus.autoComplete, "autoCompleteMessages"),
		binary: strings.EqualFold(r.text("dataType"), "binary"),
	}
	queue, topic := f.bus.queue != "", f.bus.topic != "" && f.bus.subscription != ""
	if queue == topic && len(f.Errors) == 0 {
		f.fault("function.json: name either queueName, or topicName with subscriptionName")
	}
	if strings.EqualFold(r.text("cardinality"), "many") {
		f.fault("function.json: cardinality many is not supported by this local host; write one")
	}
	if !f.bus.autoComplete {
		f.fault("function.json: autoCompleteMessages is false, and a custom handler has no way to settle a message; write true")
	}
	name := r.text("connection")
	if name == "" {
		name = "ServiceBus"
	}
	var err error
	if f.bus.connection, err = s.connection(strings.Trim(name, "%")); err != nil {
		f.fault("function.json: %v", err)
	}
}
