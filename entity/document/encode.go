package document

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// Encode is json.Marshal with two differences. A nil slice or map is printed as [] or {},
// at every depth: null is not what a list or a dictionary is read from, and what is kept has
// to be readable. What omitempty or omitzero leaves out stays out, nil pointers, []byte and
// json.RawMessage stay null, a type that writes itself is left alone, and v is not changed.
// And <, > and & are not escaped: a store gives them back that way, and the answer of a
// receipt is to be the first one to the byte.
func Encode(v any) (json.RawMessage, error) {
	if full, changed := filled(reflect.ValueOf(v), 0); changed {
		v = full.Interface()
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(text.Bytes(), "\n"), nil
}

// maxValueDepth ends the walk through a value that holds itself: encoding/json, which
// comes after, refuses it.
const maxValueDepth = 1000

// filled is v with empty slices and maps for nil ones, and whether there were any. Only
// what changes is copied.
func filled(v reflect.Value, depth int) (reflect.Value, bool) {
	if !v.IsValid() || depth > maxValueDepth || holdsNoNil(v.Type()) {
		return v, false
	}
	switch v.Kind() {
	case reflect.Pointer:
		elem, changed := filled(v.Elem(), depth+1)
		if !changed {
			return v, false
		}
		p := reflect.New(v.Type().Elem())
		p.Elem().Set(elem)
		return p.Convert(v.Type()), true
	case reflect.Interface:
		return filled(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		return filledList(v, depth)
	case reflect.Map:
		return filledMap(v, depth)
	}
	var full reflect.Value
	fillFields(v, func() reflect.Value {
		if !full.IsValid() {
			full = reflect.New(v.Type()).Elem()
			full.Set(v)
		}
		return full
	}, depth)
	if !full.IsValid() {
		return v, false
	}
	return full, true
}

// holdsNoNil: numbers and texts, and what writes itself, are as they are.
func holdsNoNil(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface:
		return false
	case reflect.Slice, reflect.Array, reflect.Map, reflect.Struct:
		return writesItself(t) || isBytes(t)
	}
	return true
}

func filledList(v reflect.Value, depth int) (reflect.Value, bool) {
	if v.Kind() == reflect.Slice && v.IsNil() {
		return reflect.MakeSlice(v.Type(), 0, 0), true
	}
	if holdsNoNil(v.Type().Elem()) {
		return v, false
	}
	full, copied := v, false
	for i := range v.Len() {
		elem, changed := filled(v.Index(i), depth+1)
		if !changed {
			continue
		}
		if !copied {
			copied = true
			if full = reflect.New(v.Type()).Elem(); v.Kind() == reflect.Slice {
				full.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			}
			reflect.Copy(full, v)
		}
		full.Index(i).Set(elem)
	}
	return full, copied
}

func filledMap(v reflect.Value, depth int) (reflect.Value, bool) {
	if v.IsNil() {
		return reflect.MakeMap(v.Type()), true
	}
	if holdsNoNil(v.Type().Elem()) {
		return v, false
	}
	var full reflect.Value
	for entry := v.MapRange(); entry.Next(); {
		elem, changed := filled(entry.Value(), depth+1)
		if !changed {
			continue
		}
		if !full.IsValid() {
			full = reflect.MakeMap(v.Type())
		}
		full.SetMapIndex(entry.Key(), elem)
	}
	if !full.IsValid() {
		return v, false
	}
	for entry := v.MapRange(); entry.Next(); {
		if !full.MapIndex(entry.Key()).IsValid() {
			full.SetMapIndex(entry.Key(), entry.Value())
		}
	}
	return full, true
}

// fillFields fills the struct that full makes of v. Unexported embedded structs are filled
// in their place, because they cannot be set as a whole.
func fillFields(v reflect.Value, full func() reflect.Value, depth int) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if !f.IsExported() {
			if f.Anonymous && f.Type.Kind() == reflect.Struct {
				fillFields(v.Field(i), func() reflect.Value { return full().Field(i) }, depth)
			}
			continue
		}
		if leftOut(v.Field(i), f.Tag.Get("json")) {
			continue
		}
		if field, changed := filled(v.Field(i), depth+1); changed {
			full().Field(i).Set(field)
		}
	}
}

// leftOut says whether a field is not printed as it is: it must not become printed by
// being filled. (omitempty leaves out what is empty as well as what is nil.)
func leftOut(v reflect.Value, tag string) bool {
	if tag == "-" {
		return true
	}
	_, options, _ := strings.Cut(tag, ",")
	if !slices.Contains(strings.Split(options, ","), "omitzero") {
		return false
	}
	own := reflect.New(v.Type()) // has the methods of pointers, too
	own.Elem().Set(v)
	if v.Kind() == reflect.Pointer {
		own = v
	}
	if z, ok := own.Interface().(interface{ IsZero() bool }); ok && !own.IsNil() {
		return z.IsZero()
	}
	return v.IsZero()
}
