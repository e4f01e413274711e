package sqlfilter

import (
	"fmt"
	"unicode/utf8"

	"github.com/google/uuid"
)

// alike is LIKE: % stands for any text, _ for one character, and what follows the
// escape character for itself.
type alike struct {
	of, pattern node
	escape      node // nil: none
}

func (alike) predicate() bool { return true }

func (a alike) eval(m Message) (any, error) {
	of, pattern, err := both(m, a.of, a.pattern)
	if err != nil {
		return nil, err
	}
	s, isText := textOf(of)
	p, isPattern := pattern.(string)
	if !isText || !isPattern {
		return nil, nil
	}
	var escape rune
	if a.escape != nil {
		v, err := a.escape.eval(m)
		if err != nil || v == nil {
			return nil, err
		}
		var one bool
		if escape, one = character(v); !one {
			return nil, fmt.Errorf("ESCAPE %v: %w", v, ErrOperand)
		}
	}
	return match([]rune(s), compile(p, escape)), nil
}

// character is the one of a text of one character.
func character(v any) (rune, bool) {
	s, _ := v.(string)
	r, n := utf8.DecodeRuneInString(s)
	return r, n > 0 && n == len(s)
}

// textOf is a text, or an id as one.
func textOf(v any) (string, bool) {
	if id, ok := v.(uuid.UUID); ok {
		return id.String(), true
	}
	s, ok := v.(string)
	return s, ok
}

// rules of one place in a pattern; every other value is the character itself.
const (
	anyText = -1
	anyOne  = -2
)

// compile reads a pattern; 0 is no escape character.
func compile(pattern string, escape rune) []rune {
	var out []rune
	escaped := false
	for _, r := range pattern {
		switch {
		case escaped:
			out, escaped = append(out, r), false
		case escape != 0 && r == escape:
			escaped = true
		case r == '%':
			out = append(out, anyText)
		case r == '_':
			out = append(out, anyOne)
		default:
			out = append(out, r)
		}
	}
	return out
}

// match goes back to the last % only, so it takes no more than len(s) × len(p) steps.
func match(s, p []rune) bool {
	i, j, star, from := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case j < len(p) && p[j] == anyText:
			star, from = j, i
			j++
		case j < len(p) && (p[j] == anyOne || p[j] == s[i]):
			i, j = i+1, j+1
		case star >= 0:
			from++
			i, j = from, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == anyText {
		j++
	}
	return j == len(p)
}
