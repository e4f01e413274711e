package sql

import "strings"

// Element stands in a Path for any element of an array. A property of that name is taken for one: a filter may be too wide.
const Element = "\x00"

// Filter is what every document satisfies that WHERE lets through; others may, too. It is about the values at one path
// (Path and Spans), or all or any of other filters.
type Filter struct {
	Path  []string
	Spans []Span // one of which holds a value at the path

	Of  []*Filter
	Any bool // of them is enough

	equality bool // = or IN say it: such a filter may name the partition
}

// Span is values of one type next to each other.
type Span struct {
	Kind              Kind  // of the values; Undefined: any that is defined
	Low, High         Value // scalars of that kind; undefined: no bound
	LowOpen, HighOpen bool  // the bound itself is not in it
	Prefix            bool  // strings that start with Low
}

func exactly(v Value) Span { return Span{Kind: v.kind, Low: v, High: v} }

// point is the one value of a span that has no other, else undefined.
func (s Span) point() Value {
	if s.Prefix || s.LowOpen || s.HighOpen || s.Low.kind == Undefined || !Equal(s.Low, s.High) {
		return Value{}
	}
	return s.Low
}

// IsPoint tells whether the span has one value: Low.
func (s Span) IsPoint() bool { return s.point().IsDefined() }

// maxSpans bounds the values that are listed for one path; a longer list is looked at document by document.
const maxSpans = 256

// planningSteps is how long the constants of a filter may take, in rows: what takes longer says nothing.
const planningSteps = 1 << 12

// Filter returns what WHERE says of paths of the document, nil for nothing.
func (q *Query) Filter(params []Param) *Filter {
	if len(q.root.from) == 0 || q.root.from[0].derived {
		return nil
	}
	e, err := q.env(limitedBudget(planningSteps), params)
	if err != nil {
		return nil
	}
	pl := &planner{e: e, paths: map[int][]string{}}
	return pl.selection(q.root)
}

type planner struct {
	e     *env
	paths map[int][]string // what the names of FROM stand for, by slot
}

// selection is what a SELECT that has a row says.
func (pl *planner) selection(s *selection) *Filter {
	var all []*Filter
	for i := range s.from {
		src := &s.from[i]
		path, ok := []string(nil), false
		switch {
		case src.sub != nil && src.derived:
		case src.sub != nil && !src.sub.aggregated():
			all = append(all, pl.selection(src.sub))
			path, ok = pl.path(src.sub.value)
		case src.sub == nil:
			path, ok = pl.path(src.expr)
		}
		if !ok {
			continue
		}
		if src.iterate {
			path = below(path, Element)
		}
		pl.paths[src.slot] = path
	}
	if s.where != nil {
		all = append(all, pl.truth(s.where))
	}
	return allOf(all)
}

func below(path []string, name string) []string { return append(path[:len(path):len(path)], name) }

// allOf joins filters by AND; those that say nothing are left out.
func allOf(list []*Filter) *Filter {
	var said []*Filter
	for _, f := range list {
		if f != nil {
			said = append(said, f)
		}
	}
	switch len(said) {
	case 0:
		return nil
	case 1:
		return said[0]
	}
	return &Filter{Of: said}
}

// anyOf joins filters by OR; one that says nothing leaves nothing to say.
func anyOf(list []*Filter) *Filter {
	for _, f := range list {
		if f == nil {
			return nil
		}
	}
	if len(list) == 1 {
		return list[0]
	}
	return &Filter{Of: list, Any: true}
}

// truth is what n says when it is true.
func (pl *planner) truth(n *node) *Filter {
	switch n.op {
	case opAnd, opOr:
		parts := make([]*Filter, len(n.kids))
		for i, kid := range n.kids {
			parts[i] = pl.truth(kid)
		}
		if n.op == opOr {
			return anyOf(parts)
		}
		return allOf(parts)
	case opEqual, opLess, opLessEqual, opGreater, opGreaterEqual:
		if f := pl.relation(n.op, n.kids[0], n.kids[1]); f != nil {
			return f
		}
		return pl.relation(mirrored[n.op], n.kids[1], n.kids[0])
	case opIn:
		return pl.in(n)
	case opBetween:
		return allOf([]*Filter{pl.relation(opGreaterEqual, n.kids[0], n.kids[1]), pl.relation(opLessEqual, n.kids[0], n.kids[2])})
	case opLike:
		return pl.like(n)
	case opExists:
		if n.sub.aggregated() {
			return nil
		}
		return pl.selection(n.sub)
	case opCall:
		return pl.call(n)
	}
	return equality(pl.at(n, exactly(BoolOf(true))))
}

