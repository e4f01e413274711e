package sql

import "slices"

// Param is a named value for @name; Name starts with @.
type Param struct {
	Name  string
	Value Value
}

// named finds parameters by name, the first of several.
func named(params []Param) func(name string) (Value, bool) {
	if len(params) < indexedWidth {
		return func(name string) (Value, bool) {
			for _, p := range params {
				if p.Name == name {
					return p.Value, true
				}
			}
			return Value{}, false
		}
	}
	byName := make(map[string]Value, len(params))
	for _, p := range slices.Backward(params) {
		byName[p.Name] = p.Value
	}
	return func(name string) (Value, bool) {
		v, ok := byName[name]
		return v, ok
	}
}
