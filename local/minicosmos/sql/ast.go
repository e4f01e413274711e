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
	offset, limit *node

	aggregates []*node // of this SELECT, not of nested ones
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
	n.sign(&b)
	return b.String()
}

func (n *node) sign(b *strings.Builder) {
	b.WriteString(strconv.Itoa(int(n.op)) + "," + strconv.Itoa(n.slot) + ",")
	b.WriteString(strconv.Quote(n.name) + n.value.String() + "(")
	for i, kid := range n.kids {
		if i < len(n.names) {
			b.WriteString(strconv.Quote(n.names[i]))
		}
		kid.sign(b)
	}
	if n.sub != nil {
		b.WriteString(strconv.Itoa(n.start)) // two subqueries are never the same
	}
	b.WriteByte(')')
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
