package entity

import (
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/relaybox/relaybox/entity/document"
)

var validName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// ofResource are the members that every answer has beside the entity's own.
var ofResource = []string{"id", "version", "updatedAt"}

// check says what keeps k from being a kind, with the remedy.
func (k Kind[T, V]) check() error {
	if err := checkName(k.Name, "invoice"); err != nil {
		return fmt.Errorf("kind %q: %w", k.Name, err)
	}
	for _, err := range []error{k.checkTypes(), k.checkActions(), k.checkEvents()} {
		if err != nil {
			return fmt.Errorf("kind %q: %w", k.Name, err)
		}
	}
	return nil
}

func checkName(name, example string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("a name is 1 to 32 lower-case letters, digits and '-' and begins with a letter, like %q", example)
	}
	return nil
}

func (k Kind[T, V]) checkTypes() error {
	if err := document.Check[T](); err != nil {
		return fmt.Errorf("the entity: %w", err)
	}
	if err := document.Check[V](); err != nil {
		return fmt.Errorf("the view: %w", err)
	}
	for _, name := range document.Members[T]() {
		if slices.ContainsFunc(ofResource, func(own string) bool { return strings.EqualFold(name, own) }) {
			return fmt.Errorf("the member %q of the entity is in every answer already: give yours another name", name)
		}
	}
	return nil
}

func (k Kind[T, V]) checkActions() error {
	for _, name := range slices.Sorted(maps.Keys(k.Actions)) {
		action := k.Actions[name]
		if err := checkName(name, "ship"); err != nil {
			return fmt.Errorf("action %q: %w", name, err)
		}
		if action.decode == nil {
			return fmt.Errorf("action %q does nothing: make it with entity.Do, of a function", name)
		}
		if action.err != nil {
			return fmt.Errorf("action %q: the input: %w", name, action.err)
		}
	}
	return nil
}

func (k Kind[T, V]) checkEvents() error {
	for _, name := range slices.Sorted(maps.Keys(k.Events)) {
		if err := checkName(name, "shipped"); err != nil {
			return fmt.Errorf("event %q: %w", name, err)
		}
		if name == Snapshot {
			return fmt.Errorf("event %q: every kind has it, and replays alone make it: give yours another name", name)
		}
		if t := reflect.TypeOf(k.Events[name]); t != nil {
			if err := encodes(t, t.String(), map[reflect.Type]bool{}); err != nil {
				return fmt.Errorf("event %q: the detail: %w", name, err)
			}
		}
	}
	return nil
}

var (
	marshaler     = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// encodes says why encoding/json can never write a t. It only writes details, so this is
// laxer than document.Check, which is about what is read, too.
func encodes(t reflect.Type, path string, seen map[reflect.Type]bool) error {
	// A method of the pointer is enough: whether encoding/json can use it depends on where
	// the value stands.
	if p := reflect.PointerTo(t); seen[t] || p.Implements(marshaler) || p.Implements(textMarshaler) {
		return nil
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return fmt.Errorf("%s is a %v, which encoding/json cannot write: leave it out, or keep it from JSON with the tag `json:\"-\"`", path, t)
	case reflect.Pointer:
		return encodes(t.Elem(), path, seen)
	case reflect.Slice, reflect.Array:
		return encodes(t.Elem(), path+"[…]", seen)
	case reflect.Map:
		if !keys(t.Key()) {
			return fmt.Errorf("%s is a %v, whose keys encoding/json cannot write: make them strings", path, t)
		}
		return encodes(t.Elem(), path+"[…]", seen)
	case reflect.Struct:
		for f := range t.Fields() {
			if f.Tag.Get("json") == "-" || !f.IsExported() && !f.Anonymous {
				continue
			}
			if err := encodes(f.Type, path+"."+f.Name, seen); err != nil {
				return err
			}
		}
	}
	return nil
}

// keys says whether encoding/json writes a t as the name of a member.
func keys(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return true
	}
	return t.Implements(textMarshaler)
}
