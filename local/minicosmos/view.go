package minicosmos

import (
	"errors"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// view is a durable state of the store that does not change while it is held.
type view struct {
	snapshot *pebble.Snapshot
	refs     atomic.Int64 // holders; the store itself is one while the view is the newest
}

func newView(db *pebble.DB) *view {
	v := &view{snapshot: db.NewSnapshot()}
	v.refs.Store(1)
	return v
}

// release gives the view back; the last holder closes it.
func (v *view) release() error {
	if v.refs.Add(-1) > 0 {
		return nil
	}
	return v.snapshot.Close()
}

// get calls use with the value at key, which is valid only during the call, and
// returns false if there is none.
func (v *view) get(key []byte, use func([]byte) error) (bool, error) {
	value, closer, err := v.snapshot.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, errors.Join(use(value), closer.Close())
}

// scan calls visit with each key and value under prefix, from the key from on (nil:
// the first), until it returns false or an error. Both are valid only during the call.
func (v *view) scan(prefix, from []byte, visit func(key, value []byte) (bool, error)) (err error) {
	it, err := v.iterator(prefix, from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for valid := it.First(); valid; valid = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if more, err := visit(it.Key(), value); err != nil || !more {
			return err
		}
	}
	return it.Error()
}

// iterator runs over the keys under prefix from the key from on (nil: the first).
func (v *view) iterator(prefix, from []byte) (*pebble.Iterator, error) {
	if from == nil {
		from = prefix
	}
	return v.snapshot.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: successor(prefix)})
}

// successor is the first key after all that start with prefix.
func successor(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
