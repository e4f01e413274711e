package minicosmos

import (
	"encoding/binary"
)

// encodeCounters is what is stored of the counters; the caller holds store.mu.
func (c *container) encodeCounters(l *layout) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8*(1+len(l.all))), c.lastNumber)
	for _, p := range l.all {
		b = binary.BigEndian.AppendUint64(b, *p.lastLSN)
	}
	return b
}

// loadCounters reads them back when the store is opened.
func (c *container) loadCounters(v *view) error {
	counters, err := readCounters(v, c.number)
	l := c.layout.Load()
	if err != nil || len(counters) == 0 {
		return err
	}
	if len(counters) != 1+len(l.all) {
		return errCorrupt
	}
	c.lastNumber = counters[0]
	for i, p := range l.all {
		*p.lastLSN = counters[1+i]
		p.durableLSN.Store(counters[1+i])
	}
	return nil
}

// readCounters reads a container's counters in this view: the last document number, then an LSN per range.
func readCounters(v *view, owner uint32) (list []uint64, err error) {
	_, err = v.get(key(owner, kindNumbers), func(b []byte) error {
		if len(b) < 16 || len(b)%8 != 0 {
			return errCorrupt
		}
		for ; len(b) > 0; b = b[8:] {
			list = append(list, binary.BigEndian.Uint64(b))
		}
		return nil
	})
	return list, err
}
