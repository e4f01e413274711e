package sql

import (
	"fmt"
	"slices"
	"strings"
)

// scope is the names that one FROM binds, inside those of the SELECTs around it.
type scope struct {
	names  map[string]int
	closed bool // the document itself is out of sight
	outer  *scope
}

func (s *scope) find(name string) (slot int, ok bool) {
	for ; s != nil; s = s.outer {
		if slot, ok = s.names[name]; ok {
			return slot, true
		}
	}
	return 0, false
}

// resolver binds identifiers to slots and calls to functions, and finds the aggregates.
type resolver struct {
	slots    int
	volatile int // calls so far of functions that have another value each time

	metric      func(path []string) string // of a container's policy, nil for none
	lacksMetric bool                       // a call of VECTORDISTANCE does not say its own
}

// bindsNothing tells whether no name is known yet: then a name in FROM is the document's.
func (s *scope) bindsNothing() bool {
	for ; s != nil; s = s.outer {
		if len(s.names) > 0 || s.closed {
			return false
		}
	}
	return true
}

// selection resolves one SELECT. A first one is what the query is over: the outermost,
// and what is first in the FROM of a first one.
func (r *resolver) selection(s *selection, outer *scope, first bool) error {
	sc := &scope{names: map[string]int{}, outer: outer}
	before := r.volatile
	for i := range s.from {
		if err := r.source(&s.from[i], sc, first && i == 0); err != nil {
			return err
		}
	}
	changing := r.volatile - before
	if err := r.expressions(s, sc); err != nil {
		return err
	}
	before = r.volatile
	if err := r.order(s, sc, first); err != nil {
		return err
	}
	if changing += r.volatile - before; len(s.orderBy) > 0 && changing > 0 { // no page would follow from the one before
		o := s.orderBy[0].expr
		return &SyntaxError{Start: o.start, End: o.end, Code: codeSyntax, Msg: "'ORDER BY' does not take what is random or depends on the time."}
	}
	if err := s.checkGroups(); err != nil {
		return err
	}
	return s.checkDocumented()
}

func (r *resolver) source(src *source, sc *scope, first bool) error {
	if src.sub != nil {
		if err := r.selection(src.sub, sc, first); err != nil {
			return err
		}
		src.derived = first && src.sub.whole()
		sc.closed = sc.closed || src.derived
	} else {
		base := src.expr
		for base.op != opIdent {
			base = base.kids[0]
		}
		if sc.bindsNothing() {
			base.op = opRoot // any name may stand for the document
		}
		if err := r.expression(src.expr, sc, nil); err != nil {
			return err
		}
	}
	src.slot = r.slots
	r.slots++
	if src.alias != "" {
		if _, twice := sc.names[src.alias]; twice {
			return &SyntaxError{Code: codeName, Msg: fmt.Sprintf("The input alias '%s' is specified more than once in the FROM clause.", src.alias)}
		}
		sc.names[src.alias] = src.slot
	}
	return nil
}

// expressions resolves everything but FROM and ORDER BY.
func (r *resolver) expressions(s *selection, sc *scope) error {
	if s.star && len(s.from) == 0 {
		return &SyntaxError{Code: codeSyntax, Msg: "'SELECT *' is not valid without FROM clause."}
	}
	if s.star && len(s.from) > 1 {
		return &SyntaxError{Code: codeSyntax, Msg: "'SELECT *' is only valid with a single input set."}
	}
	if err := r.all(sc, &s.aggregates, append([]*node{s.value}, itemExprs(s.items)...)...); err != nil {
		return err
	}
	return r.all(sc, nil, append([]*node{s.where}, s.groupBy...)...)
}

func (r *resolver) order(s *selection, sc *scope, first bool) error {
	if s.ranked {
		return r.ranking(s, sc)
	}
	for i, o := range s.orderBy {
		if err := r.expression(o.expr, sc, &s.aggregates); err != nil {
			return err
		}
		switch {
		case o.expr.op == opCall && o.expr.name == "VECTORDISTANCE":
			if err := s.vectorOrder(i); err != nil {
				return err
			}
		case o.expr.base() == nil:
			return &SyntaxError{Start: o.expr.start, End: o.expr.end, Code: codeOrder, Msg: "Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a document path."}
		case first && s.correlated(o.expr.base()):
			return &SyntaxError{Start: o.expr.start, End: o.expr.end, Code: codeCorrelated, Msg: "Order-by over correlated collections is not supported."}
		}
	}
	return nil
}

// base is what a path begins at; nil if it is no path.
func (n *node) base() *node {
	for n.op == opMember || n.op == opIndex && n.kids[1].op == opLiteral {
		n = n.kids[0]
	}
	if n.op != opRoot && n.op != opIdent {
		return nil
	}
	return n
}

// correlated tells whether a name stands for an element of the document, or for a row of a subquery over it.
func (s *selection) correlated(n *node) bool {
	return n.op == opIdent && slices.ContainsFunc(s.from, func(src source) bool {
		return src.slot == n.slot && (src.iterate || src.sub != nil && !src.derived)
	})
}

// vectorOrder puts the most similar vectors first, whatever ORDER BY says.
func (s *selection) vectorOrder(i int) error {
	nearest, err := s.orderBy[i].expr.leastIsNearest()
	s.orderBy[i].descending, s.orderBy[i].similarity = !nearest, true
	return err
}

// leastIsNearest tells whether the most similar vectors have the least value of
// VectorDistance.
func (n *node) leastIsNearest() (bool, error) {
	if len(n.kids) < 4 {
		return false, nil
	}
	options := n.kids[3]
	i := slices.Index(options.names, "distanceFunction")
	if options.op != opObject || i >= 0 && options.kids[i].op != opLiteral {
		return false, &SyntaxError{Start: options.start, End: options.end, Code: codeArgs, Msg: "The options of 'VECTORDISTANCE' in ORDER BY must be a literal."}
	}
	return i >= 0 && strings.EqualFold(options.kids[i].value.str, "euclidean"), nil
}

