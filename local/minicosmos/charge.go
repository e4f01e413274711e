package minicosmos

import (
	"cmp"
	"math/bits"
	"net/http"
	"slices"
	"sync"
)

// The model of request units. The service's own figures depend on what it does inside;
// these keep its proportions (a write costs several reads, a replace more than a
// create, size counts), so that sums over a run mean something.
//
//	point read             1 up to 1 KB, growing to 10 at 100 KB
//	create                 5.8 per KB, sizes rounded up to a power of two
//	replace, patch, delete 1.5 times a create of the same size
//	index                  0.3 per indexed path of the document
//	query page             2.5 per physical range, 0.05 per document looked at,
//	                       1 per KB of result
//	change feed page       2, 1 per KB of result, 0.05 per other document looked at
//	throttled              0.38, not counted against a budget
//	refused write or read  1.24; what a failed batch never tried is free
const (
	chargeCreatePerKB  = 5.8
	chargeChangeFactor = 1.5
	chargePerIndexed   = 0.3
	chargeQueryRange   = 2.5
	chargeLookedAt     = 0.05
	chargeChangePage   = 2
	chargeRefused      = 1.24
	chargeThrottled    = 0.38
	chargeDefinition   = 5
	chargeMetadata     = 1
)

func chargeRead(size int) float64 {
	kb := float64(max(size, 1024)) / 1024
	return 1 + 9*(kb-1)/99
}

func chargeCreate(r *record) float64 {
	kb := max(1, (len(r.body)+1023)/1024)
	rounded := 1 << bits.Len(uint(kb-1))
	return chargeCreatePerKB*float64(rounded) + chargePerIndexed*float64(len(r.entries))
}

func chargeChange(r *record) float64 { return chargeChangeFactor * chargeCreate(r) }

func chargeQuery(ranges, lookedAt, resultBytes int) float64 {
	return chargeQueryRange*float64(ranges) + chargeLookedAt*float64(lookedAt) + float64((resultBytes+1023)/1024)
}

func chargeChanges(passedOver, resultBytes int) float64 {
	return chargeChangePage + chargeLookedAt*float64(passedOver) + float64((resultBytes+1023)/1024)
}

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

// charges are the totals.
type charges struct {
	mu  sync.Mutex
	all map[chargeKey]*Charge
}

type chargeKey struct {
	database, container string
	on                  Operation
}

// add counts a request that was let in.
func (t *charges) add(r *request, a *answer) {
	k := chargeKey{on: r.on}
	if len(r.names) > 0 {
		k.database = r.names[0]
	}
	if len(r.names) > 1 {
		k.container = r.names[1]
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
	c.Items += int64(a.items)
	c.RequestUnits += a.charge
	if a.status >= http.StatusBadRequest || a.status == http.StatusMultiStatus {
		c.Refused++
	}
	if a.status == http.StatusTooManyRequests {
		c.Throttled++
	}
}

// maxTotals bounds the totals that are kept.
const maxTotals = 10_000

// Charges returns the totals of request units by container and operation, in that order.
func (s *Server) Charges() []Charge {
	s.charges.mu.Lock()
	defer s.charges.mu.Unlock()
	return s.charges.sorted()
}

// ResetCharges begins the totals anew and returns what they were.
func (s *Server) ResetCharges() []Charge {
	s.charges.mu.Lock()
	defer s.charges.mu.Unlock()
	last := s.charges.sorted()
	s.charges.all = nil
	return last
}

func (t *charges) sorted() []Charge {
	list := make([]Charge, 0, len(t.all))
	for _, c := range t.all {
		list = append(list, *c)
	}
	slices.SortFunc(list, func(a, b Charge) int {
		return cmp.Or(cmp.Compare(a.Database, b.Database), cmp.Compare(a.Container, b.Container), cmp.Compare(a.Operation, b.Operation))
	})
	return list
}
