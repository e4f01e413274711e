package sql

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"time"
)

// Item is a document of a Source with its place in the order of creation.
type Item struct {
	Number uint64
	Doc    Value
	// Sorted is how many keys of ORDER BY the documents are sorted by from this one on: none that is still to come is
	// before it. One more than there are keys: equal ones are in order of number, too, descending if the first key is.
	Sorted int
}

// Source yields the documents to query whose number is at least from, in ascending
// order of number. It may leave out documents that do not satisfy the Filter. For a query
// with Sorting it may yield them, each once, in any order that Item.Sorted tells.
type Source func(from uint64) iter.Seq2[Item, error]

// Limits bound one page.
type Limits struct {
	Rows   int // results, at least 1
	Bytes  int // of results; a page has at least one result
	Looked int // documents looked at by a query that streams; then the page ends early
	// Eager ends a full page with a cursor without looking whether anything is left, as
	// the service's gateway does across partitions: the last page may be empty.
	Eager bool
}

// Page is a part of a query's results.
type Page struct {
	Rows   []Value
	Next   *Cursor // where the next page starts, nil after the last one
	Looked int     // documents looked at
	Bytes  int     // of the results
}

// Cursor is where a page starts.
type Cursor struct {
	Number uint64  // of the first document to look at; of the last result when Keys is set
	Row    int     // rows of that document to skip; of the last result when Keys is set
	Seen   int     // results before this page, OFFSET's included
	Keys   []Value // ORDER BY's values of the last result
}

// Run evaluates one page. params must hold what the query names.
func (q *Query) Run(ctx context.Context, params []Param, src Source, from Cursor, limits Limits) (Page, error) {
	e, err := q.env(newBudget(ctx), params)
	if err != nil {
		return Page{}, err
	}
	return q.run(e, src, from, limits)
}

func (q *Query) run(e *env, src Source, from Cursor, limits Limits) (_ Page, err error) {
	r := &run{s: q.root, e: e, src: src, from: from, limits: limits}
	if r.offset, r.limit, err = q.root.window(e); err != nil {
		return Page{}, err
	}
	if err := r.derive(); err != nil {
		return Page{}, err
	}
	switch {
	case q.root.distinct || q.root.aggregated() || q.root.scores != nil:
		err = r.whole()
	case len(q.root.orderBy) > 0:
		err = r.ordered()
	default:
		err = r.streamed()
	}
	return r.page, err
}

// matchingSteps is how long Matches may take, in rows: some tenths of a second.
const matchingSteps = 1 << 20

// Matches tells whether WHERE holds for one document. It is asked while others wait to write, so nobody's context but a
// bound of its own ends it: ErrEffort.
func (q *Query) Matches(doc Value) (bool, error) {
	e, err := q.env(limitedBudget(matchingSteps), nil)
	if err != nil {
		return false, err
	}
	if len(q.root.from) > 0 && q.root.from[0].derived {
		page, err := q.run(e, each([]Value{doc}), Cursor{}, Limits{Rows: 1, Bytes: math.MaxInt, Looked: math.MaxInt / 2})
		return len(page.Rows) > 0, err
	}
	e.root = doc
	found := false
	err = q.root.rows(e, func() error {
		found = true
		return errEnough
	})
	return found, cmp.Or(err, e.budget.failed)
}

func (q *Query) env(b *budget, params []Param) (*env, error) {
	e := &env{slots: make([]Value, q.slots), params: make([]Value, len(q.params)), budget: b, now: time.Now()}
	find := named(params)
	for i, name := range q.params {
		v, ok := find(name)
		if !ok {
			return nil, fmt.Errorf("%w %s", ErrParameter, name)
		}
		e.params[i] = v
	}
	return e, nil
}

// run is one page under way.
type run struct {
	s             *selection
	e             *env
	src           Source
	derived       bool // src has the rows of a subquery, not documents
	sorted        int  // of the document that e stands on
	from          Cursor
	limits        Limits
	offset, limit int
	page          Page
}

// derive computes the subquery that FROM starts with, if it is one over all documents,
// and puts its rows in their place.
func (r *run) derive() error {
	if len(r.s.from) == 0 || !r.s.from[0].derived {
		return nil
	}
	inner := &run{s: r.s.from[0].sub, e: r.e, src: r.src}
	if err := inner.derive(); err != nil {
		return err
	}
	list, err := inner.all()
	if err == nil && inner.s.scores != nil {
		list, err = inner.fill(list, math.MaxInt)
	}
	if err != nil {
		return err
	}
	values := make([]Value, len(list))
	for i, result := range list {
		values[i] = result.value
	}
	r.src, r.derived = each(values), true
	r.page.Looked = inner.page.Looked
	return nil
}

// each is a source of values that are not stored, numbered from 1.
func each(values []Value) Source {
	return func(from uint64) iter.Seq2[Item, error] {
		return func(yield func(Item, error) bool) {
			for i, v := range values {
				if n := uint64(i + 1); n >= from && !yield(Item{Number: n, Doc: v}, nil) {
					return
				}
			}
		}
	}
}

// all returns all results; of ranked ones only where they come from.
func (r *run) all() ([]result, error) {
	c, err := newCollector(r.s, r.e)
	if err != nil {
		return nil, err
	}
	c.places = r.s.scores != nil
	if err := r.documents(0, func(number uint64) (bool, error) { return c.add(r.e, number) }); err != nil {
		return nil, err
	}
	return c.finish(r.e)
}

