package document

import (
	"fmt"
	"reflect"
)

// CheckPatch reads a merge patch (RFC 7396) for a T as strictly as Decode reads a
// document, without looking at values: those show when the patched document is decoded.
// What is no object passes, because RFC 7396 makes it replace the whole.
func CheckPatch[T any](data []byte) error {
	s, err := shapeOf(reflect.TypeFor[T]())
	if err != nil {
		return err
	}
	doc, err := parse(data)
	if err != nil {
		return err
	}
	return checkNames(doc, s, "", 0)
}

// checkNames looks at names only, those in lists too: there the patch says what the merged
// document will hold, and here their place in the client's text is known.
func checkNames(v value, s *shape, path string, depth int) error {
	if s.form == optional {
		s = s.elem
	}
	if s.form == anything || s.form == custom {
		_, err := v.lookInto(path, depth, nil)
		return err
	}
	if depth > maxNesting || v.kind() != s.wants() {
		return nil
	}
	switch s.form {
	case object, dictionary:
	case list:
		for i, element := range v.elements() {
			if err := checkNames(element, s.elem, fmt.Sprintf("%s[%d]", path, i), depth+1); err != nil {
				return err
			}
		}
		return nil
	default:
		return nil
	}
	members, err := v.members(s.known(), path)
	if err != nil {
		return err
	}
	for _, name := range sorted(members) {
		if err := checkNames(members[name], s.member(name), join(path, Clip(name)), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// known are the names that an object may have, nil for any.
func (s *shape) known() []string {
	if s.form == object {
		return append([]string{}, s.names...)
	}
	return nil
}

func (s *shape) member(name string) *shape {
	if s.form == object {
		return s.fields[name].shape
	}
	return s.elem
}
