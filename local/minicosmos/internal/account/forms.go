package account

import (
	"bytes"
	"encoding/binary"
	"maps"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
)

// The bounds of what is kept of forms: a document whose form is one too many, or has too many paths, stands among the others.
const (
	maxForms     = 256
	maxFormPaths = 512
)

// forms are the sets of paths that the documents of a container have, by their sums. A form is added before the first
// document that has it and stays, so what form a document stands under follows from its terms.
type forms struct {
	mu    sync.Mutex // held while one is added; after the locks of partition keys, before Store.mu
	known atomic.Pointer[map[uint64][]byte]
}

// id is the form under which terms stand. add stores a new form; nil adds none.
func (f *forms) id(t *document.Terms, add func(sum uint64, paths []byte) error) (uint64, error) {
	if t.Over {
		return document.FormOver, nil
	}
	if id, known := f.find(t); known || add == nil {
		return id, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if id, known := f.find(t); known {
		return id, nil
	}
	next := map[uint64][]byte{t.Form.Sum: t.Form.Paths}
	if known := f.known.Load(); known != nil {
		if len(*known) == maxForms {
			return document.FormOther, nil
		}
		maps.Copy(next, *known)
	}
	if err := add(t.Form.Sum, t.Form.Paths); err != nil {
		return 0, err
	}
	f.known.Store(&next)
	return t.Form.Sum, nil
}

// find tells whether the form of terms is decided.
func (f *forms) find(t *document.Terms) (id uint64, known bool) {
	if t.Form.Sum <= document.FormOther || len(t.Form.Paths) > 8*maxFormPaths {
		return document.FormOther, true
	}
	if list := f.known.Load(); list != nil {
		if paths, found := (*list)[t.Form.Sum]; found {
			if bytes.Equal(paths, t.Form.Paths) {
				return t.Form.Sum, true
			}
			return document.FormOther, true
		}
	}
	return document.FormOther, false
}

func formKey(owner uint32, id uint64) []byte {
	return binary.BigEndian.AppendUint64(document.Key(owner, document.KindFormPaths), id)
}

// addForm stores a form of a container.
func (a *Account) addForm(c *Container) func(uint64, []byte) error {
	return func(sum uint64, paths []byte) error {
		return a.store.Commit(func(b *pebble.Batch) error { return b.Set(formKey(c.Number, sum), paths, nil) }, nil)
	}
}

// load reads the forms of a container when the store is opened.
func (f *forms) load(v *store.View, owner uint32) error {
	known := map[uint64][]byte{}
	err := v.Scan(document.Key(owner, document.KindFormPaths), nil, func(k, paths []byte) (bool, error) {
		known[document.LastNumber(k)] = bytes.Clone(paths)
		return true, nil
	})
	f.known.Store(&known)
	return err
}
