package functions

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/entity"
)

// fits says what keeps functions and folders from fitting together: all of it, each with
// its file and the remedy. What the host would take and nobody ever be served by is a
// fault, too.
func fits(todo map[string]function, triggers map[string]Trigger, all ...entity.Consumer) error {
	var faults []error
	for _, of := range [][]error{pairFaults(todo, triggers), triggerFaults(triggers), twinFaults(triggers), kindFaults(todo, triggers), actionFaults(todo, triggers), consumerFaults(todo, triggers, all)} {
		faults = append(faults, of...)
	}
	return errors.Join(faults...)
}

// inFile is a fault of a function.json.
func inFile(function, format string, args ...any) error {
	return fmt.Errorf("functions/%s/function.json: %w", function, fmt.Errorf(format, args...))
}

// pairFaults: has every folder a handler, and every handler a folder?
func pairFaults(todo map[string]function, triggers map[string]Trigger) []error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(triggers)) {
		f, ok := todo[name]
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("functions/%s has a function.json and no line in handlers of functions/functions.go: add one", name))
		case f.err != nil:
			faults = append(faults, fmt.Errorf("functions/%s: %w", name, f.err))
		case f.handler == nil:
			faults = append(faults, fmt.Errorf("functions/%s: its line in handlers of functions/functions.go makes no handler: let its New return one", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(todo)) {
		if _, ok := triggers[name]; !ok {
			faults = append(faults, fmt.Errorf("handlers of functions/functions.go has a line for %s, which has no functions/%s/function.json: add the file, with the trigger as its first binding", name, name))
		}
	}
	return faults
}

// httpMethods are the methods that a function.json may list.
var httpMethods = []string{"get", "head", "put", "patch", "delete", "post", "options", "trace"}

// triggerFaults: does each trigger say all that the app needs, in words that it knows?
func triggerFaults(triggers map[string]Trigger) []error {
	var faults []error
	fault := func(function, format string, args ...any) { faults = append(faults, inFile(function, format, args...)) }
	for _, name := range slices.Sorted(maps.Keys(triggers)) {
		t := triggers[name]
		if !slices.Contains(triggerTypes, t.Type) {
			fault(name, "the trigger's type is %q: write one of %s, in this spelling", t.Type, strings.Join(triggerTypes, ", "))
		}
		if t.Type != httpTrigger {
			continue
		}
		if strings.Trim(t.Route, "/") == "" {
			fault(name, "the trigger has no route: add one, like \"route\": \"things/{id}\"")
		} else if err := azfunc.CheckRoute("api/" + t.Route); err != nil {
			fault(name, "route %q: %w", t.Route, err)
		}
		if len(t.Methods) == 0 {
			fault(name, "the trigger has no methods, so no request would be answered: list them, like \"methods\": [\"get\", \"head\"]")
		}
		for _, method := range t.Methods {
			if !slices.Contains(httpMethods, strings.ToLower(method)) {
				fault(name, "methods has %q, which is no method of HTTP: write some of %s", method, strings.Join(httpMethods, ", "))
			}
		}
	}
	return faults
}

// twinFaults: is each request answered by one function?
func twinFaults(triggers map[string]Trigger) []error {
	var faults []error
	var routed []string // the functions with a route so far
	for _, name := range slices.Sorted(maps.Keys(triggers)) {
		t := triggers[name]
		if t.Type != httpTrigger {
			continue
		}
		for _, other := range routed {
			if both := shared(t, triggers[other]); len(both) > 0 {
				faults = append(faults, inFile(name, "%s %s is answered by functions/%s already: give one of them another route", strings.Join(both, ", "), t.Route, other))
			}
		}
		routed = append(routed, name)
	}
	return faults
}

// shared are the methods of requests that two triggers would both answer.
func shared(a, b Trigger) []string {
	if !azfunc.SameRoute(a.Route, b.Route) {
		return nil
	}
	var both []string
	for _, method := range a.Methods {
		if b.has(method) {
			both = append(both, strings.ToUpper(method))
		}
	}
	return both
}

// has says whether the trigger lists a method, in whatever case.
func (t Trigger) has(method string) bool {
	return slices.ContainsFunc(t.Methods, func(own string) bool { return strings.EqualFold(own, method) })
}

// kindFaults: does each function that serves a kind get what that needs, and answer what it
// gets?
func kindFaults(todo map[string]function, triggers map[string]Trigger) []error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(triggers)) {
		t := triggers[name]
		kind, serves := entity.Serves(todo[name].handler)
		if kind == "" || !slices.Contains(triggerTypes, t.Type) {
			continue
		}
		if t.Type != httpTrigger {
			faults = append(faults, inFile(name, "the function serves the kind %q, and its trigger is of type %s: make it an httpTrigger", kind, t.Type))
			continue
		}
		template, optional, err := azfunc.Template("api/" + t.Route)
		if err != nil {
			continue // said by triggerFaults
		}
		if !strings.Contains(template+"/", "/{id}/") {
			faults = append(faults, inFile(name, "the function serves the kind %q, and route %q has no {id}: add it, like \"things/{id}\"", kind, t.Route))
		}
		needed := strings.Contains(template+"/", "/{action}/") // each path has an action
		for _, method := range t.Methods {
			if slices.Contains(httpMethods, strings.ToLower(method)) {
				if why := unanswered(strings.ToUpper(method), serves, needed, optional == "action"); why != "" {
					faults = append(faults, inFile(name, "methods has %q, which the function would answer with 405 always: %s", method, why))
				}
			}
		}
	}
	return faults
}

// unanswered says why a function of a kind never answers a method, with the remedy; "" if
// it does. serves are the methods of its handler; needed and optional are about {action} in
// its route.
func unanswered(method string, serves []string, needed, optional bool) string {
	post := method == http.MethodPost
	switch {
	case post && !slices.Contains(serves, method) && slices.Contains(serves, http.MethodPut):
		return "the kind has no actions, so give it one or take the method out"
	case !slices.Contains(serves, method):
		return "its handler serves " + strings.Join(serves, ", ") + ", so take the method out or serve more of the kind, with its Resource"
	case post && !needed && !optional:
		return "it is for actions, so end the route with /{action?} or take the method out"
	case !post && needed:
		return "the route always has an action, so make that {action?} or take the method out"
	}
	return ""
}

// actionFaults: do the actions of every kind whose changes are served have an address?
func actionFaults(todo map[string]function, triggers map[string]Trigger) []error {
	first := map[string]string{} // by kind, the first function that could take its actions
	taken := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(triggers)) {
		kind, serves := entity.Serves(todo[name].handler)
		if !slices.Contains(serves, http.MethodPost) {
			continue
		}
		if first[kind] == "" {
			first[kind] = name
		}
		taken[kind] = taken[kind] || triggers[name].has(http.MethodPost) // without {action}, kindFaults says so
	}
	var faults []error
	for _, kind := range slices.Sorted(maps.Keys(first)) {
		if !taken[kind] {
			faults = append(faults, inFile(first[kind], "the kind %q has actions, and no function takes POST to them: add \"post\" to methods, and /{action?} to the end of the route if it is not there", kind))
		}
	}
	return faults
}
