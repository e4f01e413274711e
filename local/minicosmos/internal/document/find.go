package document

import (
	"encoding/binary"

	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
)

// Load returns the record with that number, nil if there is none.
func Load(v *store.View, owner uint32, number uint64) (r *Record, err error) {
	_, err = v.Get(RecordKey(owner, number), func(stored []byte) error {
		r, err = Decode(stored)
		return err
	})
	return r, err
}

// Find returns the record of an id in a logical partition, nil if there is none. It
// may have expired.
func Find(v *store.View, owner uint32, pk []byte, id string) (*Record, error) {
	number, err := locate(v, owner, pk, id)
	if err != nil || number == 0 {
		return nil, err
	}
	return Load(v, owner, number)
}

// locate returns the number of an id in a logical partition, 0 if there is none.
func locate(v *store.View, owner uint32, pk []byte, id string) (number uint64, err error) {
	_, err = v.Get(LocatorKey(owner, pk, id), func(stored []byte) error {
		if len(stored) != 8 {
			return ErrCorrupt
		}
		number = binary.BigEndian.Uint64(stored)
		return nil
	})
	return number, err
}
