package sql

import (
	"errors"
	"math"
)

// result is a projected row with its place in the order.
type result struct {
	keys   []Value
	marks  [][]float64 // what each score of ORDER BY RANK is made of
	value  Value
	number uint64 // of the document it came from
	row    int    // among the document's rows
}

// rows calls visit on every row that FROM makes of the document and WHERE lets through, until that says errEnough.
func (s *selection) rows(e *env, visit func() error) error {
	err := s.bind(e, 0, func() error {
		if !s.passes(e) {
			return nil
		}
		return visit()
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// passes tells whether WHERE lets the row through that e stands on.
func (s *selection) passes(e *env) bool { return s.where == nil || s.where.eval(e).truth() }

// bind calls visit on every row that FROM makes from its i-th part on.
func (s *selection) bind(e *env, i int, visit func() error) error {
	if i == len(s.from) {
		return visit()
	}
	src := &s.from[i]
	if src.sub != nil {
		left := e.budget.left
		list, err := src.rows(e)
		if err != nil {
			return err
		}
		held := left - e.budget.left
		err = s.bindEach(e, i, list, visit)
		e.budget.left += held
		return err
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

// rows returns what a subquery in FROM is bound to, one after the other.
func (src *source) rows(e *env) (list []Value, err error) {
	if src.derived {
		list = []Value{e.root}
	} else if list, err = collect(e, src.sub, math.MaxInt); err != nil {
		return nil, err
	}
	if !src.iterate {
		return list, nil
	}
	var elements []Value
	for _, v := range list {
		if v.kind == Array {
			elements = append(elements, v.items...)
		}
	}
	return elements, nil
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
	held := 0
	for _, it := range s.items {
		v := it.expr.eval(e)
		if held += v.weight(); e.budget.built(held) != nil {
			return Value{}
		}
		if v.IsDefined() {
			b.set(it.name, v)
		}
	}
	return b.value()
}

func (s *selection) keys(e *env) []Value {
	if len(s.orderBy) == 0 || s.scores != nil {
		return nil
	}
	keys, held := make([]Value, len(s.orderBy)), 0
	for i, o := range s.orderBy {
		keys[i] = o.expr.eval(e)
		if held += keys[i].weight(); !e.budget.over(held) || e.budget.built(held) != nil {
			break
		}
	}
	return keys
}

// compare orders results by ORDER BY, then by document in the direction of the first key (clients that go on among equals
// rely on it), then by row.
func (s *selection) compare(a, b result) int {
	for i, o := range s.orderBy {
		if c := o.compare(a.keys[i], b.keys[i]); c != 0 {
			return c
		}
	}
	if a.number != b.number {
		if a.number < b.number == (len(s.orderBy) > 0 && s.orderBy[0].descending) {
			return 1
		}
		return -1
	}
	return a.row - b.row
}

func (o *orderItem) compare(a, b Value) int {
	c := Compare(a, b)
	if o.descending || o.similarity && a.IsDefined() != b.IsDefined() { // what has no vector comes last
		return -c
	}
	return c
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
