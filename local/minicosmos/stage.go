package minicosmos

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"
)

// putRecord stages everything that is stored for a document.
func putRecord(b *pebble.Batch, owner uint32, r *record) error {
	number := binary.BigEndian.AppendUint64(nil, r.number)
	return errors.Join(b.Set(locatorKey(owner, r.pk, r.id), number, nil), putVersion(b, owner, r))
}

// putVersion stages a version of a document that is there already: all but its locator, once the last version's side
// keys are gone.
func putVersion(b *pebble.Batch, owner uint32, r *record) error {
	number := binary.BigEndian.AppendUint64(nil, r.number)
	err := errors.Join(b.Set(documentKey(owner, r.number), r.encode(), nil),
		b.Set(changeKey(owner, r.rng, r.lsn, r.number), binary.BigEndian.AppendUint64(nil, uint64(r.modified)), nil))
	for _, e := range r.unique {
		err = errors.Join(err, b.Set(uniqueKey(owner, r.pk, e), number, nil))
	}
	return errors.Join(err, r.eachSideKey(owner, func(k []byte) error { return b.Set(k, nil, nil) }))
}

// removeRecord stages the removal of everything that is stored for a document.
func removeRecord(b *pebble.Batch, owner uint32, r *record) error {
	return errors.Join(b.Delete(documentKey(owner, r.number), nil),
		b.Delete(locatorKey(owner, r.pk, r.id), nil), removeSides(b, owner, r))
}

// removeSides stages the removal of what points at a version of a document.
func removeSides(b *pebble.Batch, owner uint32, r *record) error {
	err := b.Delete(changeKey(owner, r.rng, r.lsn, r.number), nil)
	for _, e := range r.unique {
		err = errors.Join(err, b.Delete(uniqueKey(owner, r.pk, e), nil))
	}
	return errors.Join(err, r.eachSideKey(owner, func(k []byte) error { return b.Delete(k, nil) }))
}

// eachSideKey visits the keys that only point at the document.
func (r *record) eachSideKey(owner uint32, visit func([]byte) error) error {
	var err error
	for _, e := range r.entries {
		err = errors.Join(err,
			visit(binary.BigEndian.AppendUint64(indexPrefix(owner, nil, e), r.number)),
			visit(binary.BigEndian.AppendUint64(indexPrefix(owner, r.pk, e), r.number)))
	}
	if r.expiry != 0 {
		err = errors.Join(err, visit(expiryKey(owner, r.expiry, r.number)))
	}
	return err
}
