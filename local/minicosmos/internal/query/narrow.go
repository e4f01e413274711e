package query

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/index"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// Effort is how much is tried before documents are looked at one after the other. A condition of the filter is tried out:
// its rows are read, all conditions alike, until one of them has no more. That one is the most selective, and those that
// ended with it narrow it down. Each round reads more rows, up to a last one; between them as many documents are looked at,
// since a page may need no more.
type Effort struct {
	First int // rows of the first round
	Last  int // of the last, when nothing else serves the query
	// Few is the last round where something does: the rows of single values come in order of number by themselves, and
	// those of an order may end early.
	Few int
}

var usual = Effort{First: 256, Few: 16 << 10, Last: 128 << 10}

// condition is a part of the filter that the index can answer: rows of a path, or all or any of other conditions.
type condition struct {
	path      []string
	keys      []byte // what precedes an entry in the keys
	terms     bool   // they are terms: a document that is over has none
	intervals []index.Interval
	known     list // the answer, for what is no interval
	partition bool // the documents of the scope's key
	of        []*condition
	any       bool
}

// condition is what the index knows of a filter, nil for nothing.
func (a *Access) condition(f *sql.Filter) (*condition, error) {
	if f == nil {
		return nil, nil
	}
	if f.Of == nil {
		return a.rows(f)
	}
	c := &condition{any: f.Any}
	for _, part := range f.Of {
		next, err := a.condition(part)
		if err != nil {
			return nil, err
		}
		switch {
		case next == nil && f.Any:
			return nil, nil
		case next != nil && next.of != nil && next.any == f.Any:
			for _, below := range next.of {
				c.join(below)
			}
		case next != nil:
			c.join(next)
		}
	}
	for _, below := range c.of {
		if f.Any && below.path != nil {
			below.intervals = index.Union(below.intervals, nil)
		}
	}
	switch len(c.of) {
	case 0:
		return nil, nil
	case 1:
		return c.of[0], nil
	}
	return c, nil
}

// join adds a condition; two of one path are one, whose intervals are put in order when all have joined. Under AND only if
// both are of the same value: not in arrays.
func (c *condition) join(next *condition) {
	for _, other := range c.of {
		switch {
		case next.path == nil || !slices.Equal(other.path, next.path) || string(other.keys) != string(next.keys):
		case c.any:
			other.intervals = append(other.intervals, next.intervals...)
			return
		case !slices.Contains(next.path, sql.Element):
			other.intervals = index.Intersection(other.intervals, next.intervals)
			return
		}
	}
	c.of = append(c.of, next)
}

// rows is where the values at a path stand that lie in some spans.
func (a *Access) rows(f *sql.Filter) (*condition, error) {
	if ids, ok := points(f.Spans); ok && a.whole && len(f.Path) == 1 && f.Path[0] == "id" {
		known, err := a.locate(ids)
		return &condition{known: known}, err
	}
	scalars := !slices.ContainsFunc(f.Spans, func(s sql.Span) bool { return s.Kind == sql.Undefined || s.Kind > sql.String })
	if n := a.p.Find(f.Path); n >= 0 && a.named && scalars {
		return &condition{path: f.Path, keys: a.namedKeys(), intervals: index.Intervals(document.NamedPath(uint16(n)), f.Spans)}, nil
	}
	if !a.built || !a.p.Wild().Has(f.Path) {
		return nil, nil
	}
	return &condition{path: f.Path, keys: document.Key(a.c.Number, document.KindTerm), terms: true, intervals: index.Intervals(index.Path(f.Path), f.Spans)}, nil
}

// namedKeys is what precedes the entries of named paths: inside the logical partition if the scope is one.
func (a *Access) namedKeys() []byte {
	if a.whole {
		return document.IndexPrefix(a.c.Number, a.pk, nil)
	}
	return document.IndexPrefix(a.c.Number, nil, nil)
}

func points(spans []sql.Span) (values []sql.Value, ok bool) {
	for _, s := range spans {
		if !s.IsPoint() {
			return nil, false
		}
		values = append(values, s.Low)
	}
	return values, true
}

