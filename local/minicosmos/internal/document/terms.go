package document

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/relaybox/relaybox/local/minicosmos/internal/index"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// Terms are what the index of a container has of a document beside the entries of named paths.
type Terms struct {
	*index.Terms
	Composites []Composite
	FormID     uint64 // the form under which the document stands; whoever stores the terms sets it
}

// Composite is an entry of a composite index: its number, its values.
type Composite struct {
	Entry []byte
	Exact bool // it is in its place among all others
}

// Forms that are no set of paths.
const (
	FormOver  = 0 // the document has too many terms and none of them is stored
	FormOther = 1 // there are too many forms
)

// Place is where in the key space a document lies: the start of its effective partition key.
type Place [4]byte

// PlaceOf is the place of an effective partition key, which is in hex.
func PlaceOf(epk string) (p Place) {
	_, _ = hex.Decode(p[:], []byte(epk[:min(len(epk), 2*len(p))])) // it is hex, of whole bytes
	return p
}

// Wild tells what the index has besides named paths; nil for nothing.
func (p *Policy) Wild() *index.Paths { return p.wild }

// Composites are the composite indexes that are kept, by their numbers.
func (p *Policy) Composites() [][]sql.OrderPath { return p.composites }

// holds tells whether a composite index can be kept: the service's own properties are not known when it is written.
func (p *Policy) holds(keys []sql.OrderPath) bool {
	for _, key := range keys {
		if len(key.Path) == 0 || index.System(key.Path[0]) {
			return false
		}
	}
	return len(keys) > 1
}

// index computes a record's terms unless they are known; doc is its body.
func (p *Policy) index(r *Record, doc sql.Value) {
	if p.wild == nil || r.Terms != nil {
		return
	}
	t := &Terms{Terms: p.wild.Of(doc, r.Modified)}
	for n, keys := range p.composites {
		c := Composite{Entry: []byte{byte(n)}, Exact: true}
		for _, key := range keys {
			v := doc.Path(key.Path)
			if len(key.Path) == 1 && key.Path[0] == "_ts" {
				v = sql.NumberOf(float64(r.Modified))
			}
			exact := false
			c.Entry, exact = index.AppendPart(c.Entry, v, key.Descending)
			c.Exact = c.Exact && exact
		}
		t.Composites = append(t.Composites, c)
	}
	r.Terms = t
}

// Index computes the terms of a record that was read from the store.
func (p *Policy) Index(r *Record) error {
	if p.wild == nil || r.Terms != nil {
		return nil
	}
	doc, err := r.parse()
	if err == nil {
		p.index(r, doc)
	}
	return err
}

// termKeys makes the keys of one document, one after the other in the same bytes.
type termKeys struct {
	owner  uint32
	number uint64
	key    []byte
}

func (k *termKeys) of(kind byte, entry []byte) []byte {
	k.key = append(binary.BigEndian.AppendUint32(k.key[:0], k.owner), kind)
	k.key = binary.BigEndian.AppendUint64(append(k.key, entry...), k.number)
	return k.key
}

func (k *termKeys) form(id uint64) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], id)
	return k.of(KindForm, b[:])
}

// ReplaceTerms stages the difference between the terms of two versions of a document; nil has none.
func ReplaceTerms(b *pebble.Batch, owner uint32, number uint64, at Place, before, after *Terms) error {
	if before == nil && after == nil {
		return nil
	}
	k := &termKeys{owner: owner, number: number, key: make([]byte, 0, 160)}
	var err error
	difference(entries(before), entries(after), func(e []byte) { err = errors.Join(err, b.Delete(k.of(KindTerm, e), nil)) },
		func(e []byte) { err = errors.Join(err, b.Set(k.of(KindTerm, e), at[:], nil)) })
	if before != nil && (after == nil || after.FormID != before.FormID) {
		err = errors.Join(err, b.Delete(k.form(before.FormID), nil))
	}
	if after != nil && (before == nil || after.FormID != before.FormID) {
		err = errors.Join(err, b.Set(k.form(after.FormID), at[:], nil))
	}
	last := composites(before)
	for i, c := range composites(after) {
		if i >= len(last) || !bytes.Equal(last[i].Entry, c.Entry) {
			err = errors.Join(err, b.Set(k.of(KindComposite, c.Entry), c.value(at), nil))
		}
	}
	next := composites(after)
	for i, c := range last {
		if i >= len(next) || !bytes.Equal(next[i].Entry, c.Entry) {
			err = errors.Join(err, b.Delete(k.of(KindComposite, c.Entry), nil))
		}
	}
	return err
}

func entries(t *Terms) [][]byte {
	if t == nil {
		return nil
	}
	return t.Entries
}

func composites(t *Terms) []Composite {
	if t == nil {
		return nil
	}
	return t.Composites
}

// value is what stands beside a composite entry: the document's place, and whether the entry is exact.
func (c Composite) value(at Place) []byte {
	if c.Exact {
		return append(at[:], 1)
	}
	return append(at[:], 0)
}

// difference visits what is only in one of two lists in order.
func difference(a, b [][]byte, onlyA, onlyB func([]byte)) {
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && bytes.Compare(a[0], b[0]) < 0:
			onlyA(a[0])
			a = a[1:]
		case len(a) == 0 || bytes.Compare(a[0], b[0]) > 0:
			onlyB(b[0])
			b = b[1:]
		default:
			a, b = a[1:], b[1:]
		}
	}
}

// EachTerm visits the keys and values of a document's terms, which are valid only during the call.
func (t *Terms) EachTerm(owner uint32, number uint64, at Place, visit func(key, value []byte)) {
	if t == nil {
		return
	}
	k := &termKeys{owner: owner, number: number}
	for _, e := range t.Entries {
		visit(k.of(KindTerm, e), at[:])
	}
	visit(k.form(t.FormID), at[:])
	for _, c := range t.Composites {
		visit(k.of(KindComposite, c.Entry), c.value(at))
	}
}
