package sqlfilter

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind int

const (
	end     kind = iota
	word         // a bare name or keyword
	quoted       // a name in brackets or double quotes
	text         // a text constant
	whole        // int64
	decimal      // float64
	param        // @name
	sign         // an operator or punctuation
)

type token struct {
	kind  kind
	text  string // of a name, a text, a sign
	int   int64
	float float64
	least bool // whole: 2^63, which is a number with a minus only
	at    int
}

// is says whether the token is this keyword or sign.
func (t token) is(s string) bool {
	return t.kind == sign && t.text == s || t.kind == word && strings.EqualFold(t.text, s)
}

var signs = []string{"<>", "!=", ">=", "<=", "=", ">", "<", "+", "-", "*", "/", "%", "(", ")", ",", ".", ";"}

// lex takes a text apart. The last token is end.
func lex(s string) ([]token, error) {
	var all []token
	for at := 0; ; {
		for at < len(s) {
			r, n := utf8.DecodeRuneInString(s[at:])
			if !unicode.IsSpace(r) {
				break
			}
			at += n
		}
		if at == len(s) {
			return append(all, token{kind: end, at: at}), nil
		}
		t, n, err := next(s[at:])
		if err != "" {
			return nil, &SyntaxError{at, err}
		}
		t.at = at
		all = append(all, t)
		at += n
	}
}

// next reads the token that s begins with and tells its length, or what is wrong.
func next(s string) (token, int, string) {
	r, _ := utf8.DecodeRuneInString(s)
	switch {
	case r == '\'':
		body, n, ok := until(s, '\'')
		return token{kind: text, text: body}, n, unless(ok, "the text constant has no closing quote")
	case r == '"':
		body, n, ok := until(s, '"')
		return token{kind: quoted, text: body}, n, unless(ok && body != "", "the quoted name is empty or has no closing quote")
	case r == '[':
		body, n, ok := until(s, ']')
		return token{kind: quoted, text: body}, n, unless(ok && body != "", "the bracketed name is empty or has no closing bracket")
	case r == '@':
		n := 1 + nameLength(s[1:])
		return token{kind: param, text: s[:n]}, n, unless(n > 1, "@ is not followed by a parameter's name")
	case unicode.IsLetter(r) || r == '_':
		n := nameLength(s)
		return token{kind: word, text: s[:n]}, n, ""
	case r >= '0' && r <= '9', r == '.' && len(s) > 1 && s[1] >= '0' && s[1] <= '9':
		return number(s)
	}
	for _, one := range signs {
		if strings.HasPrefix(s, one) {
			return token{kind: sign, text: one}, len(one), ""
		}
	}
	return token{}, 0, "unexpected " + strconv.QuoteRune(r)
}

func unless(ok bool, reason string) string {
	if ok {
		return ""
	}
	return reason
}

// until reads what stands between s[0] and the closing mark, which stands for itself
// when it is doubled.
func until(s string, mark byte) (body string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != mark {
			b.WriteByte(s[i])
			continue
		}
		if i+1 == len(s) || s[i+1] != mark {
			return b.String(), i + 1, true
		}
		b.WriteByte(mark)
		i++
	}
	return "", 0, false
}

func nameLength(s string) int {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			return i
		}
	}
	return len(s)
}

// number reads an integer constant, or a decimal one with a point or an exponent.
func number(s string) (token, int, string) {
	n := digits(s)
	isWhole := true
	if n < len(s) && s[n] == '.' {
		isWhole = false
		n += 1 + digits(s[n+1:])
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		e := n + 1
		if e < len(s) && (s[e] == '+' || s[e] == '-') {
			e++
		}
		if d := digits(s[e:]); d > 0 {
			isWhole, n = false, e+d
		}
	}
	if n < len(s) && nameLength(s[n:]) > 0 {
		return token{}, 0, "a number runs into a name"
	}
	if isWhole {
		if u, err := strconv.ParseUint(s[:n], 10, 64); err == nil && u == 1<<63 {
			return token{kind: whole, least: true}, n, ""
		}
		i, err := strconv.ParseInt(s[:n], 10, 64)
		return token{kind: whole, int: i}, n, unless(err == nil, "the number does not fit into 64 bits")
	}
	f, err := strconv.ParseFloat(s[:n], 64)
	return token{kind: decimal, float: f}, n, unless(err == nil, "the number is out of range")
}

func digits(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}
