package wire

import (
	"cmp"
	"net/http"
	"slices"
	"sync"
)

// Charge is what one kind of operation has cost on one container since the start, or since ResetCharges.
type Charge struct {
	Database  string    `json:"database,omitempty"`
	Container string    `json:"container,omitempty"`
	Operation Operation `json:"operation"`
	Requests  int64     `json:"requests"`
	// Refused are the requests with a status of 400 and more, rolled back batches too; Throttled those of them with 429.
	Refused   int64 `json:"refused"`
	Throttled int64 `json:"throttled"`
	// Items are the operations of batches that were stored.
	Items int64 `json:"items,omitempty"`
	// RequestUnits is the sum of all charges.
	RequestUnits float64 `json:"requestUnits"`
}

// Totals are the charges of all requests, by container and operation. The zero value is empty.
type Totals struct {
	mu  sync.Mutex
	all map[chargeKey]*Charge
}

type chargeKey struct {
	database, container string
	on                  Operation
}

// Add counts a request that was let in.
func (t *Totals) Add(r *Request, on Operation, a *Answer) {
	k := chargeKey{on: on}
	if len(r.Names) > 0 {
		k.database = r.Names[0]
	}
	if len(r.Names) > 1 {
		k.container = r.Names[1]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.all[k]
	if c == nil {
		if t.all == nil {
			t.all = map[chargeKey]*Charge{}
		}
		if len(t.all) == maxTotals { // names that do not exist are names, too
			return
		}
		c = &Charge{Database: k.database, Container: k.container, Operation: k.on}
		t.all[k] = c
	}
	c.Requests++
	c.Items += int64(a.Items)
	c.RequestUnits += a.Charge
	if a.Status >= http.StatusBadRequest || a.Status == http.StatusMultiStatus {
		c.Refused++
	}
	if a.Status == http.StatusTooManyRequests {
		c.Throttled++
	}
}

// maxTotals bounds the totals that are kept.
const maxTotals = 10_000

// List returns the totals by container and operation, in that order.
func (t *Totals) List() []Charge {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sorted()
}

// Reset begins the totals anew and returns what they were.
func (t *Totals) Reset() []Charge {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.sorted()
	t.all = nil
	return last
}

func (t *Totals) sorted() []Charge {
	list := make([]Charge, 0, len(t.all))
	for _, c := range t.all {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b Charge) int {
		return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.Container, b.Container), cmp.Compare(a.Operation, b.Operation))
	})
	return list
}
