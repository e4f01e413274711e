package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
)

// Merge applies an RFC 7396 merge patch to a JSON document. It is written out here
// because a body within our limit may name 25,000 members, and the libraries at hand
// take time in the square of that.
func Merge(document, patch []byte) (json.RawMessage, error) {
	target, err := tree(document)
	if err != nil {
		return nil, fmt.Errorf("merge patch: document: %w", err)
	}
	change, err := tree(patch)
	if err != nil {
		return nil, fmt.Errorf("merge patch: %w", err)
	}
	return Encode(merged(target, change))
}

// Carry makes the change from old to next on stored, where old and next are what a type
// holds of the document before and after the change. Members of stored that the type does
// not know stay as they are, unless the object that they are in is gone.
func Carry(stored, old, next []byte) (json.RawMessage, error) {
	if bytes.Equal(stored, old) {
		return next, nil
	}
	var trees [3]any
	for i, text := range [][]byte{stored, old, next} {
		var err error
		if trees[i], err = tree(text); err != nil {
			return nil, fmt.Errorf("carry unknown members on: %w", err)
		}
	}
	if reflect.DeepEqual(trees[0], trees[1]) {
		return next, nil // the same, written otherwise
	}
	return Encode(carried(trees[0], trees[1], trees[2]))
}

// tree is a JSON text as values; numbers stay text, because 1e999 is JSON and no double.
func tree(text []byte) (any, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	err := dec.Decode(&v)
	return v, err
}

// carried is next, with what stored has and old does not know.
func carried(stored, old, next any) any {
	object, ok := stored.(map[string]any)
	known, wasObject := old.(map[string]any)
	wanted, isObject := next.(map[string]any)
	if !ok || !wasObject || !isObject {
		return next
	}
	result := maps.Clone(wanted)
	for name, value := range object {
		before, knew := known[name]
		after, wants := wanted[name]
		switch {
		case knew && wants:
			result[name] = carried(value, before, after)
		case !knew && !wants:
			result[name] = value
		}
	}
	return result
}

// merged is the function MergePatch of RFC 7396 §2.
func merged(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(object, name)
			continue
		}
		object[name] = merged(object[name], value)
	}
	return object
}

// Equal says whether two JSON texts are the same document, however they are written.
func Equal(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, errX := tree(a)
	y, errY := tree(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}
