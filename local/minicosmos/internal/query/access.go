package query

import (
	"bytes"
	"errors"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// Access is how a query reaches its documents: through the index, through the locators
// of a logical partition, or through all documents. All ways yield ascending numbers,
// so a continuation means the same on each; but for ORDER BY, whose continuation names its keys, they may come in its order.
//
// The index only leaves out documents: whether one is a result, the language decides.
type Access struct {
	Effort Effort

	at         *Sight
	c          *account.Container
	sc         Scope
	from       sql.Cursor // where an ORDER BY goes on
	now        int64
	pk         []byte // stored form of the scope's key
	whole      bool   // the key has a value for each path
	p          *document.Policy
	named      bool         // the view's entries of named paths are the policy's
	built      bool         // so are its terms, and all documents have some
	conditions []*condition // all of which hold; those that no index knows are not here
	sorting    []sql.OrderPath
	filter     *sql.Filter
	window     window
	opened     []*pebble.Iterator
}

// Reach chooses the way: an index wherever WHERE or ORDER BY allow.
func Reach(at *Sight, c *account.Container, q *sql.Query, params []sql.Param, sc Scope, from sql.Cursor) (*Access, error) {
	a := &Access{Effort: usual, at: at, c: c, sc: sc, from: from, now: time.Now().Unix(), p: c.Policy(), filter: q.Filter(params), sorting: q.Sorting()}
	if sc.Key != nil {
		a.pk = sc.Key.AppendStorage(nil)
		a.whole = len(sc.Key) == len(c.PK.Paths)
	}
	s, found, err := document.LoadIndexState(at.View, c.Number)
	if err != nil {
		return nil, err
	}
	if a.named = found && s.Of(a.p); a.p.Wild() != nil {
		a.built = found && s.Built(a.p)
		a.window = newWindow(at, c, sc)
	}
	whole, err := a.condition(a.filter)
	switch {
	case err != nil:
		return nil, err
	case whole == nil:
	case whole.of != nil && !whole.any:
		a.conditions = whole.of
	default:
		a.conditions = []*condition{whole}
	}
	return a, nil
}

// Documents is the sql.Source.
func (a *Access) Documents(from uint64) iter.Seq2[sql.Item, error] {
	return func(yield func(sql.Item, error) bool) {
		if err := errors.Join(a.each(from, yield), a.close()); err != nil {
			yield(sql.Item{}, err)
		}
	}
}

func (a *Access) close() (err error) {
	for _, it := range a.opened {
		err = errors.Join(err, it.Close())
	}
	a.opened = nil
	return err
}

func (a *Access) each(from uint64, yield func(sql.Item, error) bool) error {
	if a.sorting != nil {
		done, err := a.eachSorted(yield)
		if done || err != nil {
			return err
		}
	}
	conditions, last := a.scoped(), a.last()
	var way set // nil: not known yet
	for limit := min(a.Effort.First, last); limit > 0; limit = min(8*limit, last) {
		few, err := a.narrow(conditions, limit)
		if few != nil || err != nil {
			s, err := a.withOver(few, err)
			if err != nil {
				return err
			}
			return a.eachOf(s, from, yield)
		}
		if limit == last {
			break
		}
		if a.sorting != nil { // whoever sorts wants them all
			continue
		}
		if way == nil {
			if way, err = a.way(); err != nil {
				return err
			}
		}
		next, more, err := a.some(way, from, limit, yield)
		if !more || err != nil {
			return err
		}
		from = next
	}
	if way == nil {
		var err error
		if way, err = a.way(); err != nil {
			return err
		}
	}
	return a.eachOf(way, from, yield)
}

// last is the last round of trying the conditions out, 0 for none.
func (a *Access) last() int {
	all, last := a.scoped(), a.Effort.Last
	if len(all) == 0 {
		return 0
	}
	for _, c := range a.conditions {
		if !c.streams() {
			continue
		}
		if last = a.Effort.Few; len(all) == 1 {
			return 0
		}
	}
	return last
}

// way is how documents are looked at that no condition leaves few of; everything is a scan of all.
func (a *Access) way() (set, error) {
	key, err := a.keyed()
	if err != nil {
		return nil, err
	}
	s, err := a.streamed(append(a.conditions[:len(a.conditions):len(a.conditions)], key...))
	switch {
	case s != nil || err != nil:
		return a.withOver(s, err, key...)
	case a.pk == nil:
		return everything{}, nil
	}
	most := math.MaxInt
	if a.sorting == nil { // whoever sorts wants them all
		if most, err = a.worthListing(); err != nil {
			return nil, err
		}
	}
	numbers, all, err := a.located(most)
	if !all && err == nil {
		return everything{}, nil
	}
	return newList(numbers), err
}

// worthListing is how many documents of the scope's key are put in order for each page that wants some of them. Of more,
// the pages together take less when each reads the container's documents on from where the last one ended.
func (a *Access) worthListing() (int, error) {
	last, err := a.at.Last(document.Key(a.c.Number, document.KindDocument))
	if last == nil || err != nil {
		return 0, err
	}
	documents := document.LastNumber(last) // or fewer
	return int(max(math.Sqrt(400*float64(documents)), float64(documents)/8)), nil
}

// some looks at documents from a number on, at no more than limit of them: more tells that there may be more, from next on,
// and that they are wanted.
func (a *Access) some(s set, from uint64, limit int, yield func(sql.Item, error) bool) (next uint64, more bool, err error) {
	if _, all := s.(everything); all {
		return a.scan(from, limit, yield)
	}
	for next = from; limit > 0; limit-- {
		n, found, err := s.seek(next)
		if !found || err != nil {
			return next, false, err
		}
		next = n + 1
		if more, err := a.visit(n, 0, yield); !more || err != nil {
			return next, false, err
		}
	}
	return next, true, nil
}

func (a *Access) scan(from uint64, limit int, yield func(sql.Item, error) bool) (next uint64, more bool, err error) {
	next = from
	prefix := document.Key(a.c.Number, document.KindDocument)
	err = a.at.Scan(prefix, document.RecordKey(a.c.Number, from), func(_, stored []byte) (bool, error) {
		if limit--; limit < 0 {
			more = true
			return false, nil
		}
		r, err := document.Decode(stored)
		if err != nil {
			return false, err
		}
		next = r.Number + 1
		return a.pass(r, 0, yield)
	})
	return next, more, err
}

// scoped are the conditions, and the scope's key unless rows of it alone serve one of them.
func (a *Access) scoped() []*condition {
	if a.pk == nil {
		return a.conditions
	}
	for _, c := range a.conditions {
		if a.whole && (c.known != nil || c.of == nil && !c.terms) {
			return a.conditions
		}
	}
	return append(a.conditions[:len(a.conditions):len(a.conditions)], &condition{partition: true})
}

// keyed is what the scope's key says of paths that WHERE says nothing of: their rows come in order of number, and the key's
// locators do not.
func (a *Access) keyed() (list []*condition, err error) {
	for i, path := range a.c.PK.Segments()[:len(a.sc.Key)] {
		v := a.sc.Key[i]
		if !v.IsDefined() || slices.ContainsFunc(a.conditions, func(c *condition) bool { return slices.Equal(c.path, path) }) {
			continue
		}
		c, err := a.rows(&sql.Filter{Path: path, Spans: []sql.Span{{Kind: v.Kind(), Low: v, High: v}}})
		if err != nil {
			return nil, err
		}
		if c != nil {
			list = append(list, c)
		}
	}
	return list, nil
}

// withOver adds the documents that have no terms where terms were asked, by WHERE or besides.
func (a *Access) withOver(s set, err error, besides ...*condition) (set, error) {
	if err != nil {
		return nil, err
	}
	for _, c := range append(a.conditions[:len(a.conditions):len(a.conditions)], besides...) {
		if c.usesTerms() {
			over, err := a.over()
			return union{s, over}, err
		}
	}
	return s, nil
}

// eachOf yields the documents of a set.
func (a *Access) eachOf(s set, from uint64, yield func(sql.Item, error) bool) error {
	_, _, err := a.some(s, from, math.MaxInt, yield)
	return err
}

// pass yields a document unless it has expired or lies outside the scope.
func (a *Access) pass(r *document.Record, sorted int, yield func(sql.Item, error) bool) (more bool, err error) {
	doc, ok, err := a.value(r)
	if !ok || err != nil {
		return err == nil, err
	}
	return yield(sql.Item{Number: r.Number, Doc: doc, Sorted: sorted}, nil), nil
}

// value is a document as a query sees it, unless it has expired or lies outside the scope.
func (a *Access) value(r *document.Record) (doc sql.Value, ok bool, err error) {
	if r == nil || r.Expired(a.now) || !bytes.HasPrefix(r.PK, a.pk) {
		return doc, false, nil
	}
	if inside, err := a.at.inside(a.c, r, a.sc.Part); !inside || err != nil {
		return doc, false, err
	}
	doc, err = r.Value(&a.c.Home)
	return doc, true, err
}

// visit reads the document with a number and passes it on.
func (a *Access) visit(number uint64, sorted int, yield func(sql.Item, error) bool) (more bool, err error) {
	r, err := document.Load(a.at.View, a.c.Number, number)
	if err != nil {
		return false, err
	}
	return a.pass(r, sorted, yield)
}

// Utilization is what the x-ms-cosmos-index-utilization header says, in JSON.
func (a *Access) Utilization() []byte {
	var singles, composites []sql.Value
	var use func(list []*condition)
	use = func(list []*condition) {
		for _, c := range list {
			if use(c.of); c.path != nil {
				singles = append(singles, sql.ObjectOf([]string{"IndexSpec"}, []sql.Value{sql.StringOf(spec(c.path) + "/?")}))
			}
		}
	}
	use(a.conditions)
	if o := a.order(); o != nil && o.composite != nil {
		var specs []sql.Value
		for _, key := range o.composite {
			specs = append(specs, sql.StringOf(spec(key.Path)+map[bool]string{false: " ASC", true: " DESC"}[key.Descending]))
		}
		composites = append(composites, sql.ObjectOf([]string{"IndexSpecs"}, []sql.Value{sql.ArrayOf(specs)}))
	} else if o != nil && o.bounds == nil {
		singles = append(singles, sql.ObjectOf([]string{"IndexSpec"}, []sql.Value{sql.StringOf(spec(o.path) + "/?")}))
	}
	report := func(singles, composites []sql.Value) sql.Value {
		return sql.ObjectOf([]string{"SingleIndexes", "CompositeIndexes"}, []sql.Value{sql.ArrayOf(singles), sql.ArrayOf(composites)})
	}
	whole := sql.ObjectOf([]string{"UtilizedIndexes", "PotentialIndexes"}, []sql.Value{report(singles, composites), report(nil, nil)})
	return whole.AppendJSON(nil)
}

// spec writes a path as policies do.
func spec(path []string) string {
	return strings.ReplaceAll("/"+strings.Join(path, "/"), sql.Element, "[]")
}

// ValueSource is a source of values numbered from 1.
func ValueSource(values []sql.Value) sql.Source {
	return func(from uint64) iter.Seq2[sql.Item, error] {
		return func(yield func(sql.Item, error) bool) {
			for i, v := range values {
				if n := uint64(i + 1); n >= from && !yield(sql.Item{Number: n, Doc: v}, nil) {
					return
				}
			}
		}
	}
}
