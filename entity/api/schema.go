package api

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

// use is what a schema is for.
type use int

const (
	// sent: by a client, so that an unknown member is a misspelt one.
	sent use = iota
	// told: by us, of whatever version.
	told
)

// schemaOf is the schema of a Go type as package document reads it (sent) or encoding/json
// writes it (told).
func schemaOf(t reflect.Type, u use) (*jsonschema.Schema, error) {
	known := map[reflect.Type]*jsonschema.Schema{}
	if recursive(t, known, nil) {
		// The library has no word for it; the entity's own reader is strict all the same.
		return &jsonschema.Schema{Type: "object", Description: "Its members nest in each other without end."}, nil
	}
	s, err := jsonschema.ForType(t, &jsonschema.ForOptions{TypeSchemas: known})
	if err != nil {
		return nil, err
	}
	return s, refine(s, t, u, known)
}

// refine goes through a type and its schema side by side, and says what the library does
// not: limits, which members are required, what null stands for.
func refine(s *jsonschema.Schema, t reflect.Type, u use, known map[reflect.Type]*jsonschema.Schema) error {
	optional := t.Kind() == reflect.Pointer
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if known[t] == anything {
		s.Types = nil
	}
	if known[t] != nil {
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return refineObject(s, t, u, known)
	case reflect.Map, reflect.Slice, reflect.Array:
		kind, elem := "array", s.Items
		if t.Kind() == reflect.Map {
			kind, elem = "object", s.AdditionalProperties
		}
		s.Type, s.Types = kind, nil
		if optional {
			s.Type, s.Types = "", []string{kind, "null"}
		}
		return refine(elem, t.Elem(), u, known)
	}
	return nil
}

func refineObject(s *jsonschema.Schema, t reflect.Type, u use, known map[reflect.Type]*jsonschema.Schema) error {
	s.Required = nil // the library takes every member without omitempty for one
	if u == told {
		s.AdditionalProperties = nil
	}
	for _, f := range reflect.VisibleFields(t) {
		name := member(f)
		p := s.Properties[name]
		if p == nil || f.Anonymous {
			continue
		}
		if err := refine(p, f.Type, u, known); err != nil {
			return err
		}
		required, err := limit(p, f.Tag.Get("limits"))
		if err != nil {
			return fmt.Errorf("%v.%s: %w", t, f.Name, err)
		}
		if required {
			s.Required = append(s.Required, name)
		}
	}
	return nil
}

var (
	unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// anything names all types until refine has seen it: the library makes a pointer to a schema
// without types one that allows null only.
var anything = &jsonschema.Schema{Types: []string{"null", "boolean", "number", "string", "array", "object"}}

// recursive says whether a type contains itself, and notes the types below it that read
// themselves with what is known of their text: null leaves such a value as it is.
func recursive(t reflect.Type, custom map[reflect.Type]*jsonschema.Schema, within []reflect.Type) bool {
	if slices.Contains(within, t) {
		return true
	}
	switch reads := reflect.PointerTo(t); {
	case t == reflect.TypeFor[time.Time]():
		custom[t] = &jsonschema.Schema{Types: []string{"string", "null"}, Format: "date-time"}
	case t == reflect.TypeFor[[]byte]():
		custom[t] = &jsonschema.Schema{Types: []string{"string", "null"}, ContentEncoding: "base64"}
	case t == reflect.TypeFor[json.Number](), reads.Implements(unmarshaler):
		custom[t] = anything
	case reads.Implements(textUnmarshaler):
		custom[t] = &jsonschema.Schema{Types: []string{"string", "null"}}
	}
	if custom[t] != nil {
		return false
	}
	within = append(within, t)
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Array:
		return recursive(t.Elem(), custom, within)
	case reflect.Struct:
		for f := range t.Fields() {
			if (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" && recursive(f.Type, custom, within) {
				return true
			}
		}
	}
	return false
}

// patchOf is the schema of a merge patch (RFC 7396) for a document of schema s: every
// member may be left out, or null to be removed. A list in it is a whole list.
func patchOf(s *jsonschema.Schema) *jsonschema.Schema {
	p := s.CloneSchemas()
	p.Required, p.PropertyNames, p.MinProperties, p.MaxProperties = nil, nil, nil, nil
	for name, member := range p.Properties {
		p.Properties[name] = removable(member)
	}
	if p.AdditionalProperties != nil && !refuses(p.AdditionalProperties) {
		p.AdditionalProperties = removable(p.AdditionalProperties)
	}
	return p
}

func removable(member *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{AnyOf: []*jsonschema.Schema{patchOf(member), {Type: "null"}}}
}

// refuses says whether s is the schema false.
func refuses(s *jsonschema.Schema) bool {
	return s.Not != nil && reflect.ValueOf(*s.Not).IsZero()
}

// value is what jsonschema.Schema.Const takes.
func value(v any) *any { return &v }

func text(pattern string) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: pattern}
}
