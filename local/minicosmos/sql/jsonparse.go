package sql

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth is how deeply a document may nest (the service's limit).
const MaxDepth = 128

// JSONError tells what is wrong with a JSON text, and where.
type JSONError struct {
	Offset int // in bytes
	Msg    string
}

// Error is the fault and its place.
func (e *JSONError) Error() string { return fmt.Sprintf("%s at byte %d", e.Msg, e.Offset) }

// ParseJSON reads exactly one JSON value (RFC 8259). It refuses invalid UTF-8 and
// nesting beyond MaxDepth; of properties with the same name the last one counts.
// The error is a *JSONError.
func ParseJSON(text []byte) (Value, error) {
	p := parsers.Get().(*jsonParser)
	defer p.release()
	p.s = string(text)
	if !utf8.ValidString(p.s) {
		return Value{}, &JSONError{Offset: invalidAt(p.s), Msg: "invalid UTF-8"}
	}
	v, err := p.value(0)
	if err != nil {
		return Value{}, err
	}
	p.space()
	if p.i < len(p.s) {
		return Value{}, p.fail("unexpected text after the value")
	}
	return v, nil
}

func invalidAt(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				return i
			}
		}
	}
	return len(s)
}

// jsonParser collects the members of what is open on stacks and copies them out when it closes: each slice of a value
// is made once, in its size.
type jsonParser struct {
	s     string
	i     int
	names []string
	items []Value
	odd   int // places where AppendJSON would write another text
}

var parsers = sync.Pool{New: func() any { return new(jsonParser) }}

// maxStack bounds the stacks that are kept for the next text.
const maxStack = 256

func (p *jsonParser) release() {
	if cap(p.names) > maxStack || cap(p.items) > maxStack {
		return
	}
	clear(p.names) // a text that failed has left some
	clear(p.items)
	*p = jsonParser{names: p.names[:0], items: p.items[:0]}
	parsers.Put(p)
}

func (p *jsonParser) fail(format string, args ...any) error {
	return &JSONError{Offset: p.i, Msg: fmt.Sprintf(format, args...)}
}

func (p *jsonParser) space() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
			p.odd++
		default:
			return
		}
	}
}

// next skips white space and returns the byte there, 0 at the end.
func (p *jsonParser) next() byte {
	p.space()
	if p.i == len(p.s) {
		return 0
	}
	return p.s[p.i]
}

