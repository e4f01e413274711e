package sql

import (
	"bytes"
	"cmp"
	"strings"
)

// Equal tells whether two values are the same JSON value; the order of an object's
// properties does not matter. Undefined equals only undefined.
func Equal(a, b Value) bool {
	if a.kind != b.kind {
		return false
	}
	switch a.kind {
	case Bool, Number:
		return a.num == b.num
	case String:
		return a.str == b.str
	case Array:
		return equalItems(a.items, b.items)
	case Object:
		return equalProperties(a, b)
	}
	return true
}

func equalItems(a, b []Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func equalProperties(a, b Value) bool {
	if len(a.names) != len(b.names) {
		return false
	}
	get := b.finder()
	for i, name := range a.names {
		other := get(name)
		if !other.IsDefined() || !Equal(a.items[i], other) {
			return false
		}
	}
	return true
}

// Compare orders values as ORDER BY does: first by type, then by value. Arrays compare
// by element and objects by their properties in order of name.
func Compare(a, b Value) int {
	if a.kind != b.kind {
		return int(a.kind) - int(b.kind)
	}
	switch a.kind {
	case Bool, Number:
		return cmp.Compare(a.num, b.num) // NaN comes first
	case String:
		return strings.Compare(a.str, b.str)
	case Array:
		return compareItems(a.items, b.items)
	case Object:
		return compareObjects(a, b)
	}
	return 0
}

// compareObjects compares canonical forms without the brace that closes them, so that
// fewer properties come first.
func compareObjects(a, b Value) int {
	x, y := a.appendCanonical(nil), b.appendCanonical(nil)
	return bytes.Compare(x[:len(x)-1], y[:len(y)-1])
}

func compareItems(a, b []Value) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if c := Compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}
