package sql

import (
	"math"
	"slices"
)

// result is a projected row with its place in the order.
type result struct {
	keys   []Value
	value  Value
	number uint64 // of the document it came from
	row    int    // among the document's rows
}

// rows calls visit on every row that FROM makes of the document and WHERE lets through.
func (s *selection) rows(e *env, visit func() error) error { return s.bind(e, 0, visit) }

func (s *selection) bind(e *env, i int, visit func() error) error {
	if i == len(s.from) {
		if s.where != nil && !s.where.eval(e).truth() {
			return nil
		}
		return visit()
	}
	src := &s.from[i]
	if src.sub != nil {
		list, err := src.sub.collect(e)
		if err != nil {
			return err
		}
		return s.bindEach(e, i, list, visit)
	}
	v := src.expr.eval(e)
	if src.iterate {
		if v.kind != Array {
			return nil
		}
		return s.bindEach(e, i, v.items, visit)
	}
	if !v.IsDefined() {
		return nil
	}
	e.slots[src.slot] = v
	return s.bind(e, i+1, visit)
}

func (s *selection) bindEach(e *env, i int, list []Value, visit func() error) error {
	for _, v := range list {
		e.slots[s.from[i].slot] = v
		if err := e.budget.step(); err != nil {
			return err
		}
		if err := s.bind(e, i+1, visit); err != nil {
			return err
		}
	}
	return nil
}

// project returns SELECT's value for the row that e stands on.
func (s *selection) project(e *env) Value {
	switch {
	case s.star:
		return e.slots[s.from[0].slot]
	case s.value != nil:
		return s.value.eval(e)
	}
	var b objectBuilder
	for _, it := range s.items {
		if v := it.expr.eval(e); v.IsDefined() {
			b.set(it.name, v)
		}
	}
	return b.value()
}

func (s *selection) keys(e *env) []Value {
	if len(s.orderBy) == 0 {
		return nil
	}
	keys := make([]Value, len(s.orderBy))
	for i, o := range s.orderBy {
		keys[i] = o.expr.eval(e)
	}
	return keys
}

// before orders results by ORDER BY, then by document and row.
func (s *selection) compare(a, b result) int {
	for i, o := range s.orderBy {
		if c := Compare(a.keys[i], b.keys[i]); c != 0 {
			if o.descending {
				return -c
			}
			return c
		}
	}
	if a.number != b.number {
		if a.number < b.number {
			return -1
		}
		return 1
	}
	return a.row - b.row
}

// collector gathers all results of a selection, for what cannot be paged as it comes.
type collector struct {
	s      *selection
	groups *groups         // when rows are folded
	seen   map[string]bool // DISTINCT
	list   []result
}

func newCollector(s *selection) *collector {
	c := &collector{s: s}
	if s.aggregated() {
		c.groups = newGroups(s)
	}
	if s.distinct {
		c.seen = map[string]bool{}
	}
	return c
}

// add takes the rows of the document that e stands on.
func (c *collector) add(e *env) error {
	return c.s.rows(e, func() error {
		if c.groups != nil {
			return c.groups.add(e)
		}
		return c.take(e)
	})
}

func (c *collector) take(e *env) error {
	v := c.s.project(e)
	if !v.IsDefined() {
		return nil
	}
	if c.seen != nil {
		signature := string(v.appendCanonical(nil))
		if c.seen[signature] {
			return nil
		}
		c.seen[signature] = true
		if err := e.budget.hold(len(signature)); err != nil {
			return err
		}
	}
	c.list = append(c.list, result{keys: c.s.keys(e), value: v, row: len(c.list)})
	return e.budget.hold(v.weight())
}

// finish returns the results in order, without what OFFSET and TOP or LIMIT leave out.
func (c *collector) finish(e *env) ([]result, error) {
	if c.groups != nil {
		if err := c.groups.finish(e, func() error { return c.take(e) }); err != nil {
			return nil, err
		}
	}
	if len(c.s.orderBy) > 0 {
		slices.SortFunc(c.list, c.s.compare)
	}
	offset, limit, err := c.s.window(e)
	if err != nil {
		return nil, err
	}
	list := c.list[min(offset, len(c.list)):]
	return list[:min(limit, len(list))], nil
}

// window evaluates OFFSET and the smaller of TOP and LIMIT.
func (s *selection) window(e *env) (offset, limit int, err error) {
	offset, limit = 0, math.MaxInt
	if s.offset != nil {
		if offset, err = count(s.offset, e); err != nil {
			return 0, 0, err
		}
	}
	for _, n := range []*node{s.top, s.limit} {
		if n == nil {
			continue
		}
		k, err := count(n, e)
		if err != nil {
			return 0, 0, err
		}
		limit = min(limit, k)
	}
	return offset, limit, nil
}

func count(n *node, e *env) (int, error) {
	i, ok := integer(n.eval(e))
	if !ok || i < 0 || i > math.MaxInt32 {
		return 0, ErrCount
	}
	return int(i), nil
}

// collect runs a subquery.
func (s *selection) collect(e *env) ([]Value, error) {
	c := newCollector(s)
	if err := c.add(e); err != nil {
		return nil, err
	}
	list, err := c.finish(e)
	values := make([]Value, len(list))
	for i, r := range list {
		values[i] = r.value
	}
	return values, err
}

// evalSubquery returns what a subquery in an expression stands for. An exhausted
// budget ends the run at its next step.
func (n *node) evalSubquery(e *env) Value {
	list, err := n.sub.collect(e)
	if err != nil {
		e.budget.fail(err)
		return Value{}
	}
	switch n.op {
	case opExists:
		return BoolOf(len(list) > 0)
	case opArrayOf:
		return ArrayOf(list)
	case opAll:
		return BoolOf(!slices.ContainsFunc(list, func(v Value) bool { return !v.truth() }))
	}
	switch {
	case len(list) == 0:
		return Value{}
	case n.op == opLast:
		return list[len(list)-1]
	}
	return list[0]
}
