package query

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// Access is how a query reaches its documents: through an index, through the locators
// of a logical partition, or through all documents. All ways yield ascending numbers,
// so a continuation means the same on each.
type Access struct {
	at    *Sight
	c     *account.Container
	sc    Scope
	now   int64
	pk    []byte       // stored form of the scope's key
	whole bool         // the key has a value for each path
	plan  []sql.Lookup // nil: no index serves the query
	p     *document.Policy
}

// Reach chooses the way: an index wherever WHERE allows.
func Reach(at *Sight, c *account.Container, q *sql.Query, params []sql.Param, sc Scope) *Access {
	a := &Access{at: at, c: c, sc: sc, now: time.Now().Unix(), p: c.Policy()}
	if sc.Key != nil {
		a.pk = sc.Key.AppendStorage(nil)
		a.whole = len(sc.Key) == len(c.PK.Paths)
	}
	a.plan = q.Plan(params, func(path []string) bool { return a.p.Find(path) >= 0 })
	return a
}

// Documents is the sql.Source.
func (a *Access) Documents(from uint64) iter.Seq2[sql.Item, error] {
	return func(yield func(sql.Item, error) bool) {
		if err := a.each(from, yield); err != nil {
			yield(sql.Item{}, err)
		}
	}
}

func (a *Access) each(from uint64, yield func(sql.Item, error) bool) error {
	switch {
	case a.plan != nil:
		return a.eachIndexed(from, yield)
	case a.pk != nil:
		return a.eachOfKey(from, yield)
	}
	prefix := document.Key(a.c.Number, document.KindDocument)
	return a.at.Scan(prefix, document.RecordKey(a.c.Number, from), func(_, stored []byte) (bool, error) {
		r, err := document.Decode(stored)
		if err != nil {
			return false, err
		}
		return a.pass(r, yield)
	})
}

// pass yields a document unless it has expired or lies outside the scope.
func (a *Access) pass(r *document.Record, yield func(sql.Item, error) bool) (more bool, err error) {
	if r == nil || r.Expired(a.now) || !bytes.HasPrefix(r.PK, a.pk) {
		return true, nil
	}
	if inside, err := a.at.inside(a.c, r, a.sc.Part); !inside || err != nil {
		return true, err
	}
	doc, err := r.Value(&a.c.Home)
	if err != nil {
		return false, err
	}
	return yield(sql.Item{Number: r.Number, Doc: doc}, nil), nil
}

// visit reads the document with a number and passes it on.
func (a *Access) visit(number uint64, yield func(sql.Item, error) bool) (more bool, err error) {
	r, err := document.Load(a.at.View, a.c.Number, number)
	if err != nil {
		return false, err
	}
	return a.pass(r, yield)
}

// eachOfKey goes through the locators of the key; they are in order of id, and their
// numbers are sorted first (8 bytes a document).
func (a *Access) eachOfKey(from uint64, yield func(sql.Item, error) bool) error {
	var numbers []uint64
	err := a.at.Scan(document.LocatorPrefix(a.c.Number, a.pk), nil, func(_, stored []byte) (bool, error) {
		if len(stored) != 8 {
			return false, document.ErrCorrupt
		}
		if n := binary.BigEndian.Uint64(stored); n >= from {
			numbers = append(numbers, n)
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		if more, err := a.visit(n, yield); !more || err != nil {
			return err
		}
	}
	return nil
}

// eachIndexed merges the entries of the plan's alternatives by number.
func (a *Access) eachIndexed(from uint64, yield func(sql.Item, error) bool) (err error) {
	heads, closeAll, err := a.heads(from)
	defer func() { err = errors.Join(err, closeAll()) }()
	if err != nil {
		return err
	}
	for last := uint64(0); len(heads) > 0; {
		i := 0
		for j := range heads {
			if document.LastNumber(heads[j].Key()) < document.LastNumber(heads[i].Key()) {
				i = j
			}
		}
		number := document.LastNumber(heads[i].Key())
		if !heads[i].Next() {
			heads = slices.Delete(heads, i, i+1)
		}
		if number == last {
			continue // another alternative had it
		}
		last = number
		if more, err := a.visit(number, yield); !more || err != nil {
			return err
		}
	}
	return nil
}

// heads opens an iterator for each alternative; those that hold nothing are left out.
func (a *Access) heads(from uint64) (heads []*pebble.Iterator, closeAll func() error, err error) {
	var opened []*pebble.Iterator
	closeAll = func() (err error) {
		for _, it := range opened {
			err = errors.Join(err, it.Close())
		}
		return err
	}
	for _, l := range a.plan {
		var pk []byte
		if a.whole {
			pk = a.pk
		}
		prefix := document.IndexPrefix(a.c.Number, pk, document.IndexEntry(uint16(a.p.Find(l.Path)), l.Value))
		it, err := a.at.Iterator(prefix, binary.BigEndian.AppendUint64(slices.Clone(prefix), from))
		if err != nil {
			return nil, closeAll, err
		}
		opened = append(opened, it)
		if it.First() {
			heads = append(heads, it)
		}
	}
	return heads, closeAll, nil
}

// Utilization is the x-ms-cosmos-index-utilization header: base64 of JSON.
func (a *Access) Utilization() string {
	var used []sql.Value
	for _, l := range a.plan {
		spec := sql.StringOf("/" + strings.Join(l.Path, "/") + "/?")
		used = append(used, sql.ObjectOf([]string{"IndexSpec"}, []sql.Value{spec}))
	}
	empty := sql.ObjectOf([]string{"SingleIndexes", "CompositeIndexes"}, []sql.Value{sql.ArrayOf(nil), sql.ArrayOf(nil)})
	report := sql.ObjectOf([]string{"UtilizedIndexes", "PotentialIndexes"},
		[]sql.Value{empty.With("SingleIndexes", sql.ArrayOf(used)), empty})
	return base64.StdEncoding.EncodeToString(report.AppendJSON(nil))
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