// documents calls visit with e standing on each document from a number on, until it
// says stop. A query without FROM has one row and no document.
func (r *run) documents(from uint64, visit func(number uint64) (stop bool, err error)) error {
	if len(r.s.from) == 0 {
		if from > 0 {
			return nil
		}
		if _, err := visit(0); err != nil {
			return err
		}
		return r.e.budget.failed
	}
	for item, err := range r.src(from) {
		if err != nil {
			return err
		}
		if !r.derived {
			r.page.Looked++
		}
		r.e.root, r.sorted = item.Doc, item.Sorted
		if err := r.e.budget.work(1 + item.Doc.weight()/bytesPerStep); err != nil {
			return err
		}
		stop, err := visit(item.Number)
		if err != nil {
			return err
		}
		if stop {
			break
		}
	}
	return r.e.budget.failed
}

// fits takes a result into the page unless it is full.
func (r *run) fits(v Value) bool {
	size := v.weight()
	if len(r.page.Rows) >= r.limits.Rows || len(r.page.Rows) > 0 && r.page.Bytes+size > r.limits.Bytes {
		return false
	}
	r.page.Rows = append(r.page.Rows, v)
	r.page.Bytes += size
	return true
}

// streamed pages a query whose results come document by document.
func (r *run) streamed() error {
	seen := r.from.Seen
	if seen >= r.end() {
		return nil
	}
	return r.documents(r.from.Number, func(number uint64) (bool, error) {
		if !r.derived && r.page.Looked > r.limits.Looked {
			r.page.Next = &Cursor{Number: number, Seen: seen}
			return true, nil
		}
		row, skip := 0, 0
		if number == r.from.Number {
			skip = r.from.Row
		}
		stop := false
		err := r.s.rows(r.e, func() error {
			if row++; row <= skip {
				return nil
			}
			v := r.s.project(r.e)
			switch {
			case !v.IsDefined():
				return nil
			case seen >= r.offset && !r.fits(v):
				r.page.Next = &Cursor{Number: number, Row: row - 1, Seen: seen}
				stop = true
				return errEnough
			}
			seen++
			if stop = seen >= r.end(); r.limits.Eager && len(r.page.Rows) == r.limits.Rows {
				r.page.Next = &Cursor{Number: number, Row: row, Seen: seen}
				stop = true
			}
			if stop {
				return errEnough
			}
			return nil
		})
		return stop, err
	})
}

// end is the count of results after which the query is over, OFFSET's included.
func (r *run) end() int {
	if end := r.offset + r.limit; end >= r.offset {
		return end
	}
	return r.limit
}

// ordered pages ORDER BY: each page looks at all documents, or at sorted ones until none is better, and keeps the best
// ones after the cursor.
func (r *run) ordered() error {
	after := result{keys: r.from.Keys, number: r.from.Number, row: r.from.Row}
	room := max(0, r.offset-r.from.Seen) + r.limits.Rows + 1
	best := &best{s: r.s, room: max(1, min(room, r.end()-r.from.Seen)), budget: maxHeld}
	err := r.documents(0, func(number uint64) (enough bool, err error) {
		row := -1
		err = r.s.rows(r.e, func() error {
			row++
			next := result{keys: r.s.keys(r.e), number: number, row: row}
			if after.keys != nil && r.s.compare(next, after) <= 0 {
				return nil
			}
			if !best.wants(next) {
				if enough = best.settled(next, r.sorted); enough {
					return errEnough
				}
				return nil
			}
			if next.value = r.s.project(r.e); next.value.IsDefined() {
				best.add(next)
			}
			return nil
		})
		return enough, err
	})
	if err != nil {
		return err
	}
	r.emit(best.sorted(), best.cut)
	return nil
}

// emit turns ordered results into a page; more tells that results beyond them exist.
func (r *run) emit(list []result, more bool) {
	seen, last := r.from.Seen, (*result)(nil)
	for i := range list {
		if seen >= r.end() {
			return
		}
		if seen >= r.offset && !r.fits(list[i].value) {
			more = true
			break
		}
		seen++
		last = &list[i]
	}
	if more && last != nil && seen < r.end() {
		r.page.Next = &Cursor{Number: last.number, Row: last.row, Seen: seen, Keys: last.keys}
	}
}

// whole pages what must be complete before its first result is known: each page
// computes all of it.
func (r *run) whole() error {
	list, err := r.all()
	if err != nil {
		return err
	}
	total, seen := len(list), r.from.Seen
	list = list[min(seen, total):]
	if r.s.scores != nil {
		if list, err = r.fill(list[:min(r.limits.Rows, len(list))], r.limits.Bytes); err != nil {
			return err
		}
	}
	for _, next := range list {
		if !r.fits(next.value) {
			break
		}
		seen++
	}
	if seen < total {
		r.page.Next = &Cursor{Seen: seen}
	}
	return nil
}

// TakesKeys tells whether a cursor with n keys can be one of this query.
func (q *Query) TakesKeys(n int) bool {
	return n == 0 || n == len(q.root.orderBy) && !q.root.distinct && !q.root.aggregated()
}
