package account

import (
	"encoding/binary"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/layout"
	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
)

// encodeCounters is what is stored of the counters; the caller holds Store.mu.
func (c *Container) encodeCounters(l *layout.Layout) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8*(1+len(l.All))), c.lastNumber)
	for _, p := range l.All {
		b = binary.BigEndian.AppendUint64(b, *p.LastLSN)
	}
	return b
}

// loadCounters reads them back when the store is opened.
func (c *Container) loadCounters(v *store.View) error {
	counters, err := Counters(v, c.Number)
	l := c.layout.Load()
	if err != nil || len(counters) == 0 {
		return err
	}
	if len(counters) != 1+len(l.All) {
		return document.ErrCorrupt
	}
	c.lastNumber = counters[0]
	for i, p := range l.All {
		*p.LastLSN = counters[1+i]
		p.DurableLSN.Store(counters[1+i])
	}
	return nil
}

// Counters reads a container's counters in this view: the last document number, then an LSN per range.
func Counters(v *store.View, owner uint32) (list []uint64, err error) {
	_, err = v.Get(document.Key(owner, kindNumbers), func(b []byte) error {
		if len(b) < 16 || len(b)%8 != 0 {
			return document.ErrCorrupt
		}
		for ; len(b) > 0; b = b[8:] {
			list = append(list, binary.BigEndian.Uint64(b))
		}
		return nil
	})
	return list, err
}
