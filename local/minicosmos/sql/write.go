package sql

import (
	"maps"
	"math"
	"strconv"
	"strings"
)

// A tree is written back as text for the queries that a plan makes of another one. Operators inside of operators get
// parentheses, so that what is read again is the same tree.

// operatorText is how an operator between two operands is spelled.
var operatorText = func() map[op]string {
	texts := map[op]string{opAnd: "AND", opOr: "OR", opCoalesce: "??"}
	for _, level := range binaryLevels {
		for text, op := range level {
			if text != "<>" { // another spelling of !=
				texts[op] = text
			}
		}
	}
	return texts
}()

// prefixText is how an operator before its operand is spelled.
var prefixText = map[op]string{opNegate: "-", opPlus: "+", opBitNot: "~", opNot: "NOT "}

// subqueryText is what stands before a subquery in parentheses.
var subqueryText = func() map[op]string {
	texts := map[op]string{opScalar: ""}
	for text, op := range maps.All(subqueries) {
		texts[op] = text
	}
	return texts
}()

// writer builds the text of a query.
type writer struct {
	strings.Builder
	root string // stands for the document where FROM names it otherwise; "" leaves its name
}

func (w *writer) text(parts ...string) {
	for _, p := range parts {
		w.WriteString(p)
	}
}

// written is an expression's text.
func (n *node) written() string {
	w := &writer{}
	w.expression(n)
	return w.String()
}

func (w *writer) expression(n *node) { w.node(n, false) }

// node writes n, in parentheses if it is an operator inside of something.
func (w *writer) node(n *node, inside bool) {
	if subquery, ok := subqueryText[n.op]; ok {
		w.text(subquery, "(")
		w.selection(n.sub)
		w.text(")")
		return
	}
	switch n.op {
	case opLiteral:
		w.literal(n.value)
	case opRoot:
		if w.root != "" {
			w.text(w.root)
			return
		}
		w.text(n.name)
	case opIdent, opParam:
		w.text(n.name)
	case opMember, opIndex:
		w.step(n)
	case opArray:
		w.list("[", n.kids, "]")
	case opObject:
		w.object(n)
	case opCall, opAggregate:
		w.list(n.name+"(", n.kids, ")")
	default:
		if inside {
			w.text("(")
			defer w.text(")")
		}
		w.operator(n)
	}
}

func (w *writer) operator(n *node) {
	if prefix, ok := prefixText[n.op]; ok {
		w.text(prefix)
		w.node(n.kids[0], true)
		return
	}
	switch n.op {
	case opCond:
		w.between(n.kids, " ? ", " : ")
	case opBetween:
		w.between(n.kids, " BETWEEN ", " AND ")
	case opIn:
		w.node(n.kids[0], true)
		w.list(" IN (", n.kids[1:], ")")
	case opLike:
		w.between(n.kids, " LIKE ")
		if n.name != "" {
			w.text(" ESCAPE ", string(AppendString(nil, n.name)))
		}
	default:
		for i, kid := range n.kids {
			if i > 0 {
				w.text(" ", operatorText[n.op], " ")
			}
			w.node(kid, true)
		}
	}
}

// between writes operands with a text between each two.
func (w *writer) between(kids []*node, texts ...string) {
	for i, kid := range kids {
		if i > 0 {
			w.text(texts[i-1])
		}
		w.node(kid, true)
	}
}

func (w *writer) list(open string, kids []*node, end string) {
	w.text(open)
	for i, kid := range kids {
		if i > 0 {
			w.text(", ")
		}
		w.expression(kid)
	}
	w.text(end)
}

func (w *writer) object(n *node) {
	w.text("{")
	for i, name := range n.names {
		if i > 0 {
			w.text(", ")
		}
		w.text(string(AppendString(nil, name)), ": ")
		w.expression(n.kids[i])
	}
	w.text("}")
}

func (w *writer) literal(v Value) {
	n, isNumber := v.Number()
	switch {
	case !v.IsDefined():
		w.text("undefined")
	case isNumber && math.IsNaN(n):
		w.text("NaN")
	case isNumber && math.IsInf(n, 0):
		w.text("Infinity")
	case isNumber && n == math.Trunc(n) && math.Abs(n) < 1e15: // TOP and LIMIT take digits only
		w.text(strconv.FormatFloat(n, 'f', -1, 64))
	default:
		w.Write(v.AppendJSON(nil))
	}
}

// step writes .name or [index]; a name that is a word of the language goes into brackets.
func (w *writer) step(n *node) {
	base := n.kids[0]
	bare := base.op == opLiteral || base.op == opArray || base.op == opObject
	if bare {
		w.text("(")
	}
	w.node(base, true)
	if bare {
		w.text(")")
	}
	switch {
	case n.op == opIndex:
		w.list("[", n.kids[1:], "]")
	case keywords[strings.ToUpper(n.name)] || constants[n.name]:
		w.text("[", string(AppendString(nil, n.name)), "]")
	default:
		w.text(".", n.name)
	}
}

// selection writes a SELECT with its clauses.
func (w *writer) selection(s *selection) {
	w.text("SELECT ")
	if s.distinct {
		w.text("DISTINCT ")
	}
	if s.top != nil {
		w.text("TOP ")
		w.expression(s.top)
		w.text(" ")
	}
	w.columns(s)
	for i := range s.from {
		w.source(&s.from[i], i)
	}
	if s.where != nil {
		w.text(" WHERE ")
		w.expression(s.where)
	}
	if len(s.groupBy) > 0 {
		w.list(" GROUP BY ", s.groupBy, "")
	}
	for i, o := range s.orderBy {
		if i == 0 {
			w.text(" ORDER BY ")
		} else {
			w.text(", ")
		}
		w.expression(o.expr)
		if o.descending {
			w.text(" DESC")
		}
	}
	if s.offset != nil {
		w.text(" OFFSET ")
		w.expression(s.offset)
		w.text(" LIMIT ")
		w.expression(s.limit)
	}
}

func (w *writer) columns(s *selection) {
	switch {
	case s.star:
		w.text("*")
	case s.value != nil:
		w.text("VALUE ")
		w.expression(s.value)
	}
	for i, it := range s.items {
		if i > 0 {
			w.text(", ")
		}
		w.expression(it.expr)
		label := it.expr.label()
		if label != it.name && (label != "" || !strings.HasPrefix(it.name, "$")) { // what has no name is numbered again
			w.text(" AS ", it.name)
		}
	}
}

// source writes a part of FROM with its name: the document may be written as another one.
func (w *writer) source(src *source, place int) {
	if place == 0 {
		w.text(" FROM ")
	} else {
		w.text(" JOIN ")
	}
	if src.iterate {
		w.text(src.alias, " IN ")
	}
	if src.sub != nil {
		w.text("(")
		w.selection(src.sub)
		w.text(")")
	} else {
		w.expression(src.expr)
	}
	if !src.iterate && src.alias != "" && (src.expr == nil || w.root != "" || src.expr.label() != src.alias) {
		w.text(" AS ", src.alias)
	}
}
