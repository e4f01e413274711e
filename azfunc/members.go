package azfunc

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// members calls visit with each member of a JSON object, name and value as they are written.
// The text must be valid: then its structure is in a few bytes, and nothing else is looked at.
func members(object []byte, visit func(name, value []byte)) {
	for i := nextOf(object, 1, `"}`); object[i] == '"'; i = nextOf(object, i, `"}`) {
		end := stringEnd(object, i)
		name := object[i:end]
		i = nextOf(object, end, ":") + 1
		for isSpace(object[i]) {
			i++
		}
		end = valueEnd(object, i)
		visit(name, object[i:end])
		i = end
	}
}

func nextOf(text []byte, i int, any string) int { return i + bytes.IndexAny(text[i:], any) }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// stringEnd is behind the string that begins at i.
func stringEnd(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// valueEnd is behind the value that begins at i.
func valueEnd(text []byte, i int) int {
	if text[i] == '"' {
		return stringEnd(text, i)
	}
	for depth := 0; ; i++ {
		switch c := text[i]; {
		case c == '"':
			i = stringEnd(text, i) - 1
		case c == '{' || c == '[':
			depth++
		case depth == 0 && (c == ',' || c == '}' || isSpace(c)):
			return i
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
}

// literal is the text of a valid JSON string.
func literal(quoted []byte) string {
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner)
	}
	var s string
	_ = json.Unmarshal(quoted, &s) // it is valid
	return s
}
