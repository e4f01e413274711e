package sql

import (
	"maps"
	"slices"
)

var arrayFunctions = map[string]*function{
	"ARRAY_CONTAINS":     {min: 2, max: 3, call: arrayContains},
	"ARRAY_CONTAINS_ANY": containsEach(whole, hasElement, false),
	"ARRAY_CONTAINS_ALL": containsEach(whole, hasElement, true),
	"ARRAY_CONCAT":       {min: 2, max: -1, call: arrayConcat},
	"ARRAY_LENGTH": fixed(1, func(a []Value) Value {
		if a[0].kind != Array {
			return Value{}
		}
		return NumberOf(float64(len(a[0].items)))
	}),
	"ARRAY_SLICE":   {min: 2, max: 3, call: arraySlice},
	"ARRAY_SUM":     aggregateOf("SUM"),
	"ARRAY_AVG":     aggregateOf("AVG"),
	"ARRAY_MIN":     aggregateOf("MIN"),
	"ARRAY_MAX":     aggregateOf("MAX"),
	"ARRAY_MEDIAN":  fixed(1, arrayMedian),
	"SETINTERSECT":  fixed(2, setIntersect),
	"SETUNION":      fixed(2, setUnion),
	"SETDIFFERENCE": fixed(2, setDifference),
	"SETEQUAL":      fixed(2, setEqual),
	"OBJECTTOARRAY": {min: 1, max: 3, call: objectToArray},
	"CHOOSE":        {min: 2, max: -1, call: choose},
	"IIF": fixed(3, func(a []Value) Value { // anything but true is not true
		if a[0].truth() {
			return a[1]
		}
		return a[2]
	}),
}

// maxElements bounds the arrays that functions build.
const maxElements = 1 << 16

func arrayContains(a []Value) Value {
	if a[0].kind != Array || !a[1].IsDefined() || len(a) > 2 && a[2].kind != Bool {
		return Value{}
	}
	partial := len(a) > 2 && a[2].truth()
	return BoolOf(slices.ContainsFunc(a[0].items, func(v Value) bool {
		return Equal(v, a[1]) || partial && includes(v, a[1])
	}))
}

func hasElement(array, element Value) Value { return arrayContains([]Value{array, element}) }

// includes tells whether an object has all properties of another, at any depth.
func includes(v, part Value) bool {
	if v.kind != Object || part.kind != Object {
		return Equal(v, part)
	}
	get := v.finder()
	for i, name := range part.names {
		if !includes(get(name), part.items[i]) {
			return false
		}
	}
	return true
}

// containsEach makes a check of the first argument, prepared once, for each other one,
// joined by AND or OR.
func containsEach(prepare func(Value) Value, has func(whole, part Value) Value, all bool) *function {
	return &function{min: 2, max: -1, in: func(e *env, a []Value) Value {
		result, whole := BoolOf(all), prepare(a[0])
		for _, part := range a[1:] {
			if e.budget.work(1+len(whole.items)/64+len(whole.str)/4096) != nil {
				break
			}
			switch found := has(whole, part); {
			case found.kind != Bool:
				result = found
			case found.truth() != all:
				return found
			}
		}
		return result
	}}
}

// whole prepares nothing.
func whole(v Value) Value { return v }

func arrayConcat(a []Value) Value {
	items := []Value{}
	for _, v := range a {
		if v.kind != Array || len(items)+len(v.items) > maxElements {
			return Value{}
		}
		items = append(items, v.items...)
	}
	return ArrayOf(items)
}

// arraySlice counts a negative start from the end.
func arraySlice(a []Value) Value {
	start, ok := integer(a[1])
	if a[0].kind != Array || !ok {
		return Value{}
	}
	length := int64(len(a[0].items))
	n := length
	if len(a) > 2 {
		if n, ok = integer(a[2]); !ok {
			return Value{}
		}
	}
	if start < 0 {
		start = max(0, start+length)
	}
	start = min(start, length)
	return ArrayOf(a[0].items[start : start+max(0, min(n, length-start))])
}

// aggregateOf makes a function of an array of what an aggregate makes of rows.
func aggregateOf(aggregate string) *function {
	return fixed(1, func(a []Value) Value {
		if a[0].kind != Array {
			return Value{}
		}
		folder := accumulators[aggregate]()
		for _, v := range a[0].items {
			folder.add(v)
		}
		return folder.result()
	})
}

func arrayMedian(a []Value) Value {
	numbers := make([]float64, len(a[0].items))
	for i, v := range a[0].items {
		if v.kind != Number {
			return Value{}
		}
		numbers[i] = v.num
	}
	if a[0].kind != Array || len(numbers) == 0 {
		return Value{}
	}
	slices.Sort(numbers)
	middle := len(numbers) / 2
	if len(numbers)%2 == 1 {
		return NumberOf(numbers[middle])
	}
	return finite((numbers[middle-1] + numbers[middle]) / 2)
}

// without returns what of items is not among those seen, each once.
func without(items []Value, seen map[string]bool) []Value {
	var left []Value
	for _, v := range items {
		if s := string(v.appendCanonical(nil)); !seen[s] {
			seen[s] = true
			left = append(left, v)
		}
	}
	return left
}

// sets tells whether both are arrays, and not too long for what is made of them.
func sets(a []Value) bool {
	return a[0].kind == Array && a[1].kind == Array && len(a[0].items)+len(a[1].items) <= maxElements
}

func setUnion(a []Value) Value {
	if !sets(a) {
		return Value{}
	}
	seen := map[string]bool{}
	return ArrayOf(append(without(a[0].items, seen), without(a[1].items, seen)...))
}

// setIntersect has the order of the second set, as the service's samples have.
func setIntersect(a []Value) Value {
	if !sets(a) {
		return Value{}
	}
	seen := signatures(a[1].items)
	for s := range signatures(a[0].items) {
		delete(seen, s)
	}
	return ArrayOf(without(a[1].items, seen))
}

func setDifference(a []Value) Value {
	if !sets(a) {
		return Value{}
	}
	return ArrayOf(without(a[0].items, signatures(a[1].items)))
}

func setEqual(a []Value) Value {
	if !sets(a) {
		return Value{}
	}
	return BoolOf(maps.Equal(signatures(a[0].items), signatures(a[1].items)))
}

func signatures(items []Value) map[string]bool {
	set := make(map[string]bool, len(items))
	for _, v := range items {
		set[string(v.appendCanonical(nil))] = true
	}
	return set
}

func objectToArray(a []Value) Value {
	names := []string{"k", "v"}
	for i, v := range a[1:] {
		name, ok := v.Str()
		if !ok {
			return Value{}
		}
		names[i] = name
	}
	if a[0].kind != Object {
		return Value{}
	}
	items := make([]Value, len(a[0].items))
	for i, v := range a[0].items {
		items[i] = ObjectOf(names, []Value{StringOf(a[0].names[i]), v})
	}
	return ArrayOf(items)
}

func choose(a []Value) Value {
	i, ok := integer(a[0])
	if !ok || i < 1 || int(i) >= len(a) {
		return Value{}
	}
	return a[i]
}
