package store

import (
	"bytes"
	"errors"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// View is a durable state of the store that does not change while it is held.
type View struct {
	snapshot *pebble.Snapshot
	refs     atomic.Int64 // holders; the store itself is one while the view is the newest
}

func newView(db *pebble.DB) *View {
	v := &View{snapshot: db.NewSnapshot()}
	v.refs.Store(1)
	return v
}

// Release gives the view back; the last holder closes it.
func (v *View) Release() error {
	if v.refs.Add(-1) > 0 {
		return nil
	}
	return v.snapshot.Close()
}

// Get calls use with the value at key, which is valid only during the call, and
// returns false if there is none.
func (v *View) Get(key []byte, use func([]byte) error) (bool, error) {
	value, closer, err := v.snapshot.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, errors.Join(use(value), closer.Close())
}

// Scan calls visit with each key and value under prefix, from the key from on (nil:
// the first), until it returns false or an error. Both are valid only during the call.
func (v *View) Scan(prefix, from []byte, visit func(key, value []byte) (bool, error)) (err error) {
	it, err := v.Iterator(prefix, from)
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

// Last is the last key under prefix, nil if there is none.
func (v *View) Last(prefix []byte) (key []byte, err error) {
	it, err := v.Iterator(prefix, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	if it.Last() {
		key = bytes.Clone(it.Key())
	}
	return key, it.Error()
}

// Iterator runs over the keys under prefix from the key from on (nil: the first).
func (v *View) Iterator(prefix, from []byte) (*pebble.Iterator, error) {
	if from == nil {
		from = prefix
	}
	return v.Between(from, Successor(prefix))
}

// Between runs over the keys from low up to but without high.
func (v *View) Between(low, high []byte) (*pebble.Iterator, error) {
	return v.snapshot.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: high})
}

// Successor is the first key after all that start with prefix.
func Successor(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
