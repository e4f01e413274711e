package document

import (
	"bytes"
	"encoding/json"
	"fmt"
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

// tree is a JSON text as values; numbers stay text, because 1e999 is JSON and no double.
func tree(text []byte) (any, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	err := dec.Decode(&v)
	return v, err
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
