package sql

import (
	"slices"
	"strings"
	"unicode"
)

// str makes a function of one string.
func str(f func(string) Value) *function {
	return fixed(1, func(a []Value) Value {
		if a[0].kind != String {
			return Value{}
		}
		return f(a[0].str)
	})
}

func text(f func(string) string) *function {
	return str(func(s string) Value { return StringOf(f(s)) })
}

// search makes a check of two strings with an optional flag that ignores case.
func search(f func(s, part string) bool) *function {
	return &function{min: 2, max: 3, call: func(a []Value) Value {
		if a[0].kind != String || a[1].kind != String || len(a) > 2 && a[2].kind != Bool {
			return Value{}
		}
		s, part := a[0].str, a[1].str
		if len(a) > 2 && a[2].truth() {
			s, part = strings.ToLower(s), strings.ToLower(part)
		}
		return BoolOf(f(s, part))
	}}
}

var contains = search(strings.Contains)

func hasPart(s, part Value) Value { return contains.call([]Value{s, part}) }

// hasPartFold is of a text that is folded.
func hasPartFold(s, part Value) Value { return hasPart(s, folded(part)) }

func folded(v Value) Value {
	if v.kind != String {
		return v
	}
	return StringOf(strings.ToLower(v.str))
}

var stringFunctions = map[string]*function{
	"CONTAINS": contains, "STARTSWITH": search(strings.HasPrefix), "ENDSWITH": search(strings.HasSuffix),
	"STRINGEQUALS": search(func(a, b string) bool { return a == b }),
	"LOWER":        text(strings.ToLower), "UPPER": text(strings.ToUpper), "REVERSE": text(reverse),
	"LTRIM":   trim(strings.TrimLeftFunc),
	"RTRIM":   trim(strings.TrimRightFunc),
	"TRIM":    trim(strings.TrimFunc),
	"LENGTH":  str(func(s string) Value { return NumberOf(float64(length16(s))) }),
	"LEFT":    fixed(2, func(a []Value) Value { return substring(a[0], NumberOf(0), a[1]) }),
	"RIGHT":   fixed(2, right),
	"CONCAT":  {min: 2, max: -1, call: concat, size: concatSize},
	"REPLACE": {min: 3, max: 3, call: replace, size: replaceSize}, "REPLICATE": fixed(2, replicate),
	"SUBSTRING":       fixed(3, func(a []Value) Value { return substring(a[0], a[1], a[2]) }),
	"INDEX_OF":        {min: 2, max: 3, call: indexOf},
	"TOSTRING":        fixed(1, toString),
	"STRINGTOARRAY":   parsed(Array),
	"STRINGTOBOOLEAN": parsed(Bool),
	"STRINGTONULL":    parsed(Null),
	"STRINGTONUMBER":  parsed(Number),
	"STRINGTOOBJECT":  parsed(Object),
	"STRINGJOIN":      {min: 2, max: 2, call: stringJoin, size: joinSize},
	"STRINGSPLIT":     fixed(2, stringSplit),
	"REGEXMATCH":      {min: 2, max: 3, in: regexMatch},
	"REGEXEXTRACT":    {min: 2, max: 4, in: regexExtract},
	"REGEXEXTRACTALL": {min: 2, max: 4, in: regexExtractAll},
	"LASTINDEXOF":     {min: 2, max: 3, call: lastIndexOf},
	"CONTAINS_ALL_CI": containsEach(folded, hasPartFold, true), "CONTAINS_ALL_CS": containsEach(whole, hasPart, true),
	"CONTAINS_ANY_CI": containsEach(folded, hasPartFold, false), "CONTAINS_ANY_CS": containsEach(whole, hasPart, false),
	"SUBSTRINGBEFORE":     split(strings.Index, true),
	"SUBSTRINGAFTER":      split(strings.Index, false),
	"LASTSUBSTRINGBEFORE": split(strings.LastIndex, true),
	"LASTSUBSTRINGAFTER":  split(strings.LastIndex, false),
}

// length16 is the length in UTF-16 units, the service's idea of a character.
func length16(s string) int {
	n := 0
	for _, r := range s {
		if n++; r > 0xFFFF {
			n++
		}
	}
	return n
}

// offset is where the n-th UTF-16 unit of s starts; the middle of a pair counts as its end.
func offset(s string, n int) int {
	if n <= 0 {
		return 0
	}
	for i, r := range s {
		if n <= 0 {
			return i
		}
		if n--; r > 0xFFFF {
			n--
		}
	}
	return len(s)
}

func reverse(s string) string {
	runes := []rune(s)
	slices.Reverse(runes)
	return string(runes)
}

func trim(cut func(s string, what func(rune) bool) string) *function {
	return &function{min: 1, max: 2, call: func(a []Value) Value {
		switch {
		case a[0].kind != String || len(a) > 1 && a[1].kind != String:
			return Value{}
		case len(a) == 1:
			return StringOf(cut(a[0].str, unicode.IsSpace))
		}
		set := map[rune]bool{}
		for _, r := range a[1].str {
			set[r] = true
		}
		return StringOf(cut(a[0].str, func(r rune) bool { return set[r] }))
	}}
}

