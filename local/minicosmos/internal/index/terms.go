package index

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"slices"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// maxTerms bounds the entries of a document: one with more is looked at by every query.
const maxTerms = 2000

// Terms are what the index has of a document.
type Terms struct {
	Entries [][]byte // in order, each once
	Over    bool     // there are too many: none is kept
	Values  int      // that are indexed, those that the index adds itself left out
	Form    Form     // the paths that it has
}

// Form is the set of paths, outside of arrays, at which a document has an indexed value.
type Form struct {
	Sum   uint64 // of the paths
	Paths []byte // 8 bytes each, in order
}

// Has tells whether the form has a path.
func (f Form) Has(names []string) bool {
	p := binary.BigEndian.AppendUint64(nil, uint64(hashed(names)))
	if len(names) == 1 && slices.Contains(always, names[0]) {
		return true
	}
	for i := 0; i+8 <= len(f.Paths); i += 8 {
		if bytes.Equal(f.Paths[i:i+8], p) {
			return true
		}
	}
	return false
}

// Of returns the terms of a document that was changed at a time. doc is without the service's own properties.
func (p *Paths) Of(doc sql.Value, modified int64) *Terms {
	w := &walker{buf: make([]byte, 0, 512), ends: make([]int, 0, 24), paths: make([]path, 0, 24)}
	w.object(p.root, unsaid, noPath, doc, false)
	w.entry(noPath.below("_ts"), sql.NumberOf(float64(modified)))
	t := &Terms{Values: max(0, len(w.ends)-len(always)), Form: w.form()}
	if t.Over = len(w.ends) > maxTerms; t.Over {
		return t
	}
	t.Entries = make([][]byte, len(w.ends))
	start := 0
	for i, end := range w.ends {
		t.Entries[i] = w.buf[start:end:end]
		start = end
	}
	slices.SortFunc(t.Entries, bytes.Compare)
	t.Entries = slices.CompactFunc(t.Entries, bytes.Equal)
	return t
}

// walker goes through a document.
type walker struct {
	buf   []byte // the entries, one after the other
	ends  []int  // where each ends
	paths []path // those outside of arrays
}

func (w *walker) entry(p path, v sql.Value) {
	if len(w.ends) > maxTerms {
		w.ends = append(w.ends, 0) // they are counted
		return
	}
	var at [PathSize]byte
	w.buf = AppendEntry(w.buf, p.append(at[:0]), v)
	w.ends = append(w.ends, len(w.buf))
}

func (w *walker) object(r *rule, m mark, p path, v sql.Value, inArray bool) {
	_, m = r.at(m)
	items := v.Items()
	for i, name := range v.Names() {
		w.value(r.kid(name), m, p.below(name), items[i], inArray)
	}
}

func (w *walker) value(r *rule, m mark, p path, v sql.Value, inArray bool) {
	value, below := r.at(m)
	if value == in {
		if w.entry(p, v); !inArray {
			w.paths = append(w.paths, p)
		}
	}
	switch {
	case r == nil && below != in:
	case v.Kind() == sql.Object:
		w.object(r, m, p, v, inArray)
	case v.Kind() == sql.Array:
		kid, p := r.kid(sql.Element), p.below(sql.Element)
		for _, item := range v.Items() {
			w.value(kid, below, p, item, true)
		}
	}
}

func (w *walker) form() Form {
	slices.Sort(w.paths)
	f := Form{Paths: make([]byte, 0, 8*len(w.paths))}
	for _, p := range w.paths {
		f.Paths = binary.BigEndian.AppendUint64(f.Paths, uint64(p))
	}
	sum := fnv.New64a()
	_, _ = sum.Write(f.Paths) // a hash never fails
	f.Sum = sum.Sum64()
	return f
}
