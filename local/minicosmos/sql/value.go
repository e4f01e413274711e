package sql

import "slices"

// Kind is the type of a Value. The order of the constants is the order that ORDER BY
// gives to values of different types.
type Kind uint8

// The kinds, in ORDER BY's order.
const (
	Undefined Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// Value is a JSON value or undefined, which is its zero value. A Value is immutable:
// what changes one returns another.
type Value struct {
	kind  Kind
	num   float64  // Number; Bool as 0 or 1; of an Array or Object its weight
	str   string   // String; else the text it was parsed from if AppendJSON writes the same, or ""
	items []Value  // an Array's elements, an Object's values
	names []string // an Object's names, parallel to items
}

var nullValue = Value{kind: Null}

// NullOf returns null.
func NullOf() Value { return nullValue }

// BoolOf returns a boolean.
func BoolOf(b bool) Value {
	if b {
		return Value{kind: Bool, num: 1}
	}
	return Value{kind: Bool}
}

// NumberOf returns a number.
func NumberOf(f float64) Value { return Value{kind: Number, num: f} }

// StringOf returns a string.
func StringOf(s string) Value { return Value{kind: String, str: s} }

// ArrayOf returns an array; it keeps items.
func ArrayOf(items []Value) Value { return Value{kind: Array, num: weigh(nil, items), items: items} }

// ObjectOf returns an object; it keeps both slices, which run parallel.
func ObjectOf(names []string, items []Value) Value {
	return Value{kind: Object, num: weigh(names, items), names: names, items: items}
}

// Kind returns the value's type.
func (v Value) Kind() Kind { return v.kind }

// IsDefined tells whether the value is anything but undefined.
func (v Value) IsDefined() bool { return v.kind != Undefined }

// Bool returns the boolean, and false as its second result for any other type.
func (v Value) Bool() (b, ok bool) { return v.num != 0, v.kind == Bool }

// Number returns the number, and false as its second result for any other type.
func (v Value) Number() (float64, bool) { return v.num, v.kind == Number }

// Str returns the string, and false as its second result for any other type.
func (v Value) Str() (string, bool) {
	if v.kind != String {
		return "", false
	}
	return v.str, true
}

// Items returns an array's elements or an object's values; the caller must not change them.
func (v Value) Items() []Value { return v.items }

// Names returns an object's names, parallel to Items; the caller must not change them.
func (v Value) Names() []string { return v.names }

// Get returns an object's property, or undefined.
func (v Value) Get(name string) Value {
	if v.kind != Object {
		return Value{}
	}
	for i, n := range v.names {
		if n == name {
			return v.items[i]
		}
	}
	return Value{}
}

// Depth is how deep the innermost part of the value is: ParseJSON reads up to MaxDepth.
func (v Value) Depth() int {
	depth := 0
	for _, item := range v.items {
		depth = max(depth, 1+item.Depth())
	}
	return depth
}

// finder is Get for all names of a wide object.
func (v Value) finder() func(name string) Value {
	if len(v.names) < indexedWidth {
		return v.Get
	}
	byName := make(map[string]Value, len(v.names))
	for i, name := range v.names {
		byName[name] = v.items[i]
	}
	return func(name string) Value { return byName[name] }
}

// At returns an array's element, or undefined.
func (v Value) At(i int) Value {
	if v.kind != Array || i < 0 || i >= len(v.items) {
		return Value{}
	}
	return v.items[i]
}

// Path returns the value at a path of property names, or undefined.
func (v Value) Path(path []string) Value {
	for _, name := range path {
		v = v.Get(name)
	}
	return v
}

// With returns the object with one property set; an undefined property removes it.
func (v Value) With(name string, property Value) Value {
	if v.kind != Object {
		return v
	}
	i := slices.Index(v.names, name)
	switch {
	case !property.IsDefined() && i < 0:
		return v
	case !property.IsDefined():
		return ObjectOf(slices.Delete(slices.Clone(v.names), i, i+1), slices.Delete(slices.Clone(v.items), i, i+1))
	case i < 0:
		return ObjectOf(append(slices.Clip(v.names), name), append(slices.Clip(v.items), property))
	}
	items := slices.Clone(v.items)
	items[i] = property
	return ObjectOf(v.names, items)
}

// truth is the value as a condition sees it: only true is true.
func (v Value) truth() bool { return v.kind == Bool && v.num != 0 }
