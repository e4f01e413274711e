package document

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"sync"
)

// form is what a Go type is in JSON.
type form int

const (
	anything form = iota
	object        // a struct: its members are known
	dictionary
	list
	text
	whole
	number
	boolean
	custom   // the type reads itself
	optional // a pointer: null, or its elem
)

// shape is a Go type as a JSON reader sees it.
type shape struct {
	form     form
	fields   map[string]field // object
	names    []string         // object: the fields in the struct's order
	elem     *shape           // dictionary, list, optional
	min, max float64          // whole
	typ      reflect.Type
}

// field is a member of an object.
type field struct {
	*shape
	index []int // of the struct's field, through embedded structs
}

// shapes are known by type for good: there is one for each kind's types.
var shapes sync.Map

// shapeOf returns the shape of t, or why a document cannot be kept in it.
func shapeOf(t reflect.Type) (*shape, error) {
	if s, ok := shapes.Load(t); ok {
		return s.(*shape), nil
	}
	s, err := build(t, t.String(), map[reflect.Type]*shape{})
	if err != nil {
		return nil, err
	}
	shapes.Store(t, s)
	return s, nil
}

// Check says why documents cannot be kept in T, nil if they can.
func Check[T any]() error {
	s, err := shapeOf(reflect.TypeFor[T]())
	if err == nil && s.form != object {
		return fmt.Errorf("%v is not a struct: a document is a JSON object with known members", reflect.TypeFor[T]())
	}
	return err
}

// Members are the names of T's members, in the order of the struct.
func Members[T any]() []string {
	s, err := shapeOf(reflect.TypeFor[T]())
	if err != nil {
		return nil
	}
	return slices.Clone(s.names)
}

var (
	marshaler       = reflect.TypeFor[json.Marshaler]()
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	rawMessage      = reflect.TypeFor[json.RawMessage]()
	jsonNumber      = reflect.TypeFor[json.Number]()
)

// maxWhole is the largest integer that a store whose numbers are doubles keeps exactly.
const maxWhole = 1<<53 - 1

func build(t reflect.Type, path string, known map[reflect.Type]*shape) (*shape, error) {
	if s, ok := known[t]; ok {
		return s, nil
	}
	s := &shape{typ: t}
	known[t] = s
	var err error
	switch {
	case t == rawMessage || t.Kind() == reflect.Interface && t.NumMethod() == 0:
	case readsItself(t), isBytes(t), t == jsonNumber:
		s.form = custom
	case writesItself(t):
		return nil, fmt.Errorf("%s is a %v, which writes itself as JSON and does not read itself: give it UnmarshalJSON or UnmarshalText", path, t)
	case t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Pointer:
		return nil, fmt.Errorf("%s is a pointer to a pointer, and JSON has one null: make it a %v", path, t.Elem())
	case t.Kind() == reflect.Pointer:
		s.form = optional
		s.elem, err = build(t.Elem(), path, known)
	case t.Kind() == reflect.Struct:
		s.form, s.fields = object, map[string]field{}
		err = s.addFields(path, known)
	case t.Kind() == reflect.Map:
		if s.form = dictionary; t.Key().Kind() != reflect.String {
			return nil, fmt.Errorf("%s is a map whose keys are no strings", path)
		}
		s.elem, err = build(t.Elem(), path+"[…]", known)
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		s.form = list
		s.elem, err = build(t.Elem(), path+"[…]", known)
	default:
		err = s.scalar(path)
	}
	return s, err
}

func readsItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(unmarshaler) || p.Implements(textUnmarshaler)
}

func writesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(marshaler) || p.Implements(textMarshaler)
}

// isBytes: encoding/json writes such a slice as one string of base64.
func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 && !writesItself(t.Elem())
}

// scalar fills in the shape of a type without parts.
func (s *shape) scalar(path string) error {
	switch k := s.typ.Kind(); k {
	case reflect.String:
		s.form = text
	case reflect.Bool:
		s.form = boolean
	case reflect.Float32, reflect.Float64:
		s.form = number
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.form = whole
		limit := math.Ldexp(1, s.typ.Bits()-1)
		s.min, s.max = max(-limit, -maxWhole), min(limit-1, maxWhole)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s.form = whole
		s.max = min(math.Ldexp(1, s.typ.Bits())-1, maxWhole)
	default:
		return fmt.Errorf("%s is a %v, which JSON does not give back", path, s.typ)
	}
	return nil
}

// indirect follows a pointer, making what it points to.
func indirect(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	return v
}

// in is the field's place in a struct, whose embedded pointers are followed.
func (f field) in(v reflect.Value) reflect.Value {
	for _, i := range f.index {
		v = indirect(v).Field(i)
	}
	return v
}

// sorted are the keys of a dictionary's members, so that faults come in one order.
func sorted(members map[string]value) []string { return slices.Sorted(maps.Keys(members)) }