func equality(f *Filter) *Filter {
	if f != nil {
		f.equality = true
	}
	return f
}

// mirrored are the relations with their sides exchanged.
var mirrored = map[op]op{opEqual: opEqual, opLess: opGreater, opLessEqual: opGreaterEqual, opGreater: opLess, opGreaterEqual: opLessEqual}

// at says of a path that it has a value in one of some spans; nil if n is no path.
func (pl *planner) at(n *node, spans ...Span) *Filter {
	path, ok := pl.path(n)
	if !ok || len(path) == 0 || len(spans) > maxSpans {
		return nil
	}
	return &Filter{Path: path, Spans: spans}
}

func (pl *planner) relation(op op, left, right *node) *Filter {
	v, ok := pl.scalar(right)
	if !ok {
		return nil
	}
	span := Span{Kind: v.kind}
	switch op {
	case opEqual:
		return equality(pl.at(left, exactly(v)))
	case opLess, opLessEqual:
		span.High, span.HighOpen = v, op == opLess
	default:
		span.Low, span.LowOpen = v, op == opGreater
	}
	return pl.at(left, span)
}

func (pl *planner) in(n *node) *Filter {
	parts := make([]*Filter, 0, len(n.kids)-1)
	spans := make([]Span, 0, len(n.kids)-1)
	left, constant := pl.scalar(n.kids[0])
	for _, kid := range n.kids[1:] {
		switch v, ok := pl.scalar(kid); {
		case ok:
			spans = append(spans, exactly(v))
			parts = append(parts, equality(pl.at(n.kids[0], exactly(v))))
		case constant:
			parts = append(parts, equality(pl.at(kid, exactly(left))))
		default:
			return nil
		}
	}
	if len(spans) == len(parts) {
		return equality(pl.at(n.kids[0], spans...))
	}
	return anyOf(parts)
}

// like is the text that a pattern starts with.
func (pl *planner) like(n *node) *Filter {
	v, _ := pl.scalar(n.kids[1])
	pattern, ok := v.Str()
	if !ok {
		return nil
	}
	end := strings.IndexAny(pattern, "%_["+n.name)
	if end < 0 {
		return pl.at(n.kids[0], exactly(v))
	}
	return pl.prefix(n.kids[0], pattern[:end])
}

func (pl *planner) prefix(n *node, start string) *Filter {
	return pl.at(n, Span{Kind: String, Low: StringOf(start), Prefix: true})
}

// path returns where in the document an expression looks; not below what a document can have.
func (pl *planner) path(n *node) ([]string, bool) { return pl.pathWithin(n, MaxDepth) }

func (pl *planner) pathWithin(n *node, depth int) ([]string, bool) {
	switch {
	case n == nil || depth < 0:
	case n.op == opRoot:
		return nil, true
	case n.op == opIdent:
		path, ok := pl.paths[n.slot]
		return path, ok && len(path) <= depth
	case n.op == opMember:
		base, ok := pl.pathWithin(n.kids[0], depth-1)
		return below(base, n.name), ok
	case n.op == opIndex && n.kids[1].op == opLiteral:
		base, ok := pl.pathWithin(n.kids[0], depth-1)
		if name, isName := n.kids[1].value.Str(); isName {
			return below(base, name), ok
		}
		return below(base, Element), ok && n.kids[1].value.kind == Number
	}
	return nil, false
}

// scalar returns a scalar that does not depend on the document.
func (pl *planner) scalar(n *node) (Value, bool) {
	v, ok := pl.constant(n)
	return v, ok && v.IsDefined() && v.kind <= String
}

// constant evaluates what depends neither on the document nor on the time.
func (pl *planner) constant(n *node) (v Value, ok bool) {
	varies := n.has(func(n *node) bool {
		switch n.op {
		case opRoot, opIdent, opAggregate:
			return true
		case opCall:
			return n.fn == nil || n.fn.call == nil || volatile[n.name]
		}
		return n.sub != nil
	})
	if varies {
		return Value{}, false
	}
	v = n.eval(pl.e)
	return v, pl.e.budget.failed == nil
}
