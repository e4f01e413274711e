package sql

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// MaxText is the longest query in bytes (the service's limit).
const MaxText = 512 << 10

// maxNesting bounds how deeply expressions and subqueries nest.
const maxNesting = 200

// Query is a parsed query. It is read only and safe for concurrent use.
type Query struct {
	text   string
	root   *selection
	slots  int      // bindings of all FROMs
	params []string // in order of their slots
	metric bool     // a VECTORDISTANCE does not say its own
}

// Parse reads a query and resolves its names; its error is a *SyntaxError.
func Parse(text string) (*Query, error) { return ParseFor(text, nil) }

// ParseFor is Parse for a container whose policy has a distance function for some paths: metric returns its name, "" for none.
func ParseFor(text string, metric func(path []string) string) (*Query, error) {
	if len(text) > MaxText {
		return nil, &SyntaxError{Start: MaxText, End: len(text), Code: codeSyntax, Msg: "The query text is longer than 512 KB."}
	}
	tokens, err := tokenize(text)
	if err != nil {
		return nil, err
	}
	p := &parser{text: text, tokens: tokens}
	root, err := p.selection()
	if err == nil && p.peek().kind != tokenEnd {
		err = p.unexpected()
	}
	if err != nil {
		return nil, err
	}
	r := &resolver{metric: metric}
	if err := r.selection(root, nil, true); err != nil {
		return nil, err
	}
	return &Query{text: text, root: root, slots: r.slots, params: p.params, metric: r.lacksMetric}, nil
}

// NeedsMetric tells whether a VECTORDISTANCE takes the distance function of the container's policy.
func (q *Query) NeedsMetric() bool { return q.metric }

// Text returns the query as it was written.
func (q *Query) Text() string { return q.text }

// parser is a recursive descent over the tokens; p.i is the next one.
type parser struct {
	text   string
	tokens []token
	i      int
	depth  int
	params []string

	paramSlots map[string]int // places in params
}

func (p *parser) peek() token { return p.tokens[p.i] }

func (p *parser) take() token {
	t := p.tokens[p.i]
	if t.kind != tokenEnd {
		p.i++
	}
	return t
}

// is tells whether the next token is that keyword or punctuation.
func (p *parser) is(text string) bool {
	t := p.peek()
	return t.text == text && (t.kind == tokenKeyword || t.kind == tokenPunct)
}

func (p *parser) accept(text string) bool {
	if !p.is(text) {
		return false
	}
	p.i++
	return true
}

func (p *parser) expect(texts ...string) error {
	for _, text := range texts {
		if !p.accept(text) {
			return p.unexpected()
		}
	}
	return nil
}

func (p *parser) unexpected() error { return near(p.text, p.peek().start, p.peek().end) }

// identifier takes a name; keywords are none.
func (p *parser) identifier() (token, error) {
	if p.peek().kind != tokenIdent {
		return token{}, p.unexpected()
	}
	return p.take(), nil
}

// enter guards the recursion; the caller leaves.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxNesting {
		return &SyntaxError{Start: p.peek().start, End: p.peek().end, Code: codeSyntax, Msg: "The query is nested too deeply."}
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

