package query

import (
	"encoding/binary"
	"slices"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/index"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// order is rows in the order of ORDER BY: the entries of its first path, or those of a composite index.
type order struct {
	keys      []byte // what precedes an entry in the keys
	backwards bool   // the rows are read from their end
	pathSize  int    // of an entry's path
	bounds    *condition
	terms     bool // documents that are over are missing

	path []string // the first key's; where it is undefined there are no rows

	composite []sql.OrderPath // nil: entries of a path
	number    int             // of the composite index
	first     int             // its part that is the first key; WHERE has the ones before
	ties      bool            // its equal rows come as ORDER BY wants them: in the direction of the first key
}

// order chooses the rows, nil if there are none in that order.
func (a *Access) order() *order {
	if a.sorting == nil {
		return nil
	}
	if o := a.compositeOrder(); o != nil {
		return o
	}
	o := &order{path: a.sorting[0].Path, backwards: a.sorting[0].Descending}
	for _, c := range a.conditions {
		if slices.Equal(c.path, o.path) { // it has all documents that WHERE leaves
			o.keys, o.bounds, o.terms, o.pathSize = c.keys, c, c.terms, index.PathSize
			if !c.terms {
				o.pathSize = len(document.NamedPath(0))
			}
			return o
		}
	}
	if !a.built || !a.p.Wild().Has(o.path) {
		return nil
	}
	o.keys, o.terms, o.pathSize = document.Key(a.c.Number, document.KindTerm), true, index.PathSize
	return o
}

// pins tells whether the rows are only those that a condition leaves.
func (o *order) pins(c *condition) bool {
	return slices.ContainsFunc(o.composite[:o.first], func(key sql.OrderPath) bool { return slices.Equal(key.Path, c.path) })
}

// eachSorted yields the documents in the order of ORDER BY, unless there are only some anyway: done tells.
func (a *Access) eachSorted(yield func(sql.Item, error) bool) (done bool, err error) {
	few, err := a.narrowed(a.scoped(), a.Effort.First)
	if few != nil || err != nil {
		return false, err
	}
	o := a.order()
	if o == nil {
		return false, nil
	}
	var others []*condition
	for _, c := range a.conditions {
		if c != o.bounds && !o.pins(c) {
			others = append(others, c)
		}
	}
	s := &sorter{Access: a, order: o, yield: yield}
	if s.only, err = a.narrowed(others, a.Effort.Few); err == nil && s.only != nil && slices.ContainsFunc(others, (*condition).usesTerms) {
		s.only, err = a.orOver(s.only)
	}
	if err != nil {
		return false, err
	}
	return true, s.run()
}

// orOver adds the documents that have no terms.
func (a *Access) orOver(l list) (list, error) {
	over, err := a.over()
	if err != nil {
		return nil, err
	}
	numbers, err := members(over)
	return newList(slices.Concat(l, numbers)), err
}

// sorter yields documents by the rows of an order.
type sorter struct {
	*Access
	*order
	only  list // nil: any
	yield func(sql.Item, error) bool
	ended bool // nobody wants more
}

func (s *sorter) run() error {
	if s.composite != nil {
		return s.rows([]index.Interval{s.compositeInterval()})
	}
	if s.terms {
		if err := s.unsorted(); s.ended || err != nil {
			return err
		}
	}
	if s.bounds != nil {
		return s.rows(s.bounds.intervals)
	}
	path := index.Path(s.path)
	all := []index.Interval{{Low: path, High: index.After(path)}}
	if s.backwards {
		if err := s.rows(all); s.ended || err != nil {
			return err
		}
		return s.undefined()
	}
	if err := s.undefined(); s.ended || err != nil {
		return err
	}
	return s.rows(all)
}

// unsorted yields the documents that have no terms; they are in no order.
func (s *sorter) unsorted() error {
	over, err := s.over()
	if err != nil {
		return err
	}
	return s.eachOf(over, 0, func(item sql.Item, err error) bool {
		s.ended = !s.yield(item, err)
		return !s.ended
	})
}

// rows yields the documents of some intervals, in their order or backwards, from where the query goes on.
func (s *sorter) rows(intervals []index.Interval) error {
	if s.composite == nil {
		if len(s.Access.from.Keys) > 0 {
			intervals = index.Intersection(intervals, []index.Interval{s.rest(s.Access.from)})
		}
	}
	for i := range intervals {
		in := intervals[i]
		if s.backwards {
			in = intervals[len(intervals)-1-i]
		}
		if err := s.interval(in); s.ended || err != nil {
			return err
		}
	}
	return nil
}

func (s *sorter) interval(in index.Interval) error {
	it, err := s.at.Between(between(s.keys, in))
	if err != nil {
		return err
	}
	s.opened = append(s.opened, it)
	valid, next := it.First, it.Next
	if s.backwards {
		valid, next = it.Last, it.Prev
	}
	for ok := valid(); ok; ok = next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if n := document.LastNumber(it.Key()); s.outside(value) || s.only != nil && !s.only.has(n) {
			continue
		}
		if err := s.row(it.Key(), value); s.ended || err != nil {
			return err
		}
	}
	return it.Error()
}

