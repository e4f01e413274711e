package sqlfilter

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf16"
)

// maxLength bounds a text, as the service does: in characters, of which those outside of the basic plane count twice. It
// bounds the depth of the tree too.
const maxLength = 1024

// Filter is a condition. It may be used by many goroutines at once.
type Filter struct {
	root  node
	text  string
	names []Name
}

// Name is a property that a text names.
type Name struct {
	Text   string
	At     int  // offset in the text, in bytes
	System bool // of the scope sys
	Bare   bool // neither in brackets nor in quotes
	Set    bool // an action sets or removes it

	Value Constant // that it is set to
}

// Constant is a value that does not depend on the message, if it is known.
type Constant struct {
	Known bool
	Value any
}

// Names are the properties that the condition names.
func (f *Filter) Names() []Name { return f.names }

// Parse reads a condition. parameters are the values of @names in it; nil if it has none.
func Parse(text string, parameters map[string]any) (*Filter, error) {
	p, err := newParser(text, parameters)
	if err != nil {
		return nil, err
	}
	root, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.now().kind != end {
		return nil, p.fault("%s stands behind the end of the condition", p.now())
	}
	if !root.predicate() {
		return nil, &SyntaxError{0, "this is a value and no condition; compare it with something"}
	}
	return &Filter{root: root, text: text, names: p.names}, nil
}

// String is the text that Parse read.
func (f *Filter) String() string { return f.text }

// Match evaluates the condition. An unknown result is false; with an error it is false too.
func (f *Filter) Match(m Message) (bool, error) {
	v, err := f.root.eval(m)
	if err != nil {
		return false, err
	}
	return v == true, nil
}

// parser descends by precedence: OR, AND, NOT, comparison, sum, product, sign, primary.
type parser struct {
	tokens     []token
	parameters map[string]any
	names      []Name
}

func newParser(text string, parameters map[string]any) (*parser, error) {
	if characters(text) > maxLength {
		return nil, &SyntaxError{maxLength, fmt.Sprintf("the text is longer than %d characters", maxLength)}
	}
	tokens, err := lex(text)
	return &parser{tokens: tokens, parameters: parameters}, err
}

// characters are those that .NET counts in a string.
func characters(text string) int {
	n := 0
	for _, r := range text {
		n += max(utf16.RuneLen(r), 1)
	}
	return n
}

func (p *parser) now() token { return p.tokens[0] }

func (p *parser) take() token {
	t := p.tokens[0]
	if t.kind != end {
		p.tokens = p.tokens[1:]
	}
	return t
}

// accept takes the token if it is one of these, and says which.
func (p *parser) accept(words ...string) (string, bool) {
	for _, w := range words {
		if p.now().is(w) {
			p.take()
			return w, true
		}
	}
	return "", false
}

func (p *parser) expect(word string) error {
	if _, ok := p.accept(word); !ok {
		return p.fault("expected %s before %s", word, p.now())
	}
	return nil
}

func (p *parser) fault(format string, args ...any) error {
	return &SyntaxError{p.now().at, fmt.Sprintf(format, args...)}
}

// String names the token for a message.
func (t token) String() string {
	switch t.kind {
	case end:
		return "the end"
	case text:
		return "'" + t.text + "'"
	case whole:
		return fmt.Sprint(t.int)
	case decimal:
		return fmt.Sprint(t.float)
	}
	return t.text
}

func (p *parser) or() (node, error)  { return p.logic("OR", p.and) }
func (p *parser) and() (node, error) { return p.logic("AND", p.not) }

func (p *parser) logic(op string, operand func() (node, error)) (node, error) {
	left, err := operand()
	for err == nil && p.now().is(op) {
		at := p.take().at
		var right node
		if right, err = operand(); err != nil {
			break
		}
		if !left.predicate() || !right.predicate() {
			return nil, &SyntaxError{at, op + " joins conditions, and one side is a value"}
		}
		left = logical{op == "OR", left, right}
	}
	return left, err
}

