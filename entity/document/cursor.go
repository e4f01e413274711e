package document

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// cursor walks once over a JSON text whose syntax was checked.
type cursor struct {
	text []byte
	at   int
}

// peek is the byte that the next value begins with, or that ends what it would be in.
func (c *cursor) peek() byte {
	for c.at < len(c.text) {
		switch b := c.text[c.at]; b {
		case ' ', '\t', '\r', '\n':
			c.at++
		default:
			return b
		}
	}
	return 0
}

// open steps into the object or array that comes next. Each part of it follows a next
// that is true.
func (c *cursor) open() {
	c.peek()
	c.at++
}

// next steps to the next part of an object or array, or out of it.
func (c *cursor) next() bool {
	switch c.peek() {
	case ',':
		c.at++
		c.peek()
	case '}', ']', 0:
		c.at++
		return false
	}
	return true
}

// name reads the name of a member, and steps to its value.
func (c *cursor) name() []byte {
	name := unquoted(c.skip())
	c.peek()
	c.at++ // the colon
	return name
}

// skip steps over one value, and returns its text.
func (c *cursor) skip() []byte {
	c.peek()
	start, open := c.at, 0
	for c.at < len(c.text) {
		switch b := c.text[c.at]; b {
		case '"':
			c.skipString()
		case '{', '[':
			open++
			c.at++
		case '}', ']':
			open--
			c.at++
		case ',', ':', ' ', '\t', '\r', '\n': // only reached within an object or array
			c.at++
		default:
			c.skipWord()
		}
		if open == 0 {
			break
		}
	}
	return c.text[start:c.at]
}

func (c *cursor) skipString() {
	for c.at++; c.at < len(c.text); c.at++ {
		switch c.text[c.at] {
		case '\\':
			c.at++
		case '"':
			c.at++
			return
		}
	}
}

// skipWord steps over a number, true, false or null.
func (c *cursor) skipWord() {
	for ; c.at < len(c.text); c.at++ {
		switch c.text[c.at] {
		case ',', ':', '}', ']', ' ', '\t', '\r', '\n':
			return
		}
	}
}

// unquoted is what a JSON string holds.
func unquoted(text []byte) []byte {
	if inner := text[1 : len(text)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner
	}
	var s string
	_ = json.Unmarshal(text, &s) // its syntax was checked
	return []byte(s)
}
