package app

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minihost/internal/bus"
	"github.com/relaybox/relaybox/local/minihost/internal/route"
	"github.com/relaybox/relaybox/local/minihost/internal/timer"
)

var bindingName = regexp.MustCompile(`^([a-zA-Z][a-zA-Z0-9]{0,127}|\$return)$`)

// bindings reads the binding list and checks what all bindings share.
func (f *Definition) bindings(doc tree) []tree {
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
func (f *Definition) classify(bindings []tree, c Config, s Settings) {
	var trigger tree
	triggers, outputs := 0, 0
	for _, b := range bindings {
		kind, _ := b.at("type").(string)
		name, _ := b.at("name").(string)
		switch {
		case strings.HasSuffix(strings.ToLower(kind), "trigger"):
			triggers++
			trigger, f.Binding, f.Trigger = b, name, canonicalTrigger(kind)
		case strings.EqualFold(kind, "http"):
			outputs++
			f.Output = name
		case kind != "":
			f.fault("function.json: the binding type %q is not supported by this local host; let the handler do the work with the service's SDK", kind)
		}
	}
	if triggers != 1 {
		f.fault("function.json: %d triggers; a function has exactly one", triggers)
		return
	}
	f.PureHTTP = f.Trigger == HTTPTrigger && outputs == 1 && len(bindings) == 2
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
func (f *Definition) resolved(r *reader, s Settings, name string) string {
	v, err := s.resolve(r.text(name))
	if err != nil {
		f.fault("function.json: %s: %v", name, err)
	}
	return v
}

func (f *Definition) loadHTTP(r *reader, c Config) {
	for _, m := range r.texts("methods") {
		f.Methods = append(f.Methods, strings.ToUpper(m))
	}
	f.AuthLevel = strings.ToLower(r.text("authLevel"))
	if !slices.Contains([]string{"", "anonymous", "function", "admin"}, f.AuthLevel) {
		f.fault("function.json: authLevel is %q; write anonymous, function or admin", f.AuthLevel)
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
	if f.Template, err = route.Parse(f.Route); err != nil {
		f.fault("function.json: route %q: %v", f.Route, err)
	}
}

func (f *Definition) loadTimer(r *reader, s Settings) {
	f.Timer = timer.Config{RunOnStartup: r.flag(false, "runOnStartup"), Monitor: r.flag(true, "useMonitor")}
	faults := len(f.Errors)
	f.Timer.Text = f.resolved(r, s, "schedule")
	if len(f.Errors) > faults {
		return
	}
	var err error
	if f.Timer.Schedule, err = timer.Parse(f.Timer.Text); err != nil {
		f.fault("function.json: %v", err)
		return
	}
	f.Timer.Monitor = f.Timer.Monitor && !f.Timer.Schedule.SubMinute()
}

func (f *Definition) loadBus(r *reader, c Config, s Settings) {
	if !c.hasBundle {
		f.fault(`host.json has no extensionBundle, and serviceBusTrigger comes from it; add {"id":"Microsoft.Azure.Functions.ExtensionBundle","version":"[4.*, 5.0.0)"}`)
	}
	f.Bus = bus.Trigger{
		Queue: f.resolved(r, s, "queueName"), Topic: f.resolved(r, s, "topicName"), Subscription: f.resolved(r, s, "subscriptionName"),
		Sessions: r.flag(false, "isSessionsEnabled"), AutoComplete: r.flag(c.Bus.AutoComplete, "autoCompleteMessages"),
		Binary: strings.EqualFold(r.text("dataType"), "binary"),
	}
	queue, topic := f.Bus.Queue != "", f.Bus.Topic != "" && f.Bus.Subscription != ""
	if queue == topic && len(f.Errors) == 0 {
		f.fault("function.json: name either queueName, or topicName with subscriptionName")
	}
	if strings.EqualFold(r.text("cardinality"), "many") {
		f.fault("function.json: cardinality many is not supported by this local host; write one")
	}
	if !f.Bus.AutoComplete {
		f.fault("function.json: autoCompleteMessages is false, and a custom handler has no way to settle a message; write true")
	}
	name := r.text("connection")
	if name == "" {
		name = "ServiceBus"
	}
	var err error
	if f.Bus.Connection, err = s.connection(strings.Trim(name, "%")); err != nil {
		f.fault("function.json: %v", err)
	}
}

func readRetry(r *reader) timer.Retry {
	switch strategy := r.text("retry", "strategy"); strategy {
	case "":
		return timer.Retry{}
	case "fixedDelay":
		d := r.span(0, "retry", "delayInterval")
		return timer.Retry{Max: r.number(0, "retry", "maxRetryCount"), Min: d, Cap: d}
	case "exponentialBackoff":
		return timer.Retry{Max: r.number(0, "retry", "maxRetryCount"), Growing: true,
			Min: r.span(time.Second, "retry", "minimumInterval"), Cap: r.span(time.Minute, "retry", "maximumInterval")}
	default:
		r.fault([]string{"retry", "strategy"}, "is %q; write fixedDelay or exponentialBackoff", strategy)
		return timer.Retry{}
	}
}