func itemExprs(items []item) []*node {
	list := make([]*node, len(items))
	for i, it := range items {
		list[i] = it.expr
	}
	return list
}

func (r *resolver) all(sc *scope, aggregates *[]*node, list ...*node) error {
	for _, n := range list {
		if n == nil {
			continue
		}
		if err := r.expression(n, sc, aggregates); err != nil {
			return err
		}
	}
	return nil
}

// expression resolves n and what is below it. aggregates collects its aggregates; nil
// where none may stand.
func (r *resolver) expression(n *node, sc *scope, aggregates *[]*node) error {
	switch {
	case n.op == opIdent:
		return n.bind(sc)
	case n.sub != nil:
		return r.selection(n.sub, sc, false)
	case n.op == opCall:
		r.complete(n)
		if err := n.bindFunction(aggregates); err != nil {
			return err
		}
		if volatile[n.name] {
			r.volatile++
		}
	}
	if n.op == opAggregate {
		aggregates = nil // none inside another
	}
	return r.all(sc, aggregates, n.kids...)
}

func (n *node) bind(sc *scope) error {
	slot, ok := sc.find(n.name)
	if !ok {
		return &SyntaxError{Start: n.start, End: n.end, Code: codeName, Msg: fmt.Sprintf("Identifier '%s' could not be resolved.", n.name)}
	}
	n.slot = slot
	return nil
}

// bindFunction makes a call an aggregate or finds its function.
func (n *node) bindFunction(aggregates *[]*node) error {
	name := strings.ToUpper(n.name)
	if accumulators[name] != nil {
		if aggregates == nil || len(n.kids) != 1 {
			return &SyntaxError{Start: n.start, End: n.end, Code: codeArgs, Msg: fmt.Sprintf("The aggregate %s cannot stand here or has not exactly one argument.", name)}
		}
		n.op, n.name, n.slot = opAggregate, name, len(*aggregates)
		*aggregates = append(*aggregates, n)
		return nil
	}
	if other := spokenByClients[name]; other != "" {
		name = other
	}
	fn := functions[name]
	switch {
	case rankFunctions[name]:
		return n.onlyRanked()
	case refused[name]:
		return &SyntaxError{Start: n.start, End: n.end, Code: codeFunction, Msg: fmt.Sprintf("The function '%s' is not supported here.", name)}
	case fn == nil:
		return &SyntaxError{Start: n.start, End: n.end, Code: codeFunction, Msg: fmt.Sprintf("'%s' is not a recognized built-in function name.", n.name)}
	case len(n.kids) < fn.min || fn.max >= 0 && len(n.kids) > fn.max:
		return &SyntaxError{Start: n.start, End: n.end, Code: codeArgs, Msg: fmt.Sprintf("The function '%s' does not take %d arguments.", name, len(n.kids))}
	}
	n.fn, n.name = fn, name
	return nil
}

// checkDocumented refuses what the service's page on GROUP BY says it does not do.
func (s *selection) checkDocumented() error {
	for _, g := range s.groupBy {
		switch {
		case g.has(func(n *node) bool { return n.sub != nil }):
			return &SyntaxError{Start: g.start, End: g.end, Code: codeGroup, Msg: "'GROUP BY' does not take subqueries."}
		case !g.has(func(n *node) bool { return n.op == opIdent || n.op == opRoot }):
			return &SyntaxError{Start: g.start, End: g.end, Code: codeGroup, Msg: "'GROUP BY' takes expressions with a property."}
		}
	}
	switch {
	case len(s.groupBy) > 0 && len(s.orderBy) > 0:
		return &SyntaxError{Code: codeGroup, Msg: "'ORDER BY' is not supported with 'GROUP BY'."}
	case len(s.aggregates) > 0 && slices.ContainsFunc(s.from, func(src source) bool { return src.sub != nil && len(src.sub.groupBy) > 0 }):
		return &SyntaxError{Code: codeGroup, Msg: "An aggregate over a subquery with 'GROUP BY' is not supported."}
	}
	return nil
}

func (n *node) has(what func(*node) bool) (found bool) {
	n.walk(func(n *node) bool {
		found = found || what(n)
		return !found
	})
	return found
}

// checkGroups refuses columns that are neither grouped nor aggregated.
func (s *selection) checkGroups() error {
	if !s.aggregated() {
		return nil
	}
	if s.star {
		return &SyntaxError{Code: codeGroup, Msg: "'SELECT *' cannot be used with GROUP BY or an aggregate."}
	}
	f, grouped := &forms{map[string]int{}, map[*node]int{}}, map[int]bool{}
	for _, g := range s.groupBy {
		grouped[f.number(g)] = true
	}
	columns := itemExprs(s.items)
	if s.value != nil {
		columns = append(columns, s.value)
	}
	for _, o := range s.orderBy {
		columns = append(columns, o.expr)
	}
	for _, c := range columns {
		f.number(c)
		if err := c.checkGrouped(func(n *node) bool { return grouped[f.of[n]] }); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) checkGrouped(grouped func(*node) bool) (err error) {
	n.walk(func(n *node) bool {
		switch {
		case err != nil || n.op == opAggregate || grouped(n):
			return false
		case n.op == opIdent:
			err = &SyntaxError{Start: n.start, End: n.end, Code: codeGroup, Msg: fmt.Sprintf("'%s' is neither grouped nor aggregated.", n.name)}
		}
		return true
	})
	return err
}
