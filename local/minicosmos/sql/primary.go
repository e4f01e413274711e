package sql

import (
	"math"
	"strings"
)

// subqueries are the words that make something of a subquery in parentheses.
var subqueries = map[string]op{"EXISTS": opExists, "ARRAY": opArrayOf, "FIRST": opFirst, "LAST": opLast, "ALL": opAll}

// primary takes a literal, name, call, constructor, subquery or parenthesis.
func (p *parser) primary() (*node, error) {
	t := p.peek()
	switch t.kind {
	case tokenNumber:
		p.i++
		return &node{op: opLiteral, value: NumberOf(t.num), start: t.start, end: t.end}, nil
	case tokenString:
		p.i++
		return &node{op: opLiteral, value: StringOf(t.text), start: t.start, end: t.end}, nil
	case tokenParam:
		return p.parameter(), nil
	case tokenIdent:
		return p.name(t)
	case tokenKeyword:
		return p.keyword(t)
	case tokenPunct:
		return p.bracketed(t)
	}
	return nil, p.unexpected()
}

// numberNames are the numbers that have a name instead of digits.
var numberNames = map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1)}

// name takes what may begin with an identifier.
func (p *parser) name(t token) (*node, error) {
	next := p.tokens[p.i+1]
	if subqueries[strings.ToUpper(t.text)] != 0 && next.kind == tokenPunct && next.text == "(" {
		return p.subquery(t)
	}
	p.i++
	if p.is("(") {
		return p.call(t)
	}
	if f, ok := numberNames[t.text]; ok {
		return &node{op: opLiteral, value: NumberOf(f), start: t.start, end: t.end}, nil
	}
	return &node{op: opIdent, name: t.text, start: t.start, end: t.end}, nil
}

// keyword takes what may begin with one.
func (p *parser) keyword(t token) (*node, error) {
	constant := &node{op: opLiteral, start: t.start, end: t.end}
	switch t.text {
	case "true", "false":
		constant.value = BoolOf(t.text == "true")
	case "null":
		constant.value = nullValue
	case "undefined":
	case "LEFT", "RIGHT":
		p.i++
		return p.call(t)
	case "UDF":
		return nil, &SyntaxError{Start: t.start, End: t.end, Code: codeFunction, Msg: "User-defined functions are not supported here."}
	default:
		return p.subquery(t)
	}
	p.i++
	return constant, nil
}

func (p *parser) subquery(t token) (*node, error) {
	op, ok := subqueries[strings.ToUpper(t.text)]
	if !ok {
		return nil, p.unexpected()
	}
	p.i++
	if err := p.expect("("); err != nil {
		return nil, err
	}
	return p.nested(op, t.start)
}

// nested takes a selection and the closing parenthesis.
func (p *parser) nested(op op, start int) (*node, error) {
	sub, err := p.selection()
	if err != nil {
		return nil, err
	}
	n := &node{op: op, sub: sub, start: start, end: p.peek().end}
	return n, p.expect(")")
}

// call takes the arguments of a function; the name is taken already.
func (p *parser) call(name token) (*node, error) {
	n := &node{op: opCall, name: name.text, start: name.start}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if !p.is(")") {
		args, err := p.list()
		if err != nil {
			return nil, err
		}
		n.kids = args
	}
	n.end = p.peek().end
	return n, p.expect(")")
}

func (p *parser) bracketed(t token) (*node, error) {
	switch t.text {
	case "(":
		p.i++
		if p.is("SELECT") {
			return p.nested(opScalar, t.start)
		}
		n, err := p.expression()
		if err != nil {
			return nil, err
		}
		return n, p.expect(")")
	case "[":
		p.i++
		return p.arrayLiteral(t.start)
	case "{":
		p.i++
		return p.objectLiteral(t.start)
	}
	return nil, p.unexpected()
}

func (p *parser) arrayLiteral(start int) (*node, error) {
	n := &node{op: opArray, start: start}
	if !p.is("]") {
		list, err := p.list()
		if err != nil {
			return nil, err
		}
		n.kids = list
	}
	n.end = p.peek().end
	return n, p.expect("]")
}

func (p *parser) objectLiteral(start int) (*node, error) {
	n := &node{op: opObject, start: start}
	for !p.is("}") {
		name := p.take()
		if name.kind != tokenString && name.kind != tokenIdent {
			return nil, near(p.text, name.start, name.end)
		}
		if err := p.expect(":"); err != nil {
			return nil, err
		}
		value, err := p.expression()
		if err != nil {
			return nil, err
		}
		n.names, n.kids = append(n.names, name.text), append(n.kids, value)
		if !p.accept(",") {
			break
		}
		if p.is("}") {
			return nil, p.unexpected()
		}
	}
	n.end = p.peek().end
	return n, p.expect("}")
}
