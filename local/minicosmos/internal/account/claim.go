package account

import (
	"encoding/binary"
	"slices"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
)

// claim checks that a draft shares no unique key with another document of its logical partition: with what is stored,
// unless this transaction changes that, and with what the transaction has staged.
func (t *Transaction) claim(r *document.Record) *refusal.Error {
	for i, e := range r.Unique {
		for _, s := range t.order {
			if c := s.current; c != nil && c.ID != r.ID && slices.Equal(c.Unique[i], e) {
				return refusal.Unique
			}
		}
		var holder uint64
		if _, err := t.view.Get(document.UniqueKey(t.c.Number, r.PK, e), func(stored []byte) error {
			if len(stored) != 8 {
				return document.ErrCorrupt
			}
			holder = binary.BigEndian.Uint64(stored)
			return nil
		}); err != nil {
			return refusal.Internal(err)
		}
		if holder == 0 {
			continue
		}
		other, err := document.Load(t.view, t.c.Number, holder)
		if err != nil {
			return refusal.Internal(err)
		}
		if other == nil || other.ID == r.ID {
			continue
		}
		s, bad := t.slot(other.ID) // one that has expired goes away with this
		if bad != nil {
			return bad
		}
		if s.current == s.before && s.current != nil {
			return refusal.Unique
		}
	}
	return nil
}
