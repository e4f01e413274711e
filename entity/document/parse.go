package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// value is a part of a JSON text whose syntax was checked.
type value struct {
	doc []byte
	at  int // where raw begins in doc
	raw json.RawMessage
}

// parse checks that data is one JSON document (RFC 8259) and Unicode throughout.
// encoding/json would replace what is not by U+FFFD, and store what nobody sent.
func parse(data []byte) (value, error) {
	if at := invalidUTF8(data); at >= 0 {
		return value{}, &SyntaxError{positionOf(data, at), "invalid UTF-8"}
	}
	if !json.Valid(data) {
		var nothing json.RawMessage
		return value{}, syntaxError(data, json.Unmarshal(data, &nothing)) // says where
	}
	if at := loneSurrogate(data); at >= 0 {
		return value{}, &SyntaxError{positionOf(data, at), "half of a surrogate pair"}
	}
	lead := len(data) - len(bytes.TrimLeft(data, " \t\r\n"))
	return value{doc: data, at: lead, raw: data[lead:]}, nil
}

// kind names the JSON type with its article.
func (v value) kind() string { return kindOf(v.raw[0]) }

// kindOf is the kind of the value that begins with b.
func kindOf(b byte) string {
	switch b {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// members splits the object at path. It refuses a name that is there twice and, unless known is
// nil, one that is not known.
func (v value) members(known []string, path string) (map[string]value, error) {
	found := map[string]value{}
	c := cursor{text: v.raw}
	for c.open(); c.next(); {
		at := v.at + c.at
		name := string(c.name())
		if _, twice := found[name]; twice {
			return nil, &DuplicateFieldError{positionOf(v.doc, at), join(path, Clip(name))}
		}
		if known != nil && !slices.Contains(known, name) {
			return nil, unknownField(positionOf(v.doc, at), path, name, known)
		}
		found[name] = v.part(&c)
	}
	return found, nil
}

// elements splits an array.
func (v value) elements() []value {
	var found []value
	c := cursor{text: v.raw}
	for c.open(); c.next(); {
		found = append(found, v.part(&c))
	}
	return found
}

// part is the value that c, which walks over v, comes to.
func (v value) part(c *cursor) value {
	raw := c.skip()
	return value{doc: v.doc, at: v.at + c.at - len(raw), raw: raw}
}

func unknownField(at Position, path, name string, known []string) error {
	e := &UnknownFieldError{Position: at, Field: join(path, Clip(name))}
	if i := slices.IndexFunc(known, func(k string) bool { return strings.EqualFold(k, name) }); i >= 0 {
		e.Meant = join(path, known[i])
	}
	return e
}

// syntaxError translates encoding/json's: its Offset counts the bytes read, so the
// one that did not fit is before it, unless the text merely ended.
func syntaxError(data []byte, err error) error {
	syntax, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return &SyntaxError{positionOf(data, 0), err.Error()}
	}
	at := int(syntax.Offset)
	if !strings.HasPrefix(syntax.Error(), "unexpected end") {
		at--
	}
	return &SyntaxError{positionOf(data, at), syntax.Error()}
}

func positionOf(data []byte, offset int) Position {
	before := data[:min(max(offset, 0), len(data))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return Position{
		Offset: len(before),
		Line:   1 + bytes.Count(before, []byte("\n")),
		Column: 1 + utf8.RuneCount(before[start:]),
	}
}

func invalidUTF8(data []byte) int {
	for at := 0; at < len(data); {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return -1
}

// loneSurrogate finds an escape that is half of a pair and so no character
// (RFC 8259 §8.2). data is valid JSON: backslashes stand in strings only.
func loneSurrogate(data []byte) int {
	for at := 0; at < len(data); at++ {
		if data[at] != '\\' {
			continue
		}
		switch r := escaped(data[at:]); {
		case !utf16.IsSurrogate(r):
			at++
		case utf16.DecodeRune(r, escaped(data[at+6:])) == utf8.RuneError:
			return at
		default:
			at += 11
		}
	}
	return -1
}

// escaped is the code unit of the \uXXXX that text begins with, 0 when it does not.
func escaped(text []byte) rune {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	r, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(r)
}

// Clip keeps a client's text short enough to be quoted in an error.
func Clip(s string) string {
	const most = 64
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
