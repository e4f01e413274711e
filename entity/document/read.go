package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
)

// Read reads the JSON text of a T that we or another version of us have written: Encode's,
// or what a store has kept. Unlike Decode it passes over the names that it does not know,
// takes null for the zero value, and the last of two members with one name. Unlike
// json.Unmarshal it tells names apart that differ in case, so that another version's NOTE
// does not become this one's note. What is held as any or json.RawMessage or reads itself
// gets its text as it is, null too. The error names the member that is of a wrong type.
func Read[T any](data []byte) (T, error) {
	var into T
	s, err := shapeOf(reflect.TypeFor[T]())
	if err != nil {
		return into, err
	}
	if !json.Valid(data) {
		var nothing json.RawMessage
		return into, json.Unmarshal(data, &nothing) // says where
	}
	c := cursor{text: data}
	if err := c.read(s, reflect.ValueOf(&into).Elem()); err != nil {
		var zero T
		return zero, err
	}
	return into, nil
}

// misreadError says which member is not what its type needs. The path grows from the
// member outwards, so that it costs nothing where all is well.
type misreadError struct{ path, detail string }

// Error names the member and its fault.
func (e *misreadError) Error() string { return orRoot(e.path) + " " + e.detail }

// within puts what the error's member is in before its path.
func within(outer string, err error) error {
	if e, ok := errors.AsType[*misreadError](err); ok {
		switch {
		case e.path == "":
			e.path = outer
		case e.path[0] == '[':
			e.path = outer + e.path
		default:
			e.path = outer + "." + e.path
		}
	}
	return err
}

func misread(format string, args ...any) error {
	return &misreadError{detail: fmt.Sprintf(format, args...)}
}

// read puts the value that c is at into the Go value, which is zero or about to be replaced.
func (c *cursor) read(s *shape, into reflect.Value) error {
	kind := kindOf(c.peek())
	if s.form == anything || s.form == custom {
		return c.readItself(s, into)
	}
	if kind == "null" {
		c.skip()
		into.SetZero()
		return nil
	}
	if s.form == optional {
		into.Set(reflect.New(into.Type().Elem()))
		return c.read(s.elem, into.Elem())
	}
	if kind != s.wants() {
		return misread("must be %s, not %s", s.describe(), kind)
	}
	switch s.form {
	case object:
		return c.readObject(s, into)
	case dictionary:
		return c.readDictionary(s, into)
	case list:
		return c.readList(s, into)
	case text:
		into.SetString(string(unquoted(c.skip())))
	case boolean:
		into.SetBool(c.skip()[0] == 't')
	default:
		return c.readNumber(s, into)
	}
	return nil
}

func (c *cursor) readItself(s *shape, into reflect.Value) error {
	raw := c.skip()
	if s.typ == rawMessage {
		into.SetBytes(bytes.Clone(raw))
		return nil
	}
	into.SetZero()
	if err := json.Unmarshal(raw, into.Addr().Interface()); err != nil {
		return misread("%s", s.misfit(err))
	}
	return nil
}

func (c *cursor) readObject(s *shape, into reflect.Value) error {
	into.SetZero()
	for c.open(); c.next(); {
		name := c.name()
		f, ok := s.fields[string(name)]
		if !ok {
			c.skip()
			continue
		}
		if err := c.read(f.shape, f.in(into)); err != nil {
			return within(string(name), err)
		}
	}
	return nil
}

func (c *cursor) readDictionary(s *shape, into reflect.Value) error {
	t := into.Type()
	into.Set(reflect.MakeMap(t))
	elem := reflect.New(t.Elem()).Elem()
	for c.open(); c.next(); {
		name := string(c.name())
		elem.SetZero()
		if err := c.read(s.elem, elem); err != nil {
			return within(Clip(name), err)
		}
		into.SetMapIndex(reflect.ValueOf(name).Convert(t.Key()), elem)
	}
	return nil
}

func (c *cursor) readList(s *shape, into reflect.Value) error {
	into.SetZero()
	slice := into.Kind() == reflect.Slice
	n := 0
	for c.open(); c.next(); n++ {
		switch {
		case slice:
			into.Grow(1)
			into.SetLen(n + 1)
		case n >= into.Len():
			c.skip()
			continue
		}
		if err := c.read(s.elem, into.Index(n)); err != nil {
			return within(fmt.Sprintf("[%d]", n), err)
		}
	}
	switch {
	case !slice && n != into.Len():
		return misread("must have %d elements, not %d", into.Len(), n)
	case slice && n == 0:
		into.Set(reflect.MakeSlice(into.Type(), 0, 0))
	}
	return nil
}

// readNumber takes whole numbers of which a store of doubles would round some: if it is
// rounded by now, refusing it gives nothing back.
func (c *cursor) readNumber(s *shape, into reflect.Value) error {
	raw := string(c.skip())
	switch {
	case into.CanFloat():
		f, err := strconv.ParseFloat(raw, into.Type().Bits())
		if err != nil {
			return misread("must be a number that fits into %v", s.typ)
		}
		into.SetFloat(f)
	case into.CanInt():
		n, err := strconv.ParseInt(raw, 10, into.Type().Bits())
		if err != nil {
			return misread("must be a whole number that fits into %v", s.typ)
		}
		into.SetInt(n)
	default:
		n, err := strconv.ParseUint(raw, 10, into.Type().Bits())
		if err != nil {
			return misread("must be a whole number that fits into %v", s.typ)
		}
		into.SetUint(n)
	}
	return nil
}
