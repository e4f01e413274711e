package sql

import (
	"slices"
	"time"
)

var arrayFunctions = map[string]*function{
	"ARRAY_CONTAINS":     {min: 2, max: 3, call: arrayContains},
	"ARRAY_CONTAINS_ANY": {min: 2, max: -1, call: func(a []Value) Value { return containsSome(a, false) }},
	"ARRAY_CONTAINS_ALL": {min: 2, max: -1, call: func(a []Value) Value { return containsSome(a, true) }},
	"ARRAY_CONCAT":       {min: 2, max: -1, call: arrayConcat},
	"ARRAY_LENGTH": fixed(1, func(a []Value) Value {
		if a[0].kind != Array {
			return Value{}
		}
		return NumberOf(float64(len(a[0].items)))
	}),
	"ARRAY_SLICE":   {min: 2, max: 3, call: arraySlice},
	"SETINTERSECT":  fixed(2, func(a []Value) Value { return setOf(a, true) }),
	"SETUNION":      fixed(2, func(a []Value) Value { return setOf(a, false) }),
	"SETDIFFERENCE": fixed(2, setDifference),
	"OBJECTTOARRAY": {min: 1, max: 3, call: objectToArray},
	"CHOOSE":        {min: 2, max: -1, call: choose},
	"IIF": fixed(3, func(a []Value) Value {
		if a[0].kind != Bool {
			return Value{}
		}
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

// includes tells whether an object has all properties of another, at any depth.
func includes(v, part Value) bool {
	if v.kind != Object || part.kind != Object {
		return Equal(v, part)
	}
	for i, name := range part.names {
		if !includes(v.Get(name), part.items[i]) {
			return false
		}
	}
	return true
}

func containsSome(a []Value, all bool) Value {
	if a[0].kind != Array {
		return Value{}
	}
	wanted := a[1:]
	if len(wanted) == 1 && wanted[0].kind == Array {
		wanted = wanted[0].items
	}
	for _, w := range wanted {
		if arrayContains([]Value{a[0], w}).truth() != all {
			return BoolOf(!all)
		}
	}
	return BoolOf(all)
}

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

// setOf is the intersection or the union without repetition.
func setOf(a []Value, both bool) Value {
	if a[0].kind != Array || a[1].kind != Array || len(a[0].items)+len(a[1].items) > maxElements {
		return Value{}
	}
	second := signatures(a[1].items)
	var items []Value
	seen := map[string]bool{}
	take := func(v Value) {
		if s := string(v.appendCanonical(nil)); !seen[s] {
			seen[s] = true
			items = append(items, v)
		}
	}
	for _, v := range a[0].items {
		if !both || second[string(v.appendCanonical(nil))] {
			take(v)
		}
	}
	for _, v := range a[1].items {
		if !both {
			take(v)
		}
	}
	return ArrayOf(items)
}

func setDifference(a []Value) Value {
	if a[0].kind != Array || a[1].kind != Array {
		return Value{}
	}
	second := signatures(a[1].items)
	var items []Value
	for _, v := range a[0].items {
		if s := string(v.appendCanonical(nil)); !second[s] {
			second[s] = true
			items = append(items, v)
		}
	}
	return ArrayOf(items)
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

// isoFormat is how the service writes times: seven decimals, UTC.
const isoFormat = "2006-01-02T15:04:05.0000000Z"

// ticksAtEpoch is the Unix epoch in .NET's ticks of 100 ns.
const ticksAtEpoch = 621355968000000000

var timeFunctions = map[string]*function{
	"GETCURRENTDATETIME":  fixed(0, func([]Value) Value { return StringOf(time.Now().UTC().Format(isoFormat)) }),
	"GETCURRENTTIMESTAMP": fixed(0, func([]Value) Value { return NumberOf(float64(time.Now().UnixMilli())) }),
	"GETCURRENTTICKS":     fixed(0, func([]Value) Value { return NumberOf(float64(ticksAtEpoch + time.Now().UnixNano()/100)) }),
	"DATETIMETOTIMESTAMP": str(func(s string) Value {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return Value{}
		}
		return NumberOf(float64(t.UnixMilli()))
	}),
	"TIMESTAMPTODATETIME": fixed(1, func(a []Value) Value {
		ms, ok := integer(a[0])
		if !ok {
			return Value{}
		}
		return StringOf(time.UnixMilli(ms).UTC().Format(isoFormat))
	}),
}
