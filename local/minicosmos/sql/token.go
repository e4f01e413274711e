package sql

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tokenKind classifies a token.
type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenIdent
	tokenKeyword // text is upper case, or the literal for true, false, null, undefined
	tokenNumber
	tokenString // text is unescaped
	tokenParam  // text starts with @
	tokenPunct
)

type token struct {
	kind       tokenKind
	text       string
	num        float64
	start, end int
}

// keywords in any case; identifiers cannot be spelled like them. FIRST, LAST and ALL are
// words of the grammar only before a subquery (see subqueries).
var keywords = map[string]bool{
	"AND": true, "ARRAY": true, "AS": true, "ASC": true, "BETWEEN": true, "BY": true, "DESC": true,
	"DISTINCT": true, "ESCAPE": true, "EXISTS": true, "FROM": true, "GROUP": true, "IN": true, "JOIN": true,
	"LEFT": true, "LIKE": true, "LIMIT": true, "NOT": true, "OFFSET": true, "OR": true, "ORDER": true,
	"RIGHT": true, "SELECT": true, "TOP": true, "UDF": true, "VALUE": true, "WHERE": true,
}

// constants are keywords in lower case only; TRUE is an identifier.
var constants = map[string]bool{"true": true, "false": true, "null": true, "undefined": true}

// operators, longest first.
var operators = []string{">>>", "<<", ">>", "??", "||", "!=", "<>", "<=", ">=", "=", "<", ">", "+", "-", "*", "/", "%", "&", "|", "^", "~",
	"?", ":", ",", ".", "(", ")", "[", "]", "{", "}"}

// tokenize cuts a query into tokens, ended by one of kind tokenEnd.
func tokenize(text string) ([]token, error) {
	if !utf8.ValidString(text) {
		return nil, &SyntaxError{Start: invalidAt(text), End: len(text), Code: codeSyntax, Msg: "Syntax error, invalid UTF-8."}
	}
	var tokens []token
	for i := 0; i < len(text); {
		if end := blankEnd(text, i); end > i {
			i = end
			continue
		}
		t, err := scan(text, i)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		i = t.end
	}
	return append(tokens, token{start: len(text), end: len(text)}), nil
}

// blankEnd is the end of one space or of a comment, which runs to the end of its line.
func blankEnd(text string, i int) int {
	if r, size := utf8.DecodeRuneInString(text[i:]); unicode.IsSpace(r) {
		return i + size
	}
	if !strings.HasPrefix(text[i:], "--") {
		return i
	}
	if line := strings.IndexAny(text[i:], "\r\n"); line >= 0 {
		return i + line
	}
	return len(text)
}

func scan(text string, i int) (token, error) {
	c := text[i]
	r, _ := utf8.DecodeRuneInString(text[i:])
	switch {
	case c == '\'' || c == '"':
		return scanString(text, i)
	case c == '@':
		end := wordEnd(text, i+1)
		if end == i+1 || text[i+1] >= '0' && text[i+1] <= '9' {
			return token{}, near(text, i, end)
		}
		return token{kind: tokenParam, text: text[i:end], start: i, end: end}, nil
	case isDigit(text, i) || c == '.' && isDigit(text, i+1):
		return scanNumber(text, i)
	case r == '_' || unicode.IsLetter(r):
		return word(text, i, wordEnd(text, i)), nil
	}
	for _, op := range operators {
		if strings.HasPrefix(text[i:], op) {
			return token{kind: tokenPunct, text: op, start: i, end: i + len(op)}, nil
		}
	}
	return token{}, near(text, i, i+utf8.RuneLen(r))
}

func word(text string, i, end int) token {
	t := token{kind: tokenIdent, text: text[i:end], start: i, end: end}
	if upper := strings.ToUpper(t.text); keywords[upper] {
		t.kind, t.text = tokenKeyword, upper
	} else if constants[t.text] {
		t.kind = tokenKeyword
	}
	return t
}

func wordEnd(text string, i int) int {
	for i < len(text) {
		r, size := utf8.DecodeRuneInString(text[i:])
		if r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			break
		}
		i += size
	}
	return i
}

func isDigit(text string, i int) bool { return i < len(text) && text[i] >= '0' && text[i] <= '9' }

func digitsEnd(text string, i int) int {
	for isDigit(text, i) {
		i++
	}
	return i
}

func scanNumber(text string, start int) (token, error) {
	i := digitsEnd(text, start)
	if i < len(text) && text[i] == '.' {
		i = digitsEnd(text, i+1)
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		j := i + 1
		if j < len(text) && (text[j] == '+' || text[j] == '-') {
			j++
		}
		if isDigit(text, j) {
			i = digitsEnd(text, j)
		}
	}
	f, err := strconv.ParseFloat(text[start:i], 64)
	if end := wordEnd(text, i); err != nil || end > i { // 1e, 0x1F
		return token{}, near(text, start, end)
	}
	return token{kind: tokenNumber, text: text[start:i], num: f, start: start, end: i}, nil
}

func scanString(text string, start int) (token, error) {
	quote := text[start]
	var b strings.Builder
	for i := start + 1; i < len(text); {
		switch c := text[i]; c {
		case quote:
			return token{kind: tokenString, text: b.String(), start: start, end: i + 1}, nil
		case '\\':
			r, size, err := unescape(text[i:], `'"`)
			if err != nil {
				return token{}, near(text, i, min(i+2, len(text)))
			}
			b.WriteRune(r)
			i += size
		default:
			b.WriteByte(c)
			i++
		}
	}
	return token{}, near(text, start, len(text))
}

// near is the error for text that does not belong where it stands.
func near(text string, start, end int) error {
	if start >= len(text) {
		return &SyntaxError{Start: len(text), End: len(text), Code: codeSyntax, Msg: "Syntax error, unexpected end of the query."}
	}
	shown, dots := text[start:min(end, len(text))], ""
	if len(shown) > 40 {
		shown, dots = shown[:40], "…"
	}
	shown = strings.ToValidUTF8(shown, "") + dots // neither cut is at a character's end
	return &SyntaxError{Start: start, End: end, Code: codeSyntax, Msg: fmt.Sprintf("Syntax error, incorrect syntax near '%s'.", shown)}
}
