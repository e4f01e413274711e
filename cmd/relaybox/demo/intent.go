package demo

import "encoding/json"

// verb is what a request asks for.
type verb int

const (
	put verb = iota
	patch
	remove
	// keep is a PUT of what is there already: it must change nothing and make no event.
	keep
	// act is an action.
	act
)

func (v verb) method() string {
	return [...]string{"PUT", "PATCH", "DELETE", "PUT", "POST"}[v]
}

// intent is one thing that a client wants. Its mark is part of what it sets, so every
// state of an entity names the intent that made it; a deletion leaves none.
type intent struct {
	mark   string
	verb   verb
	action string // of the verb act
	body   []byte
}

// merge is a JSON merge patch (RFC 7396) of cur.
func merge(cur state, patch []byte) ([]byte, error) {
	var target, change any
	if err := json.Unmarshal(encode(cur), &target); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(patch, &change); err != nil {
		return nil, err
	}
	return encode(mergeValue(target, change)), nil
}

func mergeValue(target, change any) any {
	members, ok := change.(map[string]any)
	if !ok {
		return change
	}
	object, ok := target.(map[string]any)
	if !ok {
		object = map[string]any{}
	}
	for name, value := range members {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = mergeValue(object[name], value)
		}
	}
	return object
}

// encode is for what always encodes: text, numbers, times, and structs and maps of them.
func encode(v any) []byte {
	text, _ := json.Marshal(v)
	return text
}

// canonical is the same text for the same JSON: an answer that comes out of a receipt has
// been through a store, which may escape characters otherwise.
func canonical(body []byte) string {
	var v any
	if json.Unmarshal(body, &v) != nil {
		return string(body)
	}
	return string(encode(v))
}
