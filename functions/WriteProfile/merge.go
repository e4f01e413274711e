package writeprofile

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// merge applies an RFC 7396 merge patch to a JSON document. It is written out here
// because a body within our limit may name 25,000 members, and the libraries at hand
// take time in the square of that.
func merge(document, patch []byte) ([]byte, error) {
	var parts [2]any
	for i, text := range [][]byte{document, patch} {
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber() // 1e999 is JSON and no float64
		if err := dec.Decode(&parts[i]); err != nil {
			return nil, fmt.Errorf("merge patch: %w", err)
		}
	}
	return json.Marshal(merged(parts[0], parts[1]))
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