// locate finds the documents of the logical partition with some ids.
func (a *Access) locate(ids []sql.Value) (list, error) {
	numbers := list{}
	for _, id := range ids {
		text, _ := id.Str()
		_, err := a.at.Get(document.LocatorKey(a.c.Number, a.pk, text), func(stored []byte) error {
			n, err := numberOf(stored)
			numbers = append(numbers, n)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return newList(numbers), nil
}

// located are the documents of the scope's key, if there are no more than limit.
func (a *Access) located(limit int) (numbers []uint64, all bool, err error) {
	err = a.at.Scan(document.LocatorPrefix(a.c.Number, a.pk), nil, func(_, stored []byte) (bool, error) {
		n, err := numberOf(stored)
		numbers = append(numbers, n)
		return len(numbers) <= limit, err
	})
	return numbers, len(numbers) <= limit, err
}

func numberOf(stored []byte) (uint64, error) {
	if len(stored) != 8 {
		return 0, document.ErrCorrupt
	}
	return binary.BigEndian.Uint64(stored), nil
}

// usesTerms tells whether documents that are over may be missing.
func (c *condition) usesTerms() bool {
	return c.terms || slices.ContainsFunc(c.of, (*condition).usesTerms)
}

// maxStreams bounds the rows that are read side by side: each has an iterator of its own, and is asked for each document.
const maxStreams = 64

// streams tells whether rows come in order of number by themselves.
func (c *condition) streams() bool {
	n, ok := c.count()
	return ok && n <= maxStreams
}

// count is how many rows are read side by side, if they come in order.
func (c *condition) count() (n int, ok bool) {
	if c.partition || c.of != nil && !c.any || slices.ContainsFunc(c.intervals, func(i index.Interval) bool { return !i.Point }) {
		return 0, false
	}
	for _, part := range c.of {
		below, ok := part.count()
		if n += below; !ok {
			return 0, false
		}
	}
	return n + len(c.intervals), true
}

// gather reads rows, and returns the numbers if there are no more than limit.
func (a *Access) gather(c *condition, limit int) (numbers []uint64, all bool, err error) {
	if c.partition {
		return a.located(limit)
	}
	if c.known != nil || c.of == nil && len(c.intervals) == 0 {
		return c.known, true, nil
	}
	for _, part := range c.of {
		some, done, err := a.gather(part, limit-len(numbers))
		switch {
		case err != nil:
			return nil, false, err
		case done && !c.any:
			return some, true, nil
		case !done && c.any:
			return nil, false, nil
		}
		numbers = append(numbers, some...)
	}
	if c.of != nil {
		return numbers, c.any, nil
	}
	read := 0
	for _, in := range c.intervals {
		err := a.eachRow(c.keys, in, func(key, value []byte) bool {
			if read++; read <= limit && !a.outside(value) {
				numbers = append(numbers, document.LastNumber(key))
			}
			return read <= limit
		})
		if err != nil || read > limit {
			return nil, false, err
		}
	}
	return numbers, true, nil
}

// eachRow visits the rows of an interval until visit says stop.
func (a *Access) eachRow(keys []byte, in index.Interval, visit func(key, value []byte) bool) (err error) {
	it, err := a.at.Between(between(keys, in))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for valid := it.First(); valid; valid = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if !visit(it.Key(), value) {
			return nil
		}
	}
	return it.Error()
}

// between are the keys of an interval of entries.
func between(keys []byte, in index.Interval) (low, high []byte) {
	high = index.After(keys)
	if in.High != nil {
		high = slices.Concat(keys, in.High)
	}
	return slices.Concat(keys, in.Low), high
}

// narrowed are the documents that the conditions leave, nil where they leave too many. last is the last round.
func (a *Access) narrowed(conditions []*condition, last int) (list, error) {
	for limit := min(a.Effort.First, last); ; limit = min(8*limit, last) {
		few, err := a.narrow(conditions, limit)
		if few != nil || err != nil || limit == last {
			return few, err
		}
	}
}

// narrow is one round.
func (a *Access) narrow(conditions []*condition, limit int) (best list, err error) {
	for _, c := range conditions {
		numbers, all, err := a.gather(c, limit)
		switch {
		case err != nil:
			return nil, err
		case !all:
		case best == nil:
			best = newList(slices.Clone(numbers))
		default:
			best = shared(best, newList(slices.Clone(numbers)))
		}
	}
	return best, nil
}

// streamed are the documents of those conditions whose rows come in order, nil if there are none.
func (a *Access) streamed(conditions []*condition) (set, error) {
	var all intersection
	for _, c := range conditions {
		if !c.streams() {
			continue
		}
		s, err := a.stream(c)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	switch len(all) {
	case 0:
		return nil, nil
	case 1:
		return all[0], nil
	}
	return all, nil
}

func (a *Access) stream(c *condition) (set, error) {
	if c.known != nil {
		return c.known, nil
	}
	var all union
	for _, part := range c.of {
		s, err := a.stream(part)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	for _, in := range c.intervals {
		s, err := a.entry(slices.Concat(c.keys, in.Low))
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

// entry is the rows under a key but for the number.
func (a *Access) entry(prefix []byte) (set, error) {
	it, err := a.at.Between(prefix, index.After(prefix))
	if err != nil {
		return nil, err
	}
	a.opened = append(a.opened, it)
	return &stream{it: it, prefix: prefix, outside: a.outside}, nil
}

// over are the documents without terms.
func (a *Access) over() (set, error) {
	return a.entry(binary.BigEndian.AppendUint64(document.Key(a.c.Number, document.KindForm), document.FormOver))
}
