package sql

import (
	"errors"
	"math"
	"slices"
)

// collector gathers all results of a selection, for what cannot be paged as it comes.
type collector struct {
	s             *selection
	groups        *groups         // when rows are folded
	seen          map[string]bool // DISTINCT
	list          []result
	taken         int // results, those included that are not in the list
	offset, limit int
	ordered       bool
	places        bool // a result is not held, only where it comes from
}

func newCollector(s *selection, e *env) (c *collector, err error) {
	c = &collector{s: s, ordered: len(s.orderBy) > 0}
	if s.aggregated() {
		c.groups = newGroups(s)
	}
	if s.distinct {
		c.seen = map[string]bool{}
	}
	c.offset, c.limit, err = s.window(e)
	return c, err
}

// room is how many results in order are needed to know those of the window.
func (c *collector) room() int {
	if c.limit > math.MaxInt-c.offset {
		return math.MaxInt
	}
	return c.offset + c.limit
}

// full tells whether more rows change nothing.
func (c *collector) full() bool { return !c.ordered && len(c.list) >= c.limit }

// errEnough ends the rows of a document.
var errEnough = errors.New("enough rows")

// add takes the rows of the document that e stands on, and tells whether they are enough.
func (c *collector) add(e *env, number uint64) (enough bool, err error) {
	if c.groups == nil && c.full() {
		return true, nil
	}
	row := -1
	err = c.s.bind(e, 0, func() error {
		row++
		switch {
		case !c.s.passes(e):
			return nil
		case c.groups != nil:
			return c.groups.add(e)
		}
		if err := c.take(e, number, row); err != nil || !c.full() {
			return err
		}
		return errEnough
	})
	if errors.Is(err, errEnough) {
		return true, nil
	}
	return false, err
}

// take projects the row that e stands on.
func (c *collector) take(e *env, number uint64, row int) error {
	v := c.s.project(e)
	if !v.IsDefined() || c.full() {
		return e.budget.failed
	}
	if !e.budget.over(v.weight()) {
		return e.budget.failed
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
	if c.taken++; !c.ordered && c.taken <= c.offset {
		return nil
	}
	next := result{keys: c.s.keys(e), marks: c.s.marks(e), value: v, row: c.taken}
	if c.places {
		next.value, next.number, next.row = Value{}, number, row
	}
	c.list = append(c.list, next)
	e.budget.left -= next.weight()
	if c.ordered && c.s.scores == nil && len(c.list) > c.room() && (len(c.list)/2 >= c.room() || e.budget.left < 0) {
		c.trim(e)
	}
	return e.budget.hold(0)
}

// trim sorts, and lets go what is outside the window.
func (c *collector) trim(e *env) {
	slices.SortFunc(c.list, c.s.compare)
	for _, r := range c.list[c.room():] {
		e.budget.left += r.weight()
	}
	clear(c.list[c.room():])
	c.list = c.list[:c.room()]
}

// finish returns the results in order, without what OFFSET and TOP or LIMIT leave out.
func (c *collector) finish(e *env) ([]result, error) {
	if c.groups != nil {
		if err := c.groups.finish(e, func() error { return c.take(e, 0, 0) }); err != nil {
			return nil, err
		}
	}
	list := c.list
	switch {
	case !c.ordered:
		return list, nil
	case c.s.scores != nil:
		c.s.rank(list)
	default:
		slices.SortFunc(list, c.s.compare)
	}
	list = list[min(c.offset, len(list)):]
	return list[:min(c.limit, len(list))], nil
}

// collect runs a subquery for at most so many results.
func collect(e *env, s *selection, most int) ([]Value, error) {
	c, err := newCollector(s, e)
	if err != nil {
		return nil, err
	}
	c.limit = min(c.limit, most)
	return c.values(e)
}

// values are the results that the document makes that e stands on.
func (c *collector) values(e *env) ([]Value, error) {
	if _, err := c.add(e, 0); err != nil {
		return nil, err
	}
	list, err := c.finish(e)
	values := make([]Value, len(list))
	for i, r := range list {
		values[i] = r.value
	}
	return values, err
}

// exists tells whether a subquery has a result; their order does not matter.
func exists(e *env, s *selection) (bool, error) {
	c, err := newCollector(s, e)
	if err != nil {
		return false, err
	}
	c.limit, c.ordered = min(c.limit, 1), false
	list, err := c.values(e)
	return len(list) > 0, err
}

// evalSubquery returns what a subquery in an expression stands for; what it held is held
// by whoever keeps that. An exhausted budget ends the run at its next step.
func (n *node) evalSubquery(e *env) Value {
	left := e.budget.left
	v, err := n.subquery(e)
	if e.budget.left = left; err != nil {
		e.budget.fail(err)
	}
	return v
}

func (n *node) subquery(e *env) (Value, error) {
	if n.op == opExists {
		found, err := exists(e, n.sub)
		return BoolOf(found), err
	}
	most := math.MaxInt
	if n.op == opScalar || n.op == opFirst {
		most = 1
	}
	list, err := collect(e, n.sub, most)
	switch {
	case err != nil:
		return Value{}, err
	case n.op == opArrayOf:
		return ArrayOf(list), nil
	case n.op == opAll:
		return BoolOf(!slices.ContainsFunc(list, func(v Value) bool { return !v.truth() })), nil
	case len(list) == 0:
		return Value{}, nil
	}
	return list[len(list)-1], nil
}
