package sql

import "strings"

// group is the rows that share the values of GROUP BY.
type group struct {
	slots        []Value // of the first row, as far as they are kept
	root         Value
	accumulators []accumulator
}

// groups folds rows.
type groups struct {
	s     *selection
	index map[string]*group
	order []*group
	names []string // what is read of the document, if that is known
	known bool
}

func newGroups(s *selection) *groups {
	g := &groups{s: s, index: map[string]*group{}}
	g.names, g.known = s.groupedNames()
	return g
}

// groupedNames are the document's properties that GROUP BY reads; not known where it reads something else.
func (s *selection) groupedNames() (names []string, known bool) {
	if len(s.groupBy) == 0 || len(s.from) != 1 || s.from[0].expr == nil || s.from[0].iterate || s.from[0].expr.op != opRoot {
		return nil, false
	}
	isDocument := func(n *node) bool { return n.op == opRoot || n.op == opIdent && n.slot == s.from[0].slot }
	known = true
	for _, key := range s.groupBy {
		key.walk(func(n *node) bool {
			switch {
			case n.op == opMember && isDocument(n.kids[0]):
				names = append(names, n.name)
				return false
			case n.op == opRoot || n.op == opIdent:
				known = false
			}
			return known
		})
	}
	return names, known
}

// add folds the row that e stands on.
func (g *groups) add(e *env) error {
	var signature []byte
	for _, n := range g.s.groupBy {
		v := n.eval(e)
		if !e.budget.over(v.weight()) || e.budget.built(len(signature)+v.weight()) != nil {
			return e.budget.failed
		}
		signature = append(v.appendCanonical(signature), 0)
	}
	gr := g.index[string(signature)]
	if gr == nil {
		gr = g.open(e)
		g.index[string(signature)] = gr
		held := len(signature) + 128*(1+len(gr.slots)+len(gr.accumulators))
		if len(g.s.groupBy) > 0 {
			held += gr.root.weight()
		}
		if err := e.budget.hold(held); err != nil {
			return err
		}
	}
	for i, a := range g.s.aggregates {
		v := a.kids[0].eval(e)
		gr.accumulators[i].add(v)
		if _, holds := gr.accumulators[i].(*lister); holds {
			if err := e.budget.hold(v.weight()); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *groups) open(e *env) *group {
	gr := &group{slots: append([]Value(nil), e.slots...), root: e.root}
	if g.known {
		gr.root = e.root.only(g.names)
		gr.slots[g.s.from[0].slot] = gr.root
	}
	for _, a := range g.s.aggregates {
		gr.accumulators = append(gr.accumulators, accumulators[a.name]())
	}
	g.order = append(g.order, gr)
	return gr
}

// finish calls visit with e standing on each group. Aggregates without GROUP BY have
// one group even if there was no row.
func (g *groups) finish(e *env, visit func() error) error {
	if len(g.order) == 0 && len(g.s.groupBy) == 0 {
		g.open(e)
	}
	outer, slots, root := e.aggregates, e.slots, e.root
	defer func() { e.aggregates, e.slots, e.root = outer, slots, root }()
	for _, gr := range g.order {
		e.slots, e.root = gr.slots, gr.root
		e.aggregates = make([]Value, len(gr.accumulators))
		for i, a := range gr.accumulators {
			e.aggregates[i] = a.result()
		}
		if err := visit(); err != nil {
			return err
		}
	}
	return nil
}

// only is an object with some of its properties, in memory of its own: a document's text is not held for them.
func (v Value) only(names []string) Value {
	var kept objectBuilder
	for _, name := range names {
		if property := v.Get(name); property.IsDefined() {
			kept.set(name, property.apart())
		}
	}
	return kept.value()
}

// apart is a value in memory of its own.
func (v Value) apart() Value {
	v.str = strings.Clone(v.str)
	if v.kind < Array {
		return v
	}
	items, names := make([]Value, len(v.items)), make([]string, len(v.names))
	for i, item := range v.items {
		items[i] = item.apart()
	}
	for i, name := range v.names {
		names[i] = strings.Clone(name)
	}
	v.items, v.names = items, names
	return v
}