func (p *parser) not() (node, error) {
	if !p.now().is("NOT") {
		return p.comparison()
	}
	at := p.take().at
	of, err := p.not()
	if err == nil && !of.predicate() {
		err = &SyntaxError{at, "NOT stands before a condition, and this is a value"}
	}
	return negation{of}, err
}

// comparison reads a value and what is asked of it, if anything.
func (p *parser) comparison() (node, error) {
	if p.now().is("EXISTS") {
		p.take()
		return p.exists()
	}
	left, err := p.sum()
	if err != nil || left.predicate() {
		return left, err
	}
	if op, ok := p.accept("=", "<>", "!=", ">=", "<=", ">", "<"); ok {
		right, err := p.sum()
		if err == nil && right.predicate() {
			err = p.fault("%s compares values, and the right side is a condition", op)
		}
		return compared{strings.Replace(op, "!=", "<>", 1), left, right}, err
	}
	if p.now().is("IS") {
		return p.isNull(left)
	}
	_, no := p.accept("NOT")
	var asked node
	switch {
	case p.now().is("IN"):
		asked, err = p.in(left)
	case p.now().is("LIKE"):
		asked, err = p.like(left)
	case no:
		return nil, p.fault("expected IN or LIKE before %s", p.now())
	default:
		return left, nil
	}
	if no {
		asked = negation{asked}
	}
	return asked, err
}

func (p *parser) exists() (node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	of, err := p.property()
	if err != nil {
		return nil, err
	}
	return existing{of}, p.expect(")")
}

func (p *parser) isNull(of node) (node, error) {
	at := p.take().at
	if _, ok := of.(property); !ok {
		return nil, &SyntaxError{at, "IS NULL asks about a property"}
	}
	_, no := p.accept("NOT")
	if err := p.expect("NULL"); err != nil {
		return nil, err
	}
	if no {
		return negation{isNull{of}}, nil
	}
	return isNull{of}, nil
}

func (p *parser) in(of node) (node, error) {
	p.take()
	if err := p.expect("("); err != nil {
		return nil, err
	}
	list := oneOf{of: of}
	for {
		item, err := p.sum()
		if err != nil {
			return nil, err
		}
		list.items = append(list.items, item)
		if _, more := p.accept(","); !more {
			return list, p.expect(")")
		}
	}
}

func (p *parser) like(of node) (node, error) {
	p.take()
	pattern, err := p.sum()
	if err != nil {
		return nil, err
	}
	l := alike{of: of, pattern: pattern}
	if _, ok := p.accept("ESCAPE"); ok {
		at := p.now().at
		if l.escape, err = p.sum(); err != nil {
			return nil, err
		}
		c, known := l.escape.(constant)
		if _, one := character(c.of); l.escape.predicate() || known && !one {
			return nil, &SyntaxError{at, "ESCAPE takes a text of one character"}
		}
	}
	return l, nil
}

func (p *parser) sum() (node, error) { return p.arithmetic(p.product, "+", "-") }

func (p *parser) product() (node, error) { return p.arithmetic(p.signed, "*", "/", "%") }

func (p *parser) arithmetic(operand func() (node, error), ops ...string) (node, error) {
	left, err := operand()
	for err == nil && !left.predicate() {
		at := p.now().at
		op, ok := p.accept(ops...)
		if !ok {
			break
		}
		var right node
		if right, err = operand(); err == nil && right.predicate() {
			err = &SyntaxError{at, op + " takes values, and the right side is a condition"}
		}
		left = computed{op, left, right}
	}
	return left, err
}

func (p *parser) signed() (node, error) {
	op, ok := p.accept("+", "-")
	if !ok {
		return p.primary()
	}
	if t := p.now(); op == "-" && t.kind == whole && t.least {
		p.take()
		return constant{int64(math.MinInt64)}, nil
	}
	of, err := p.signed()
	if err == nil && of.predicate() {
		err = p.fault("%s stands before a value, and this is a condition", op)
	}
	return unary{op, of}, err
}
