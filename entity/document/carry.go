package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// Carry returns next with those members of stored that T does not have: next is a T as JSON,
// stored the document that it comes from, and known what T holds of stored.
//
// A member that T has is as in next, and gone when next leaves it out. Only a struct that is
// left out because it is zero keeps what T does not know in it. An element of a list keeps
// its unknown members wherever it stands in next, as long as it is the same otherwise; one
// that has changed is replaced as a whole.
func Carry[T any](stored, known, next []byte) (json.RawMessage, error) {
	if bytes.Equal(stored, known) {
		return next, nil
	}
	s, err := shapeOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	var trees [3]any
	for i, text := range [][]byte{stored, known, next} {
		if trees[i], err = tree(text); err != nil {
			return nil, fmt.Errorf("carry unknown members on: %w", err)
		}
	}
	if reflect.DeepEqual(trees[0], trees[1]) {
		return next, nil // the same, written otherwise
	}
	return Encode(s.carried(trees[0], trees[1], trees[2]))
}

// carried is Carry for a value of the shape.
func (s *shape) carried(stored, known, next any) any {
	if s.form == optional {
		s = s.elem
	}
	switch s.form {
	case object, dictionary:
		members, ok := stored.(map[string]any)
		wanted, is := next.(map[string]any)
		if !ok || !is {
			return next
		}
		before, _ := known.(map[string]any)
		if s.form == dictionary {
			return s.carriedEntries(members, before, wanted)
		}
		return s.carriedMembers(members, before, wanted)
	case list:
		elements, ok := stored.([]any)
		before, was := known.([]any)
		wanted, is := next.([]any)
		if ok && was && is && len(elements) == len(before) {
			return carriedElements(elements, before, wanted)
		}
	}
	return next
}

func (s *shape) carriedMembers(stored, known, next map[string]any) any {
	result := maps.Clone(next)
	for name, value := range stored {
		f, has := s.fields[name]
		after, wants := next[name]
		switch {
		case !has:
			result[name] = value
		case wants:
			result[name] = f.carried(value, known[name], after)
		default:
			if rest := f.unknown(value); len(rest) > 0 {
				result[name] = rest
			}
		}
	}
	return result
}

func (s *shape) carriedEntries(stored, known, next map[string]any) any {
	result := maps.Clone(next)
	for name, after := range next {
		if value, ok := stored[name]; ok {
			result[name] = s.elem.carried(value, known[name], after)
		}
	}
	return result
}

// unknown are the members of a struct's value that the struct does not have. A pointer to a
// struct that is not there is none that is zero.
func (s *shape) unknown(value any) map[string]any {
	members, ok := value.(map[string]any)
	if !ok || s.form != object {
		return nil
	}
	rest := map[string]any{}
	for name, member := range members {
		f, has := s.fields[name]
		if !has {
			rest[name] = member
		} else if inner := f.unknown(member); len(inner) > 0 {
			rest[name] = inner
		}
	}
	return rest
}

// carriedElements finds the elements of next among the known ones, at their own place first.
func carriedElements(stored, known, next []any) []any {
	wanted := make([]string, len(next))
	for j, element := range next {
		wanted[j] = textOf(element)
	}
	result := slices.Clone(next)
	moved := map[string][]int{} // places of known elements that are not where they were, by their text
	for i, element := range known {
		if text := textOf(element); i < len(next) && wanted[i] == text {
			result[i], wanted[i] = stored[i], ""
		} else {
			moved[text] = append(moved[text], i)
		}
	}
	for j, text := range wanted {
		if free := moved[text]; len(free) > 0 {
			result[j], moved[text] = stored[free[0]], free[1:]
		}
	}
	return result
}

// textOf is the same for the same value: encoding/json sorts the members of maps.
func textOf(v any) string {
	text, _ := json.Marshal(v) // it was decoded from JSON
	return string(text)
}
