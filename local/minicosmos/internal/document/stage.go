package document

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// Put stages everything that is stored for a document.
func Put(b *pebble.Batch, owner uint32, r *Record) error {
	number := binary.BigEndian.AppendUint64(nil, r.Number)
	return errors.Join(b.Set(LocatorKey(owner, r.PK, r.ID), number, nil), PutVersion(b, owner, r, nil))
}

// PutVersion stages a version of a document that is there already, once RemoveVersion has taken away the last one: all
// but its locator and the side keys that the last one had, too. A nil last had none.
func PutVersion(b *pebble.Batch, owner uint32, r, last *Record) error {
	number := binary.BigEndian.AppendUint64(nil, r.Number)
	err := errors.Join(b.Set(RecordKey(owner, r.Number), r.encode(), nil),
		b.Set(ChangeKey(owner, r.Range, r.LSN, r.Number), binary.BigEndian.AppendUint64(nil, uint64(r.Modified)), nil))
	for _, e := range r.Unique {
		err = errors.Join(err, b.Set(UniqueKey(owner, r.PK, e), number, nil))
	}
	return errors.Join(err, r.eachSideKey(owner, last, func(k []byte) error { return b.Set(k, nil, nil) }))
}

// Remove stages the removal of everything that is stored for a document.
func Remove(b *pebble.Batch, owner uint32, r *Record) error {
	return errors.Join(b.Delete(RecordKey(owner, r.Number), nil),
		b.Delete(LocatorKey(owner, r.PK, r.ID), nil), RemoveVersion(b, owner, r, nil))
}

// RemoveVersion stages the removal of what points at a version of a document, but for the side keys that the next one
// has, too. A nil next has none.
func RemoveVersion(b *pebble.Batch, owner uint32, r, next *Record) error {
	err := b.Delete(ChangeKey(owner, r.Range, r.LSN, r.Number), nil)
	for _, e := range r.Unique {
		err = errors.Join(err, b.Delete(UniqueKey(owner, r.PK, e), nil))
	}
	return errors.Join(err, r.eachSideKey(owner, next, func(k []byte) error { return b.Delete(k, nil) }))
}

// EachSideKey visits the keys that only point at the document.
func (r *Record) EachSideKey(owner uint32, visit func([]byte) error) error {
	return r.eachSideKey(owner, nil, visit)
}

// eachSideKey leaves out those that another version of the document has, too.
func (r *Record) eachSideKey(owner uint32, other *Record, visit func([]byte) error) error {
	var err error
	for _, e := range r.Entries {
		if other != nil && slices.ContainsFunc(other.Entries, func(o []byte) bool { return bytes.Equal(o, e) }) {
			continue
		}
		err = errors.Join(err,
			visit(binary.BigEndian.AppendUint64(IndexPrefix(owner, nil, e), r.Number)),
			visit(binary.BigEndian.AppendUint64(IndexPrefix(owner, r.PK, e), r.Number)))
	}
	if r.Expiry != 0 && (other == nil || other.Expiry != r.Expiry) {
		err = errors.Join(err, visit(expiryKey(owner, r.Expiry, r.Number)))
	}
	return err
}