func substring(s, from, length Value) Value {
	start, ok1 := integer(from)
	n, ok2 := integer(length)
	if s.kind != String || !ok1 || !ok2 {
		return Value{}
	}
	i := offset(s.str, int(max(start, 0)))
	rest := s.str[i:]
	return StringOf(rest[:offset(rest, int(max(n, 0)))])
}

func right(a []Value) Value {
	n, ok := integer(a[1])
	if a[0].kind != String || !ok {
		return Value{}
	}
	return StringOf(a[0].str[offset(a[0].str, length16(a[0].str)-int(max(n, 0))):])
}

func concat(a []Value) Value {
	var b strings.Builder
	for _, v := range a {
		if v.kind != String {
			return Value{}
		}
		b.WriteString(v.str)
	}
	return StringOf(b.String())
}

func concatSize(a []Value) (n int) {
	for _, v := range a {
		if v.kind != String {
			return 0
		}
		n += len(v.str)
	}
	return n
}

func replace(a []Value) Value {
	if a[0].kind != String || a[1].kind != String || a[2].kind != String {
		return Value{}
	}
	if a[1].str == "" {
		return a[0]
	}
	return StringOf(strings.ReplaceAll(a[0].str, a[1].str, a[2].str))
}

// replaceSize is 0 where nothing grows: what is there already may have any size.
func replaceSize(a []Value) int {
	growth := len(a[2].str) - len(a[1].str)
	if growth <= 0 || concatSize(a) == 0 || a[1].str == "" {
		return 0
	}
	return len(a[0].str) + strings.Count(a[0].str, a[1].str)*growth
}

// maxReplicated is the documented limit of REPLICATE's result.
const maxReplicated = 10000

func replicate(a []Value) Value {
	n, ok := integer(a[1])
	if a[0].kind != String || !ok || n < 0 || n > maxReplicated || int(n)*len(a[0].str) > maxReplicated {
		return Value{}
	}
	return StringOf(strings.Repeat(a[0].str, int(n)))
}

func indexOf(a []Value) Value {
	if a[0].kind != String || a[1].kind != String {
		return Value{}
	}
	from := 0
	if len(a) > 2 {
		n, ok := integer(a[2])
		if !ok {
			return Value{}
		}
		from = offset(a[0].str, int(n))
	}
	i := strings.Index(a[0].str[from:], a[1].str)
	if i < 0 {
		return NumberOf(-1)
	}
	return NumberOf(float64(length16(a[0].str[:from+i])))
}

func toString(a []Value) Value {
	if !a[0].IsDefined() || a[0].kind == String {
		return a[0]
	}
	return StringOf(strings.Trim(a[0].String(), `"`)) // NaN and the infinities have quotes in JSON
}

// parsed makes a function that reads one type of JSON from a string.
func parsed(kind Kind) *function {
	return str(func(s string) Value {
		v, err := ParseJSON([]byte(s))
		if err != nil || v.kind != kind {
			return Value{}
		}
		v.str = ""
		return v
	})
}

func stringJoin(a []Value) Value {
	if a[0].kind != Array || a[1].kind != String {
		return Value{}
	}
	parts := make([]string, len(a[0].items))
	for i, v := range a[0].items {
		if v.kind != String {
			return Value{}
		}
		parts[i] = v.str
	}
	return StringOf(strings.Join(parts, a[1].str))
}

func joinSize(a []Value) int {
	if a[0].kind != Array || a[1].kind != String || len(a[0].items) == 0 {
		return 0
	}
	return concatSize(a[0].items) + (len(a[0].items)-1)*len(a[1].str)
}

func stringSplit(a []Value) Value {
	if a[0].kind != String || a[1].kind != String {
		return Value{}
	}
	parts := []string{a[0].str}
	if a[1].str != "" {
		parts = strings.Split(a[0].str, a[1].str)
	}
	items := make([]Value, len(parts))
	for i, p := range parts {
		items[i] = StringOf(p)
	}
	return ArrayOf(items)
}

// split makes a function of what stands before or after a delimiter. Without one, all
// stands before it.
func split(find func(s, delimiter string) int, before bool) *function {
	return fixed(2, func(a []Value) Value {
		if a[0].kind != String || a[1].kind != String {
			return Value{}
		}
		i := find(a[0].str, a[1].str)
		switch {
		case i < 0 && before:
			return a[0]
		case i < 0:
			return StringOf("")
		case before:
			return StringOf(a[0].str[:i])
		}
		return StringOf(a[0].str[i+len(a[1].str):])
	})
}

// lastIndexOf searches backwards, from the end or from a position.
func lastIndexOf(a []Value) Value {
	if a[0].kind != String || a[1].kind != String {
		return Value{}
	}
	s := a[0].str
	if len(a) > 2 {
		n, ok := integer(a[2])
		if !ok {
			return Value{}
		}
		s = s[:offset(s, int(min(n, int64(len(s))))+1)]
	}
	i := strings.LastIndex(s, a[1].str)
	if i < 0 {
		return NumberOf(-1)
	}
	return NumberOf(float64(length16(s[:i])))
}