func (p *jsonParser) value(depth int) (Value, error) {
	if depth > MaxDepth {
		return Value{}, p.fail("nested more than %d levels deep", MaxDepth)
	}
	switch c := p.next(); {
	case c == '{':
		return p.object(depth)
	case c == '[':
		return p.array(depth)
	case c == '"':
		s, err := p.str()
		return StringOf(s), err
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		return p.word("true", BoolOf(true))
	case c == 'f':
		return p.word("false", BoolOf(false))
	case c == 'n':
		return p.word("null", nullValue)
	case p.i == len(p.s):
		return Value{}, p.fail("unexpected end")
	}
	return Value{}, p.fail("unexpected %q", firstRune(p.s[p.i:]))
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

func (p *jsonParser) word(w string, v Value) (Value, error) {
	if !strings.HasPrefix(p.s[p.i:], w) {
		return Value{}, p.fail("unexpected %q", firstRune(p.s[p.i:]))
	}
	p.i += len(w)
	return v, nil
}

func (p *jsonParser) array(depth int) (Value, error) {
	start, odd, first := p.i, p.odd, len(p.items)
	p.i++
	more := p.next() != ']'
	if !more {
		p.i++
	}
	for more {
		item, err := p.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		p.items = append(p.items, item)
		if more, err = p.comma(']'); err != nil {
			return Value{}, err
		}
	}
	v := ArrayOf(p.popItems(first))
	v.str = p.text(start, odd)
	return v, nil
}

// popItems takes what is on the stack from first on.
func (p *jsonParser) popItems(first int) []Value {
	items := make([]Value, len(p.items)-first)
	copy(items, p.items[first:])
	clear(p.items[first:])
	p.items = p.items[:first]
	return items
}

func (p *jsonParser) popNames(first int) []string {
	names := make([]string, len(p.names)-first)
	copy(names, p.names[first:])
	clear(p.names[first:])
	p.names = p.names[:first]
	return names
}

// text is what was read since start, if that is what AppendJSON would write.
func (p *jsonParser) text(start, odd int) string {
	if p.odd != odd {
		return ""
	}
	return p.s[start:p.i]
}

// comma reads what follows an element: a comma, or the closing byte.
func (p *jsonParser) comma(closing byte) (more bool, err error) {
	switch c := p.next(); c {
	case ',':
		p.i++
		return true, nil
	case closing:
		p.i++
		return false, nil
	}
	return false, p.fail("expected ',' or %q", closing)
}

// indexedWidth is the number of properties from which an object under construction
// keeps a map of its names, so that a hostile one is not quadratic.
const indexedWidth = 24

func (p *jsonParser) object(depth int) (Value, error) {
	start, odd := p.i, p.odd
	o := openObject{p: p, names: len(p.names), items: len(p.items)}
	p.i++
	more := p.next() != '}'
	if !more {
		p.i++
	}
	for more {
		name, err := p.name()
		if err != nil {
			return Value{}, err
		}
		item, err := p.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		o.set(name, item)
		if more, err = p.comma('}'); err != nil {
			return Value{}, err
		}
	}
	v := ObjectOf(p.popNames(o.names), p.popItems(o.items))
	v.str = p.text(start, odd)
	return v, nil
}

// name reads a property's name and the colon behind it.
func (p *jsonParser) name() (string, error) {
	if p.next() != '"' {
		return "", p.fail("expected a property name")
	}
	name, err := p.str()
	if err != nil {
		return "", err
	}
	if p.next() != ':' {
		return "", p.fail("expected ':'")
	}
	p.i++
	return name, nil
}

// openObject is an object whose end is not read: its properties are the parser's last.
type openObject struct {
	p            *jsonParser
	names, items int // where they begin
	index        map[string]int
}

func (o *openObject) set(name string, item Value) {
	p := o.p
	n := len(p.names) - o.names
	if o.index == nil && n >= indexedWidth {
		o.index = make(map[string]int, 2*indexedWidth)
		for i, name := range p.names[o.names:] {
			o.index[name] = i
		}
	}
	if i := o.find(name); i >= 0 {
		p.items[o.items+i] = item
		p.odd++
		return
	}
	p.names, p.items = append(p.names, name), append(p.items, item)
	if o.index != nil {
		o.index[name] = n
	}
}

func (o *openObject) find(name string) int {
	if o.index == nil {
		return slices.Index(o.p.names[o.names:], name)
	}
	if i, ok := o.index[name]; ok {
		return i
	}
	return -1
}

// objectBuilder collects properties; a later one of the same name replaces the earlier.
type objectBuilder struct {
	names []string
	items []Value
	index map[string]int
}

func (b *objectBuilder) set(name string, item Value) {
	if i := b.find(name); i >= 0 {
		b.items[i] = item
		return
	}
	b.names = append(b.names, name)
	b.items = append(b.items, item)
	if b.index != nil {
		b.index[name] = len(b.names) - 1
	} else if len(b.names) == indexedWidth {
		b.index = make(map[string]int, 2*indexedWidth)
		for i, n := range b.names {
			b.index[n] = i
		}
	}
}

func (b *objectBuilder) find(name string) int {
	if b.index != nil {
		if i, ok := b.index[name]; ok {
			return i
		}
		return -1
	}
	for i, n := range b.names {
		if n == name {
			return i
		}
	}
	return -1
}

func (b *objectBuilder) value() Value {
	if b.names == nil {
		return ObjectOf([]string{}, []Value{})
	}
	return ObjectOf(b.names, b.items)
}

func (p *jsonParser) number() (Value, error) {
	start := p.i
	if p.s[p.i] == '-' {
		p.i++
	}
	switch {
	case p.i < len(p.s) && p.s[p.i] == '0':
		p.i++
	case !p.digits():
		return Value{}, p.fail("expected a digit")
	}
	if p.i < len(p.s) && p.s[p.i] == '.' {
		p.i++
		if !p.digits() {
			return Value{}, p.fail("expected a digit after the point")
		}
	}
	if p.i < len(p.s) && (p.s[p.i] == 'e' || p.s[p.i] == 'E') {
		p.i++
		if p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if !p.digits() {
			return Value{}, p.fail("expected a digit in the exponent")
		}
	}
	literal := p.s[start:p.i]
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		p.i = start
		return Value{}, p.fail("number out of range")
	}
	return Value{kind: Number, num: f, str: literal}, nil
}

