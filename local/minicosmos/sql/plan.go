package sql

import "slices"

// Lookup is an equality that every result satisfies together with its alternatives:
// the value at a path of the document.
type Lookup struct {
	Path  []string
	Value Value // a scalar
}

// maxLookups bounds the alternatives of a plan.
const maxLookups = 32

// CrossPartition tells whether the service's gateway serves the query over more than
// one logical partition: only filters and projections.
func (q *Query) CrossPartition() bool {
	s := q.root
	return !s.distinct && !s.aggregated() && s.top == nil && len(s.orderBy) == 0 && s.offset == nil
}

// NeedsDocuments tells whether the query has a FROM.
func (q *Query) NeedsDocuments() bool { return len(q.root.from) > 0 }

// Pinned returns the scalar that WHERE demands at a path, undefined if it demands none.
func (q *Query) Pinned(params []Param, path []string) Value {
	list := q.Plan(params, func(p []string) bool { return slices.Equal(p, path) })
	if len(list) != 1 {
		return Value{}
	}
	return list[0].Value
}

// Plan returns alternatives over indexed paths of which every result satisfies at
// least one, or nil when WHERE is not that kind: then all documents must be looked at.
func (q *Query) Plan(params []Param, indexed func(path []string) bool) []Lookup {
	if len(q.root.from) == 0 || q.root.where == nil || q.root.from[0].expr == nil || q.root.from[0].iterate {
		return nil
	}
	pl := &planner{q: q, params: params, indexed: indexed}
	if list, ok := pl.any(q.root.where); ok {
		return list
	}
	return nil
}

type planner struct {
	q       *Query
	params  []Param
	indexed func([]string) bool
}

// any returns the alternatives that n, when true, leaves open.
func (pl *planner) any(n *node) (list []Lookup, ok bool) {
	switch n.op {
	case opEqual:
		if list, ok = pl.equality(n.kids[0], n.kids[1]); ok {
			return list, ok
		}
		return pl.equality(n.kids[1], n.kids[0])
	case opIn:
		return pl.in(n)
	case opAnd:
		return pl.narrowest(n.kids)
	case opOr:
		return pl.union(n.kids)
	}
	return pl.flag(n)
}

func (pl *planner) equality(left, right *node) ([]Lookup, bool) {
	path, ok := pl.path(left)
	if !ok || !pl.indexed(path) {
		return nil, false
	}
	v, ok := pl.constant(right)
	return []Lookup{{Path: path, Value: v}}, ok
}

// flag is a bare path as a condition: true at that path.
func (pl *planner) flag(n *node) ([]Lookup, bool) {
	path, ok := pl.path(n)
	return []Lookup{{Path: path, Value: BoolOf(true)}}, ok && pl.indexed(path)
}

func (pl *planner) in(n *node) (list []Lookup, ok bool) {
	if len(n.kids)-1 > maxLookups {
		return nil, false
	}
	for _, kid := range n.kids[1:] {
		one, ok := pl.equality(n.kids[0], kid)
		if !ok {
			return nil, false
		}
		list = append(list, one...)
	}
	return list, true
}

// narrowest is AND: any operand's alternatives will do.
func (pl *planner) narrowest(kids []*node) (best []Lookup, ok bool) {
	for _, kid := range kids {
		if list, found := pl.any(kid); found && (!ok || len(list) < len(best)) {
			best, ok = list, true
		}
	}
	return best, ok
}

// union is OR: all operands' alternatives are needed.
func (pl *planner) union(kids []*node) (all []Lookup, ok bool) {
	for _, kid := range kids {
		list, ok := pl.any(kid)
		if !ok || len(all)+len(list) > maxLookups {
			return nil, false
		}
		all = append(all, list...)
	}
	return all, true
}

// path returns where in the document an expression looks.
func (pl *planner) path(n *node) ([]string, bool) {
	switch {
	case n.op == opRoot:
		return nil, true
	case n.op == opIdent:
		first := pl.q.root.from[0]
		if n.slot != first.slot {
			return nil, false
		}
		return pl.path(first.expr)
	case n.op == opMember:
		base, ok := pl.path(n.kids[0])
		return append(base[:len(base):len(base)], n.name), ok
	case n.op == opIndex && n.kids[1].op == opLiteral:
		name, isName := n.kids[1].value.Str()
		base, ok := pl.path(n.kids[0])
		return append(base[:len(base):len(base)], name), ok && isName
	}
	return nil, false
}

// constant returns a scalar that does not depend on the document.
func (pl *planner) constant(n *node) (Value, bool) {
	v := n.value
	if n.op == opParam {
		for _, p := range pl.params {
			if p.Name == n.name {
				v = p.Value
			}
		}
	} else if n.op != opLiteral {
		return v, false
	}
	return v, v.IsDefined() && v.kind <= String
}
