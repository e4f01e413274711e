package sql

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// AppendJSON appends the value as compact JSON. Numbers keep the literal they came
// with, so that what was stored is what is read. Undefined appends nothing.
func (v Value) AppendJSON(dst []byte) []byte {
	if v.str != "" && v.kind != String {
		return append(dst, v.str...)
	}
	switch v.kind {
	case Null:
		return append(dst, "null"...)
	case Bool:
		return strconv.AppendBool(dst, v.num != 0)
	case Number:
		return appendNumber(dst, v.num)
	case String:
		return AppendString(dst, v.str)
	case Array:
		return v.appendArray(dst, Value.AppendJSON)
	case Object:
		return v.appendObject(dst)
	}
	return dst
}

// String returns the value as JSON, and "undefined" for undefined.
func (v Value) String() string {
	if !v.IsDefined() {
		return "undefined"
	}
	return string(v.AppendJSON(nil))
}

func (v Value) appendArray(dst []byte, element func(Value, []byte) []byte) []byte {
	dst = append(dst, '[')
	for i, item := range v.items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = element(item, dst)
	}
	return append(dst, ']')
}

func (v Value) appendObject(dst []byte) []byte {
	dst = append(dst, '{')
	for i, name := range v.names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, name), ':')
		dst = v.items[i].AppendJSON(dst)
	}
	return append(dst, '}')
}

// appendCanonical appends a form that equal values share: numbers in one spelling,
// properties in order of name.
func (v Value) appendCanonical(dst []byte) []byte {
	switch v.kind {
	case Undefined:
		return append(dst, 'u')
	case Number:
		return appendNumber(dst, v.num)
	case Array:
		return v.appendArray(dst, Value.appendCanonical)
	case Object:
		return v.appendCanonicalObject(dst)
	}
	return v.AppendJSON(dst)
}

func (v Value) appendCanonicalObject(dst []byte) []byte {
	order := make([]int, len(v.names))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(v.names[a], v.names[b]) })
	dst = append(dst, '{')
	for _, i := range order {
		dst = append(AppendString(dst, v.names[i]), ':')
		dst = append(v.items[i].appendCanonical(dst), ',')
	}
	return append(dst, '}')
}

// appendNumber appends the shortest digits that are the number again, with an exponent
// only where ECMAScript writes one. NaN and the infinities, which JSON does not have, are
// strings, as the SDKs' writers make them.
func appendNumber(dst []byte, f float64) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	case f == 0:
		return append(dst, '0')
	case math.Abs(f) < 1e-6 || math.Abs(f) >= 1e21:
		return strconv.AppendFloat(dst, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, 64)
}

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string, escaping only what JSON demands.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + size
			}
			i += size
			continue
		}
		if c >= 0x20 && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = appendEscape(append(dst, s[start:i]...), c)
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
