package sql

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxPattern  = 1000    // bytes of a regular expression
	maxPatterns = 64      // that a run keeps
	maxCompiled = 8 << 20 // bytes of those
	maxMatching = 1 << 26 // instructions of a pattern times bytes of a text: about a second
)

// pattern is a compiled regular expression; re is nil for an invalid one.
type pattern struct {
	re     *regexp.Regexp
	size   int // in instructions, each of which a match may try on each byte
	weight int // in bytes, about: a class of characters has thousands
}

// compile returns the expression for a pattern and its modifiers, nil if one of them is
// invalid. A pattern of the service's engine (PCRE) that Go's does not have ends the run.
func (e *env) compile(a []Value) *pattern {
	key := [2]string{}
	for i, v := range a {
		if v.kind != String {
			return nil
		}
		key[i] = v.str
	}
	p, known := e.patterns[key]
	if known {
		return p
	}
	if e.budget.failed != nil {
		return nil
	}
	p, err := compile(key[0], key[1])
	if err != nil {
		e.budget.fail(err)
	}
	if p != nil && e.budget.work(p.size/compiledPerStep) != nil {
		return nil
	}
	if e.patterns == nil {
		e.patterns = map[[2]string]*pattern{}
	}
	weight := 0
	if p != nil {
		weight = p.weight
	}
	if len(e.patterns) == maxPatterns || e.compiled+weight > maxCompiled {
		clear(e.patterns)
		e.compiled = 0
	}
	e.patterns[key] = p
	e.compiled += weight
	return p
}

// over tells whether the pattern can be looked for in a text; one that would take too long ends the run.
func (p *pattern) over(e *env, text Value) bool {
	if p == nil || text.kind != String {
		return false
	}
	if p.size > maxMatching/(len(text.str)+1) {
		e.budget.fail(fmt.Errorf("%w: it may take too long on a text of %d bytes", ErrPattern, len(text.str)))
	}
	return e.budget.work(1+p.size*len(text.str)/matchingPerStep) == nil
}

// compiledPerStep is how many instructions are made in the time of a row.
const compiledPerStep = 16

// matchingPerStep is how much of maxMatching takes as long as a row.
const matchingPerStep = 1 << 10

// foreign are the errors that Go's parser has for what another engine may understand:
// look-around, possessive and atomic groups, back-references, large repetitions.
var foreign = map[syntax.ErrorCode]bool{
	syntax.ErrInvalidPerlOp: true, syntax.ErrInvalidNamedCapture: true, syntax.ErrInvalidEscape: true,
	syntax.ErrInvalidRepeatOp: true, syntax.ErrInvalidRepeatSize: true, syntax.ErrLarge: true,
}

// compile returns nil for what is invalid in the service too.
func compile(text, modifiers string) (*pattern, error) {
	if strings.Trim(modifiers, "msix") != "" || len(text) > maxPattern {
		return nil, nil
	}
	if strings.Contains(modifiers, "x") {
		text = withoutBlanks(text)
	}
	if flags := strings.ReplaceAll(modifiers, "x", ""); flags != "" {
		text = "(?" + flags + ")" + text
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	var fault *syntax.Error
	if errors.As(err, &fault) && foreign[fault.Code] {
		return nil, fmt.Errorf("%w: %v", ErrPattern, err)
	}
	if err != nil {
		return nil, nil
	}
	program, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, nil
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, nil
	}
	return &pattern{re, len(program.Inst), programWeight(program)}, nil
}

// programWeight is about how many bytes a program holds.
func programWeight(p *syntax.Prog) int {
	n := 0
	for _, i := range p.Inst {
		n += 40 + 4*len(i.Rune)
	}
	return n
}

// withoutBlanks is what modifier x leaves of a pattern: blanks and comments go, except
// where they are escaped or stand in a class.
func withoutBlanks(text string) string {
	var b strings.Builder
	for text != "" {
		r, size := utf8.DecodeRuneInString(text)
		kept := true
		switch {
		case r == '\\':
			size = escapeSize(text)
		case r == '[':
			size = classSize(text)
		case r == '#':
			line, _, _ := strings.Cut(text, "\n")
			kept, size = false, len(line)
		case unicode.IsSpace(r):
			kept = false
		}
		if kept {
			b.WriteString(text[:size])
		}
		text = text[size:]
	}
	return b.String()
}

// escapeSize is the length of \Q…\E, or of a backslash and what it escapes.
func escapeSize(text string) int {
	if strings.HasPrefix(text, `\Q`) {
		quoted, _, closed := strings.Cut(text, `\E`)
		if closed {
			return len(quoted) + 2
		}
		return len(text)
	}
	_, size := utf8.DecodeRuneInString(text[1:])
	return 1 + size
}

// classSize is the length of [ … ]: a bracket at its start is one of the class, and so is that of [:space:].
func classSize(text string) int {
	i := 1
	if strings.HasPrefix(text[i:], "^") {
		i++
	}
	if strings.HasPrefix(text[i:], "]") {
		i++
	}
	for i < len(text) && text[i] != ']' {
		name, _, named := strings.Cut(text[i:], ":]")
		switch {
		case text[i] == '\\':
			i += escapeSize(text[i:])
		case named && strings.HasPrefix(name, "[:"):
			i += len(name) + 2
		default:
			i++
		}
	}
	return min(i+1, len(text))
}

func regexMatch(e *env, a []Value) Value {
	p := e.compile(a[1:])
	if !p.over(e, a[0]) {
		return Value{}
	}
	return BoolOf(p.re.MatchString(a[0].str))
}

// group reads the pattern, its modifiers and the number of a group.
func (e *env) group(a []Value) (re *regexp.Regexp, group int) {
	number := NumberOf(0)
	if len(a) > 3 {
		number = a[3]
	}
	n, ok := integer(number)
	p := e.compile(a[1:min(len(a), 3)])
	if !p.over(e, a[0]) || !ok || n < 0 || n > int64(p.re.NumSubexp()) {
		return nil, 0
	}
	return p.re, int(n)
}

func regexExtract(e *env, a []Value) Value {
	re, group := e.group(a)
	if re == nil {
		return Value{}
	}
	at := re.FindStringSubmatchIndex(a[0].str)
	if at == nil || at[2*group] < 0 {
		return Value{}
	}
	return StringOf(a[0].str[at[2*group]:at[2*group+1]])
}

func regexExtractAll(e *env, a []Value) Value {
	re, group := e.group(a)
	if re == nil {
		return Value{}
	}
	var found []Value
	for _, at := range findAll(e, re, a[0].str) {
		if at[2*group] >= 0 {
			found = append(found, StringOf(a[0].str[at[2*group]:at[2*group+1]]))
		}
	}
	return ArrayOf(found)
}

// findAll looks for twice as many matches each time, as each of them may take as long as
// all of the text: so the context can end it in between.
func findAll(e *env, re *regexp.Regexp, text string) [][]int {
	for n := 1; ; n *= 2 {
		found := re.FindAllStringSubmatchIndex(text, n)
		if len(found) < n || n >= maxElements || e.budget.work(stepsBetween) != nil {
			return found
		}
	}
}