func (p *parser) selection() (*selection, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	s := &selection{}
	for _, clause := range []func(*selection) error{p.selectClause, p.fromClause, p.whereClause, p.groupClause, p.orderClause, p.limitClause} {
		if err := clause(s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (p *parser) selectClause(s *selection) (err error) {
	if err := p.expect("SELECT"); err != nil {
		return err
	}
	s.distinct = p.accept("DISTINCT")
	if p.accept("TOP") {
		if s.top, err = p.count(); err != nil {
			return err
		}
	}
	switch {
	case p.accept("*"):
		s.star = true
	case p.accept("VALUE"):
		if s.value, err = p.expression(); err == nil {
			_, err = p.alias() // it names nothing
		}
	default:
		err = p.selectItems(s)
	}
	return err
}

func (p *parser) selectItems(s *selection) error {
	for unnamed := 0; ; {
		expr, err := p.expression()
		if err != nil {
			return err
		}
		name, err := p.alias()
		if err != nil {
			return err
		}
		if name == "" {
			name = expr.label()
		}
		if name == "" {
			unnamed++
			name = "$" + strconv.Itoa(unnamed)
		}
		s.items = append(s.items, item{expr: expr, name: name})
		if !p.accept(",") {
			return nil
		}
	}
}

// alias takes "[AS] name" if it is there, else it returns "".
func (p *parser) alias() (string, error) {
	if !p.accept("AS") && p.peek().kind != tokenIdent {
		return "", nil
	}
	name, err := p.identifier()
	return name.text, err
}

// count takes the number of TOP, OFFSET or LIMIT: a whole number or a parameter.
func (p *parser) count() (*node, error) {
	t := p.peek()
	if t.kind == tokenNumber && t.num == math.Trunc(t.num) && slices.IndexFunc([]byte(t.text), func(c byte) bool { return c < '0' || c > '9' }) < 0 {
		p.i++
		return &node{op: opLiteral, start: t.start, end: t.end, value: NumberOf(t.num)}, nil
	}
	if t.kind == tokenParam {
		return p.parameter(), nil
	}
	return nil, p.unexpected()
}

func (p *parser) parameter() *node {
	t := p.take()
	slot, known := p.paramSlots[t.text]
	if !known {
		slot = len(p.params)
		p.params = append(p.params, t.text)
		if p.paramSlots == nil {
			p.paramSlots = map[string]int{}
		}
		p.paramSlots[t.text] = slot
	}
	return &node{op: opParam, start: t.start, end: t.end, name: t.text, slot: slot}
}

func (p *parser) fromClause(s *selection) error {
	if !p.accept("FROM") {
		return nil
	}
	for {
		src, err := p.source()
		if err != nil {
			return err
		}
		s.from = append(s.from, src)
		if !p.accept("JOIN") {
			return nil
		}
	}
}

// source takes "collection [AS] alias" or "alias IN collection".
func (p *parser) source() (src source, err error) {
	if p.peek().kind == tokenIdent && p.tokens[p.i+1].kind == tokenKeyword && p.tokens[p.i+1].text == "IN" {
		src.alias, src.iterate = p.take().text, true
		p.i++
		return src, p.collection(&src)
	}
	if err := p.collection(&src); err != nil {
		return src, err
	}
	if src.expr != nil {
		src.alias = src.expr.label()
	}
	alias, err := p.alias()
	if alias != "" {
		src.alias = alias
	}
	return src, err
}

func (p *parser) collection(src *source) (err error) {
	if p.accept("(") {
		if src.sub, err = p.selection(); err != nil {
			return err
		}
		return p.expect(")")
	}
	name, err := p.identifier()
	if err != nil {
		return err
	}
	src.expr = &node{op: opIdent, name: name.text, start: name.start, end: name.end}
	for p.is(".") || p.is("[") {
		if src.expr, err = p.step(src.expr); err != nil {
			return err
		}
		if src.expr.op == opIndex && src.expr.kids[1].op != opLiteral {
			return near(p.text, src.expr.kids[1].start, src.expr.kids[1].end)
		}
	}
	return nil
}

func (p *parser) whereClause(s *selection) (err error) {
	if p.accept("WHERE") {
		s.where, err = p.expression()
	}
	return err
}

func (p *parser) groupClause(s *selection) (err error) {
	if !p.accept("GROUP") {
		return nil
	}
	if err := p.expect("BY"); err != nil {
		return err
	}
	s.groupBy, err = p.list()
	return err
}

func (p *parser) orderClause(s *selection) error {
	if !p.accept("ORDER") {
		return nil
	}
	if err := p.expect("BY"); err != nil {
		return err
	}
	if t := p.peek(); t.kind == tokenIdent && strings.EqualFold(t.text, "RANK") && p.tokens[p.i+1].kind == tokenIdent {
		p.i++
		s.ranked = true
		expr, err := p.expression()
		s.orderBy = []orderItem{{expr: expr, descending: true}}
		return err
	}
	for {
		expr, err := p.expression()
		if err != nil {
			return err
		}
		o := orderItem{expr: expr, descending: p.accept("DESC")}
		if !o.descending {
			p.accept("ASC")
		}
		s.orderBy = append(s.orderBy, o)
		if !p.accept(",") {
			return nil
		}
	}
}

func (p *parser) limitClause(s *selection) (err error) {
	if !p.accept("OFFSET") {
		return nil
	}
	if s.offset, err = p.count(); err != nil {
		return err
	}
	if err := p.expect("LIMIT"); err != nil {
		return err
	}
	s.limit, err = p.count()
	return err
}
