package sql

import (
	"strconv"
	"strings"
)

// op is what a node does.
type op uint8

const (
	opLiteral op = iota
	opParam
	opRoot   // the document
	opIdent  // a name bound by FROM
	opMember // kids[0].name
	opIndex  // kids[0][kids[1]]
	opArray
	opObject // names with kids
	opNegate
	opPlus
	opBitNot
	opNot
	opAnd // any number of kids
	opOr  // any number of kids
	opCond
	opCoalesce
	opIn // kids[0] IN the rest
	opBetween
	opLike // kids[0] LIKE kids[1] ESCAPE name
	opEqual
	opNotEqual
	opLess
	opLessEqual
	opGreater
	opGreaterEqual
	opAdd
	opSubtract
	opMultiply
	opDivide
	opModulo
	opBitAnd
	opBitOr
	opBitXor
	opShiftLeft
	opShiftRight
	opShiftZero // to the right, without regard to the sign
	opConcat
	opCall
	opAggregate
	opScalar // scalar subquery
	opExists
	opArrayOf
	opFirst
	opLast
	opAll
)

// node is an expression. Once a query is resolved its nodes are read only.
type node struct {
	op         op
	start, end int
	name       string // of a parameter, identifier, member, function, aggregate; LIKE's escape
	value      Value  // of a literal
	kids       []*node
	names      []string  // of an object's properties
	slot       int       // of an identifier, a parameter, an aggregate
	fn         *function // of a call
	sub        *selection
}

// source is one part of FROM: the document or a path, each element of a path, or each
// row of a subquery, bound to a slot.
type source struct {
	alias   string
	slot    int
	expr    *node
	iterate bool
	sub     *selection
	derived bool // sub is not of the document but of all: its rows are what is queried
}

// item is one column of SELECT.
type item struct {
	expr *node
	name string
}

// orderItem is one key of ORDER BY.
type orderItem struct {
	expr       *node
	descending bool
	similarity bool // of vectors: what is undefined comes last
}

// selection is one SELECT, outermost or nested.
type selection struct {
	distinct      bool
	top           *node
	star          bool
	value         *node
	items         []item
	from          []source
	where         *node
	groupBy       []*node
	orderBy       []orderItem
	ranked        bool      // ORDER BY RANK
	scores        []*node   // of it, unless it is an order like any other
	weights       []float64 // of the scores; nil for all alike
	offset, limit *node

	aggregates []*node // of this SELECT, not of nested ones
}

// whole tells whether the rows depend on more than one document, or on none.
func (s *selection) whole() bool {
	return s.distinct || s.aggregated() || s.top != nil || s.offset != nil || len(s.orderBy) > 0 || len(s.from) == 0 || s.from[0].derived
}

// aggregated tells whether rows are folded into groups.
func (s *selection) aggregated() bool { return len(s.aggregates) > 0 || len(s.groupBy) > 0 }

// walk visits n and what is below it, nested selections excepted, until visit says no.
func (n *node) walk(visit func(*node) bool) {
	if n == nil || !visit(n) {
		return
	}
	for _, kid := range n.kids {
		kid.walk(visit)
	}
}

// signature is equal for expressions that are written alike, blanks aside.
func (n *node) signature() string {
	var b strings.Builder
	var sign func(*node)
	sign = func(n *node) { n.sign(&b, sign) }
	sign(n)
	return b.String()
}

// sign writes what tells a node from others; kid does so for what is below it.
func (n *node) sign(b *strings.Builder, kid func(*node)) {
	b.WriteString(strconv.Itoa(int(n.op)) + "," + strconv.Itoa(n.slot) + ",")
	b.WriteString(strconv.Quote(n.name) + n.value.String() + "(")
	for i, below := range n.kids {
		if i < len(n.names) {
			b.WriteString(strconv.Quote(n.names[i]))
		}
		kid(below)
	}
	if n.sub != nil {
		b.WriteString(strconv.Itoa(n.start)) // two subqueries are never the same
	}
	b.WriteByte(')')
}

// forms numbers expressions: those that are written alike have the same number.
type forms struct {
	numbers map[string]int
	of      map[*node]int
}

// number takes in n and what is below it.
func (f *forms) number(n *node) int {
	var b strings.Builder
	n.sign(&b, func(kid *node) { b.WriteString(strconv.Itoa(f.number(kid)) + ",") })
	number, known := f.numbers[b.String()]
	if !known {
		number = len(f.numbers) + 1
		f.numbers[b.String()] = number
	}
	f.of[n] = number
	return number
}

// label is the name that a column gets without AS, "" if it has none.
func (n *node) label() string {
	switch {
	case n.op == opIdent || n.op == opRoot || n.op == opMember:
		return n.name
	case n.op == opIndex && n.kids[1].op == opLiteral:
		name, _ := n.kids[1].value.Str()
		return name
	}
	return ""
}