// row yields the document of a row.
func (s *sorter) row(key, value []byte) error {
	entry := key[len(s.keys) : len(key)-8]
	sorted := 0
	switch {
	case s.composite != nil:
		if value[len(value)-1] == 1 {
			if sorted = len(s.sorting); s.ties {
				sorted++
			}
		}
	case index.Exact(entry, s.pathSize):
		sorted = s.byFirst()
	}
	r, err := document.Load(s.at.View, s.c.Number, document.LastNumber(key))
	if err != nil {
		return err
	}
	doc, ok, err := s.value(r)
	if !ok || err != nil {
		return err
	}
	if s.composite == nil && string(index.AppendEntry(nil, entry[:s.pathSize], doc.Path(s.path))) != string(entry) {
		return nil // another path with the same hash: this one has a row of its own
	}
	s.ended = !s.yield(sql.Item{Number: r.Number, Doc: doc, Sorted: sorted}, nil)
	return nil
}

// byFirst is the Sorted of an item in order of the first key and then by number.
func (s *sorter) byFirst() int {
	if len(s.sorting) > 1 {
		return 1
	}
	return 2
}

// undefined yields the documents that have nothing at the path: those of all forms without it.
func (s *sorter) undefined() error {
	from := s.Access.from
	if len(from.Keys) > 0 && from.Keys[0].IsDefined() && !s.backwards {
		return nil // they came before
	}
	var all union
	prefix := document.Key(s.c.Number, document.KindFormPaths)
	ids := []uint64{document.FormOther}
	err := s.at.Scan(prefix, nil, func(k, paths []byte) (bool, error) {
		if !(index.Form{Paths: paths}).Has(s.path) {
			ids = append(ids, document.LastNumber(k))
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, id := range ids {
		one, err := s.entry(binary.BigEndian.AppendUint64(document.Key(s.c.Number, document.KindForm), id))
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	if s.backwards {
		return s.backwardsOf(all)
	}
	start := uint64(0)
	if len(from.Keys) == 1 {
		start = from.Number
	}
	return s.eachOf(all, start, s.lacking)
}

// lacking yields a document if it is true that it has nothing at the path.
func (s *sorter) lacking(item sql.Item, err error) bool {
	if err == nil && (item.Doc.Path(s.path).IsDefined() || s.only != nil && !s.only.has(item.Number)) {
		return true
	}
	item.Sorted = s.byFirst()
	s.ended = !s.yield(item, err)
	return !s.ended
}

func (s *sorter) backwardsOf(all set) error {
	numbers, err := members(all)
	if err != nil {
		return err
	}
	for _, n := range slices.Backward(numbers) {
		if more, err := s.visit(n, 0, s.lacking); !more || err != nil {
			return err
		}
	}
	return nil
}

// rest is what the rows of a path have left after a cursor.
func (s *sorter) rest(from sql.Cursor) index.Interval {
	path := index.Path(s.path)
	if !s.terms {
		path = document.NamedPath(uint16(s.p.Find(s.path)))
	}
	all := index.Interval{Low: path, High: index.After(path)}
	v := from.Keys[0]
	if !v.IsDefined() {
		if s.backwards {
			all.High = all.Low // what is undefined comes after all rows
		}
		return all
	}
	entry := index.AppendEntry(nil, path, v)
	return s.after(all, entry, index.Exact(entry, len(path)) && len(from.Keys) == 1, from.Number)
}

// after cuts an interval at an entry, and at a document's number if the order among its rows is that of numbers.
func (s *sorter) after(all index.Interval, entry []byte, byNumber bool, number uint64) index.Interval {
	start := index.Start(entry, s.pathSize)
	switch {
	case byNumber && s.backwards:
		all.High = binary.BigEndian.AppendUint64(slices.Clone(entry), number+1)
	case byNumber:
		all.Low = binary.BigEndian.AppendUint64(slices.Clone(entry), number)
	case s.backwards:
		all.High = index.After(start)
	default:
		all.Low = start
	}
	return all
}
