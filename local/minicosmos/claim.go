package minicosmos

import (
	"encoding/binary"
	"slices"
)

// claim checks that a draft shares no unique key with another document of its logical partition: with what is stored,
// unless this transaction changes that, and with what the transaction has staged.
func (t *transaction) claim(r *record) *Error {
	for i, e := range r.unique {
		for _, s := range t.order {
			if c := s.current; c != nil && c.id != r.id && slices.Equal(c.unique[i], e) {
				return errUnique
			}
		}
		var holder uint64
		if _, err := t.view.get(uniqueKey(t.c.number, r.pk, e), func(stored []byte) error {
			if len(stored) != 8 {
				return errCorrupt
			}
			holder = binary.BigEndian.Uint64(stored)
			return nil
		}); err != nil {
			return internal(err)
		}
		if holder == 0 {
			continue
		}
		other, err := loadRecord(t.view, t.c.number, holder)
		if err != nil {
			return internal(err)
		}
		if other == nil || other.id == r.id {
			continue
		}
		s, bad := t.slot(other.id) // one that has expired goes away with this
		if bad != nil {
			return bad
		}
		if s.current == s.before && s.current != nil {
			return errUnique
		}
	}
	return nil
}
