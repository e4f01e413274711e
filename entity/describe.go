package entity

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"

	"github.com/relaybox/relaybox/entity/api"
)

// describe is the kind without its types.
func (k Kind[T, V]) describe() api.Kind {
	d := api.Kind{
		Name: k.Name, Entity: reflect.TypeFor[T](), Actions: map[string]api.Action{},
		Events: map[string]reflect.Type{Created: nil, Updated: nil, Deleted: nil, Snapshot: nil},
	}
	for name, a := range k.Actions {
		d.Actions[name] = api.Action{Input: reflect.TypeOf(a.input), Bare: a.bare}
	}
	for name, detail := range k.Events {
		d.Events[name] = reflect.TypeOf(detail)
	}
	return d
}

// OpenAPI returns the OpenAPI 3.1 document of HTTP functions and of the events of all
// kinds; version is the app's. See package api for what it promises.
func (k *Kinds) OpenAPI(version string, routes []api.Route) ([]byte, error) {
	var kinds []api.Kind
	for _, name := range k.Names() {
		kinds = append(kinds, k.byName[name].describe())
	}
	return api.Document(version, kinds, routes)
}

// EventSchemas returns the JSON Schema (draft 2020-12) of the envelope of every event of
// all kinds, by its CloudEvents type: for consumers that check what they get, in whatever
// language. A schema stands alone.
func (k *Kinds) EventSchemas() (map[string]json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for _, name := range k.Names() {
		schemas, err := k.byName[name].describe().EventSchemas()
		if err != nil {
			return nil, fmt.Errorf("describe the events of the kind %q: %w", name, err)
		}
		for event, schema := range schemas {
			if all[event], err = json.Marshal(schema); err != nil {
				return nil, fmt.Errorf("encode the schema of %s: %w", event, err)
			}
		}
	}
	return all, nil
}

// resource is a handler that Resource, Reads or Writes made.
type resource struct {
	http.HandlerFunc
	kind    string
	methods []string
}

// Serves says which kind a handler of this package serves, and with which methods: POST is
// one of them if the kind has actions. "" is no handler of Resource, Reads or Writes.
func Serves(h http.Handler) (kind string, methods []string) {
	r, _ := h.(resource)
	return r.kind, slices.Clone(r.methods)
}
