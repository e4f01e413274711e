package sql

import (
	"context"
	"fmt"
	"iter"
	"slices"
)

// Item is a document of a Source with its place in the order of creation.
type Item struct {
	Number uint64
	Doc    Value
}

// Source yields the documents to query whose number is at least from, in ascending
// order of number. It may leave out documents that Plan says cannot match.
type Source func(from uint64) iter.Seq2[Item, error]

// Param is a named value for @name; Name starts with @.
type Param struct {
	Name  string
	Value Value
}

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
	e, err := q.env(ctx, params)
	if err != nil {
		return Page{}, err
	}
	r := &run{q: q, s: q.root, e: e, src: src, from: from, limits: limits}
	if r.offset, r.limit, err = q.root.window(e); err != nil {
		return Page{}, err
	}
	switch {
	case q.root.distinct || q.root.aggregated():
		err = r.whole()
	case len(q.root.orderBy) > 0:
		err = r.ordered()
	default:
		err = r.streamed()
	}
	return r.page, err
}

// Matches tells whether WHERE holds for one document.
func (q *Query) Matches(doc Value) (bool, error) {
	e, err := q.env(context.Background(), nil)
	if err != nil {
		return false, err
	}
	e.root = doc
	found := false
	err = q.root.rows(e, func() error {
		found = true
		return nil
	})
	return found, err
}

func (q *Query) env(ctx context.Context, params []Param) (*env, error) {
	e := &env{slots: make([]Value, q.slots), params: make([]Value, len(q.params)), budget: newBudget(ctx)}
	for i, name := range q.params {
		j := slices.IndexFunc(params, func(p Param) bool { return p.Name == name })
		if j < 0 {
			return nil, fmt.Errorf("%w %s", ErrParameter, name)
		}
		e.params[i] = params[j].Value
	}
	return e, nil
}

// run is one page under way.
type run struct {
	q             *Query
	s             *selection
	e             *env
	src           Source
	from          Cursor
	limits        Limits
	offset, limit int
	page          Page
}

// documents calls visit with e standing on each document from a number on, until it
// says stop. A query without FROM has one row and no document.
func (r *run) documents(from uint64, visit func(number uint64) (stop bool, err error)) error {
	if len(r.s.from) == 0 {
		if from > 0 {
			return nil
		}
		_, err := visit(0)
		return err
	}
	for item, err := range r.src(from) {
		if err != nil {
			return err
		}
		r.page.Looked++
		r.e.root = item.Doc
		if err := r.e.budget.step(); err != nil {
			return err
		}
		if stop, err := visit(item.Number); stop || err != nil {
			return err
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
		if r.page.Looked > r.limits.Looked {
			r.page.Next = &Cursor{Number: number, Seen: seen}
			return true, nil
		}
		row, skip := 0, 0
		if number == r.from.Number {
			skip = r.from.Row
		}
		stop := false
		err := r.s.rows(r.e, func() error {
			if row++; stop || row <= skip {
				return nil
			}
			v := r.s.project(r.e)
			switch {
			case !v.IsDefined():
				return nil
			case seen >= r.end():
				stop = true
				return nil
			case seen >= r.offset && !r.fits(v):
				r.page.Next = &Cursor{Number: number, Row: row - 1, Seen: seen}
				stop = true
				return nil
			}
			seen++
			if r.limits.Eager && len(r.page.Rows) == r.limits.Rows {
				r.page.Next = &Cursor{Number: number, Row: row, Seen: seen}
				stop = true
			}
			return nil
		})
		return stop || seen >= r.end(), err
	})
}

// end is the count of results after which the query is over, OFFSET's included.
func (r *run) end() int {
	if end := r.offset + r.limit; end >= r.offset {
		return end
	}
	return r.limit
}

// ordered pages ORDER BY: each page looks at all documents and keeps the best ones
// after the cursor.
func (r *run) ordered() error {
	after := result{keys: r.from.Keys, number: r.from.Number, row: r.from.Row}
	best := &best{s: r.s, room: max(0, r.offset-r.from.Seen) + r.limits.Rows + 1, budget: maxHeld}
	err := r.documents(0, func(number uint64) (bool, error) {
		row := -1
		return false, r.s.rows(r.e, func() error {
			row++
			next := result{keys: r.s.keys(r.e), number: number, row: row}
			if after.keys != nil && r.s.compare(next, after) <= 0 || !best.wants(next) {
				return nil
			}
			if next.value = r.s.project(r.e); next.value.IsDefined() {
				best.add(next)
			}
			return nil
		})
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
	c := newCollector(r.s)
	err := r.documents(0, func(uint64) (bool, error) { return false, c.add(r.e) })
	if err != nil {
		return err
	}
	list, err := c.finish(r.e)
	if err != nil {
		return err
	}
	for i := min(r.from.Seen, len(list)); i < len(list); i++ {
		if !r.fits(list[i].value) {
			r.page.Next = &Cursor{Seen: i}
			break
		}
	}
	return nil
}

// best keeps the first results in order, as many as there is room and memory for.
type best struct {
	s      *selection
	list   []result // sorted
	room   int
	budget int
	cut    bool // something was left out
}

// wants tells whether a result would be kept.
func (b *best) wants(r result) bool {
	if len(b.list) < b.room || b.s.compare(r, b.list[len(b.list)-1]) < 0 {
		return true
	}
	b.cut = true
	return false
}

func (b *best) add(r result) {
	i, _ := slices.BinarySearchFunc(b.list, r, b.s.compare)
	b.list = slices.Insert(b.list, i, r)
	b.budget -= r.value.weight()
	for len(b.list) > b.room || b.budget < 0 && len(b.list) > 1 {
		b.budget += b.list[len(b.list)-1].value.weight()
		b.list = b.list[:len(b.list)-1]
		b.room = min(b.room, max(1, len(b.list)))
		b.cut = true
	}
}

func (b *best) sorted() []result { return b.list }

// TakesKeys tells whether a cursor with n keys can be one of this query.
func (q *Query) TakesKeys(n int) bool {
	return n == 0 || n == len(q.root.orderBy) && !q.root.distinct && !q.root.aggregated()
}
