package rest

import (
	"net/http"
	"sync"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// bulk answers a batch that is not atomic: operations on many partition keys of one physical range, each a transaction
// of its own. 200 when all were done, 207 when some were refused.
func (s *Service) bulk(r *call, c *account.Container) (*wire.Answer, *refusal.Error) {
	selected, bad := r.part()
	if bad != nil {
		return nil, bad
	}
	if l := c.Layout(); selected.ID >= 0 && (selected.ID >= len(l.All) || l.All[selected.ID].Gone) {
		return nil, refusal.RangeGone(selected.ID)
	}
	sent, bad := r.JSON()
	if bad != nil {
		return nil, bad
	}
	operations := sent.Items()
	switch {
	case sent.Kind() != sql.Array || len(operations) == 0:
		return nil, refusal.BadRequest("A bulk must be an array of operations.")
	case len(operations) > maxBatchOperations:
		return nil, refusal.BadRequest("A bulk has more operations than what is supported: %d of %d.", len(operations), maxBatchOperations)
	}
	results := make([]*wire.Answer, len(operations))
	var all sync.WaitGroup
	for _, group := range byKey(operations) {
		all.Go(func() {
			for _, n := range group { // those of one key in their order
				results[n] = s.one(r, c, operations[n])
			}
		})
	}
	all.Wait()
	a := &wire.Answer{Status: http.StatusOK, Body: []byte{'['}, Count: -1}
	size := 0
	for i, one := range results {
		if size += len(one.Body); size > pageBytes {
			return nil, refusal.TooLarge
		}
		if one.Status >= http.StatusBadRequest {
			a.Status = http.StatusMultiStatus
		} else {
			a.Items++
		}
		a.Charge += one.Charge
		a.Body = append(a.Body, bulkResult(i, one)...)
		if one.LSN > a.LSN {
			a.LSN, a.Session = one.LSN, one.Session
		}
	}
	a.Body = append(a.Body, ']')
	return a, nil
}

// byKey groups the numbers of operations by their partition key, in order.
func byKey(operations []sql.Value) [][]int {
	var groups [][]int
	places := map[string]int{}
	for i, op := range operations {
		key, _ := op.Get("partitionKey").Str()
		place, known := places[key]
		if !known {
			place = len(groups)
			places[key] = place
			groups = append(groups, nil)
		}
		groups[place] = append(groups[place], i)
	}
	return groups
}

// one does one operation of a bulk.
func (s *Service) one(r *call, c *account.Container, op sql.Value) *wire.Answer {
	header, _ := op.Get("partitionKey").Str()
	pk, err := partition.ParseHeader(header)
	if err != nil {
		return wire.Refuse(refusal.BadRequest("%v", err))
	}
	if len(pk) != len(c.PK.Paths) {
		return wire.Refuse(refusal.BadRequest("The partitionKey of the operation has %d values for %d paths.", len(pk), len(c.PK.Paths)))
	}
	a, bad := s.single(r, c, pk, func(t *account.Transaction) (account.Outcome, *refusal.Error) { return apply(t, op) })
	if bad != nil {
		return wire.Refuse(bad)
	}
	return a
}

// bulkResult is an answer as one of a bulk's.
func bulkResult(i int, a *wire.Answer) []byte {
	b := appendResult(nil, i, a.Status, a.Charge)
	if a.ETag != "" {
		b = sql.AppendString(append(b, `,"eTag":`...), a.ETag)
	}
	if len(a.Body) > 0 {
		b = append(append(b, `,"resourceBody":`...), a.Body...)
	}
	return append(b, '}')
}
