package sql

import (
	"fmt"
	"strings"
)

// scope is the names that one FROM binds, inside those of the SELECTs around it.
type scope struct {
	names map[string]int
	outer *scope
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
	slots int
}

// bindsNothing tells whether no name is known yet: then a name in FROM is the document's.
func (s *scope) bindsNothing() bool {
	for ; s != nil; s = s.outer {
		if len(s.names) > 0 {
			return false
		}
	}
	return true
}

// selection resolves one SELECT.
func (r *resolver) selection(s *selection, outer *scope) error {
	sc := &scope{names: map[string]int{}, outer: outer}
	for i := range s.from {
		if err := r.source(&s.from[i], sc); err != nil {
			return err
		}
	}
	if err := r.expressions(s, sc); err != nil {
		return err
	}
	return s.checkGroups()
}

func (r *resolver) source(src *source, sc *scope) error {
	if src.sub != nil {
		if err := r.selection(src.sub, sc); err != nil {
			return err
		}
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
		sc.names[src.alias] = src.slot
	}
	return nil
}

// expressions resolves everything but FROM.
func (r *resolver) expressions(s *selection, sc *scope) error {
	if s.star && len(s.from) == 0 {
		return &SyntaxError{Code: codeSyntax, Msg: "'SELECT *' is not valid without FROM clause."}
	}
	aggregates := &s.aggregates
	if err := r.all(sc, aggregates, append([]*node{s.value}, itemExprs(s.items)...)...); err != nil {
		return err
	}
	if err := r.all(sc, nil, append([]*node{s.where}, s.groupBy...)...); err != nil {
		return err
	}
	for _, o := range s.orderBy {
		if err := r.expression(o.expr, sc, aggregates); err != nil {
			return err
		}
	}
	return nil
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
		return r.selection(n.sub, sc)
	case n.op == opCall:
		if err := n.bindFunction(aggregates); err != nil {
			return err
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
	fn := functions[name]
	switch {
	case fn == nil:
		return &SyntaxError{Start: n.start, End: n.end, Code: codeFunction, Msg: fmt.Sprintf("'%s' is not a recognized built-in function name.", n.name)}
	case len(n.kids) < fn.min || fn.max >= 0 && len(n.kids) > fn.max:
		return &SyntaxError{Start: n.start, End: n.end, Code: codeArgs, Msg: fmt.Sprintf("The function '%s' does not take %d arguments.", name, len(n.kids))}
	}
	n.fn, n.name = fn, name
	return nil
}

// checkGroups refuses columns that are neither grouped nor aggregated.
func (s *selection) checkGroups() error {
	if !s.aggregated() {
		return nil
	}
	if s.star {
		return &SyntaxError{Code: codeGroup, Msg: "'SELECT *' cannot be used with GROUP BY or an aggregate."}
	}
	grouped := map[string]bool{}
	for _, g := range s.groupBy {
		grouped[g.signature()] = true
	}
	columns := itemExprs(s.items)
	if s.value != nil {
		columns = append(columns, s.value)
	}
	for _, o := range s.orderBy {
		columns = append(columns, o.expr)
	}
	for _, c := range columns {
		if err := c.checkGrouped(grouped); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) checkGrouped(grouped map[string]bool) (err error) {
	n.walk(func(n *node) bool {
		switch {
		case err != nil || n.op == opAggregate || grouped[n.signature()]:
			return false
		case n.op == opIdent:
			err = &SyntaxError{Start: n.start, End: n.end, Code: codeGroup, Msg: fmt.Sprintf("'%s' is neither grouped nor aggregated.", n.name)}
		}
		return true
	})
	return err
}