func (p *jsonParser) digits() bool {
	start := p.i
	for p.i < len(p.s) && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		p.i++
	}
	return p.i > start
}

// str reads a string whose opening quote is at p.i.
func (p *jsonParser) str() (string, error) {
	p.i++
	start := p.i
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return p.s[start : p.i-1], nil
		case c == '\\':
			return p.escaped(start)
		case c < 0x20:
			return "", p.fail("control character in a string")
		}
		p.i++
	}
	return "", p.fail("unterminated string")
}

// escaped finishes a string in which the first backslash is at p.i.
func (p *jsonParser) escaped(start int) (string, error) {
	var b strings.Builder
	b.WriteString(p.s[start:p.i])
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return b.String(), nil
		case c == '\\':
			r, size, err := unescape(p.s[p.i:], `"`)
			if err != nil {
				return "", p.fail("%v", err)
			}
			if strings.IndexByte(`"\nrt`, p.s[p.i+1]) < 0 {
				p.odd++
			}
			p.i += size
			b.WriteRune(r)
			continue
		case c < 0x20:
			return "", p.fail("control character in a string")
		}
		b.WriteByte(p.s[p.i])
		p.i++
	}
	return "", p.fail("unterminated string")
}

var (
	errUnknownEscape   = errors.New("unknown escape sequence")
	errTruncatedEscape = errors.New("incomplete escape sequence")
)

// unescape reads the escape sequence at the start of s: JSON's, with the given quotes.
// A surrogate without its partner becomes U+FFFD.
func unescape(s, quotes string) (r rune, size int, err error) {
	if len(s) < 2 {
		return 0, 0, errTruncatedEscape
	}
	switch c := s[1]; {
	case c == '\\' || c == '/' || strings.IndexByte(quotes, c) >= 0:
		return rune(c), 2, nil
	case c == 'u':
		return unescapeUnicode(s)
	}
	i := strings.IndexByte("bfnrt", s[1])
	if i < 0 {
		return 0, 0, errUnknownEscape
	}
	return rune("\b\f\n\r\t"[i]), 2, nil
}

func unescapeUnicode(s string) (rune, int, error) {
	r, err := hex4(s[2:])
	if err != nil {
		return 0, 0, err
	}
	if !utf16.IsSurrogate(r) {
		return r, 6, nil
	}
	if strings.HasPrefix(s[6:], `\u`) {
		low, err := hex4(s[8:])
		if err != nil {
			return 0, 0, err
		}
		if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
			return full, 12, nil
		}
	}
	return utf8.RuneError, 6, nil
}

func hex4(s string) (rune, error) {
	if len(s) < 4 {
		return 0, errTruncatedEscape
	}
	n, err := strconv.ParseUint(s[:4], 16, 32)
	if err != nil {
		return 0, errUnknownEscape
	}
	return rune(n), nil
}
