package document

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"time"
)

// maxNesting bounds how deep a document may nest: each level is read once more.
const maxNesting = 32

// Decode reads the JSON text of one document into a T. It fails with *SyntaxError,
// *UnknownFieldError or *DuplicateFieldError; members of a wrong type are noted in
// faults, and what they would have held stays zero.
func Decode[T any](data []byte, faults *Faults) (T, error) {
	var into T
	s, err := shapeOf(reflect.TypeFor[T]())
	if err != nil {
		return into, err
	}
	doc, err := parse(data)
	if err != nil {
		return into, err
	}
	r := reader{faults: faults}
	if err := r.read(doc, s, reflect.ValueOf(&into).Elem(), "", 0); err != nil {
		return into, err
	}
	return into, nil
}

// reader is one Decode under way.
type reader struct{ faults *Faults }

// read puts v into the Go value. Its error is about names; what is wrong with values goes
// to the faults.
func (r *reader) read(v value, s *shape, into reflect.Value, path string, depth int) error {
	if depth > maxNesting {
		r.fault(path, "nests deeper than %d levels", maxNesting)
		return nil
	}
	if s.form == optional {
		if v.kind() == "null" {
			return nil
		}
		s, into = s.elem, indirect(into)
	}
	if want := s.wants(); want != "" && v.kind() != want {
		r.fault(path, "must be %s, not %s", s.describe(), v.kind())
		return nil
	}
	switch s.form {
	case object:
		return r.readObject(v, s, into, path, depth)
	case dictionary:
		return r.readDictionary(v, s, into, path, depth)
	case list:
		return r.readList(v, s, into, path, depth)
	case whole:
		r.readWhole(v, s, into, path)
	case anything, custom:
		fits, err := v.lookInto(path, depth, r.faults)
		if err != nil || !fits {
			return err
		}
		fallthrough
	default:
		if err := json.Unmarshal(v.raw, into.Addr().Interface()); err != nil {
			r.fault(path, "%s", s.misfit(err))
		}
	}
	return nil
}

func (r *reader) fault(path, format string, args ...any) {
	r.faults.Add(orRoot(path), format, args...)
}

func (r *reader) readObject(v value, s *shape, into reflect.Value, path string, depth int) error {
	members, err := v.members(s.known(), path)
	if err != nil {
		return err
	}
	for _, name := range s.names {
		member, ok := members[name]
		if !ok {
			continue
		}
		f := s.fields[name]
		if err := r.read(member, f.shape, f.in(into), join(path, name), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) readDictionary(v value, s *shape, into reflect.Value, path string, depth int) error {
	members, err := v.members(nil, path)
	if err != nil {
		return err
	}
	into.Set(reflect.MakeMapWithSize(into.Type(), len(members)))
	for _, name := range sorted(members) {
		elem := reflect.New(into.Type().Elem()).Elem()
		if err := r.read(members[name], s.elem, elem, join(path, Clip(name)), depth+1); err != nil {
			return err
		}
		into.SetMapIndex(reflect.ValueOf(name).Convert(into.Type().Key()), elem)
	}
	return nil
}

func (r *reader) readList(v value, s *shape, into reflect.Value, path string, depth int) error {
	elements := v.elements()
	if into.Kind() == reflect.Array {
		if len(elements) != into.Len() {
			r.fault(path, "must have %d elements, not %d", into.Len(), len(elements))
			return nil
		}
	} else {
		into.Set(reflect.MakeSlice(into.Type(), len(elements), len(elements)))
	}
	for i, element := range elements {
		if err := r.read(element, s.elem, into.Index(i), fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
			return err
		}
	}
	return nil
}

var wholeNumber = regexp.MustCompile(`^-?[0-9]+$`)

func (r *reader) readWhole(v value, s *shape, into reflect.Value, path string) {
	n, err := strconv.ParseFloat(string(v.raw), 64)
	if err != nil || !wholeNumber.Match(v.raw) || n < s.min || n > s.max {
		r.fault(path, "must be a whole number from %.0f to %.0f", s.min, s.max)
		return
	}
	_ = json.Unmarshal(v.raw, into.Addr().Interface()) // in range, so it fits
}

// orRoot names the document itself, whose path is empty.
func orRoot(path string) string {
	if path == "" {
		return "$"
	}
	return path
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// wants is the JSON type that the shape needs, "" where the type itself decides.
func (s *shape) wants() string {
	switch s.form {
	case object, dictionary:
		return "an object"
	case list:
		return "an array"
	case text:
		return "a string"
	case whole, number:
		return "a number"
	case boolean:
		return "a boolean"
	}
	return ""
}

// describe is wants for a person.
func (s *shape) describe() string {
	if s.form == dictionary && s.elem.wants() != "" {
		return "an object of " + plural[s.elem.wants()]
	}
	return s.wants()
}

const noDouble = "must be a number that fits into a double"

var plural = map[string]string{
	"an object": "objects", "an array": "arrays", "a string": "strings", "a number": "numbers", "a boolean": "booleans",
}

// misfit says what a type that reads itself has against a value.
func (s *shape) misfit(err error) string {
	switch {
	case s.typ == reflect.TypeFor[time.Time]():
		return "must be a time like 2006-01-02T15:04:05Z"
	case s.form == number:
		return noDouble
	}
	return "is not valid: " + Clip(err.Error())
}
