package minicosmos

import (
	"encoding/binary"
)

// loadRecord returns the record with that number, nil if there is none.
func loadRecord(v *view, owner uint32, number uint64) (r *record, err error) {
	_, err = v.get(documentKey(owner, number), func(stored []byte) error {
		r, err = decodeRecord(stored)
		return err
	})
	return r, err
}

// findRecord returns the record of an id in a logical partition, nil if there is none. It
// may have expired.
func findRecord(v *view, owner uint32, pk []byte, id string) (*record, error) {
	number, err := locate(v, owner, pk, id)
	if err != nil || number == 0 {
		return nil, err
	}
	return loadRecord(v, owner, number)
}

// locate returns the number of an id in a logical partition, 0 if there is none.
func locate(v *view, owner uint32, pk []byte, id string) (number uint64, err error) {
	_, err = v.get(locatorKey(owner, pk, id), func(stored []byte) error {
		if len(stored) != 8 {
			return errCorrupt
		}
		number = binary.BigEndian.Uint64(stored)
		return nil
	})
	return number, err
}
