package query

import (
	"bytes"
	"encoding/hex"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
)

// window is the places of documents that a scope may have; of what lies at its ends it does not know.
type window struct {
	low, high document.Place
}

func newWindow(at *Sight, c *account.Container, sc Scope) window {
	w := window{high: document.Place{0xFF, 0xFF, 0xFF, 0xFF}}
	if len(sc.Key) > 0 {
		place := document.PlaceOf(c.PK.EPK(sc.Key))
		return window{place, place}
	}
	if sc.ID >= 0 && sc.ID < len(at.Layout.All) {
		w.narrow(at.Layout.All[sc.ID].Range)
	}
	if sc.Keys != nil {
		w.narrow(*sc.Keys)
	}
	return w
}

// narrow leaves what lies in a range, too.
func (w *window) narrow(r partition.Range) {
	low, high := (r.Min + "00000000")[:8], (r.Max + "FFFFFFFF")[:8]
	if _, err := hex.DecodeString(low + high); err != nil {
		return // a client may send anything
	}
	if p := document.PlaceOf(low); bytes.Compare(p[:], w.low[:]) > 0 {
		w.low = p
	}
	if p := document.PlaceOf(high); bytes.Compare(p[:], w.high[:]) < 0 {
		w.high = p
	}
}

// outside tells whether the row of a document shows that it lies outside the scope. Rows of named paths do not tell.
func (a *Access) outside(value []byte) bool {
	size := len(document.Place{})
	return len(value) >= size && (bytes.Compare(value[:size], a.window.low[:]) < 0 || bytes.Compare(value[:size], a.window.high[:]) > 0)
}
