package api

import (
	"reflect"
	"strings"
)

// Kind is what the description needs to know of a kind of entity.
type Kind struct {
	Name   string
	Entity reflect.Type
	// Actions are the actions' inputs by name.
	Actions map[string]Action
	// Events are the details of the kind's events by name, nil for one without.
	Events map[string]reflect.Type
}

// Action is an action's input.
type Action struct {
	Input reflect.Type
	// Bare: no body is needed.
	Bare bool
}

// Route is an HTTP function as its function.json and its handler tell it.
type Route struct {
	Function string
	// Route and Methods are the trigger's.
	Route   string
	Methods []string
	// Kind is the kind that the function serves, and Serves the methods that it answers;
	// "" for a function of another sort.
	Kind   string
	Serves []string
	// Document: the function serves the description itself.
	Document bool
	// Health: the function tells how the app is, at its route and two below it.
	Health bool
}

// title is a name as identifiers have it: "email-changed" becomes "EmailChanged".
func title(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "-") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}

// camel is title with a small first letter.
func camel(name string) string {
	t := title(name)
	return strings.ToLower(t[:1]) + t[1:]
}
