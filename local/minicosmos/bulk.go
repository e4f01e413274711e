package minicosmos

import (
	"net/http"
	"sync"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// bulk answers a batch that is not atomic: operations on many partition keys of one physical range, each a transaction
// of its own. 200 when all were done, 207 when some were refused.
func (s *service) bulk(r *call, c *container) (*answer, *Error) {
	selected, bad := r.part()
	if bad != nil {
		return nil, bad
	}
	if l := c.Layout(); selected.id >= 0 && (selected.id >= len(l.all) || l.all[selected.id].gone) {
		return nil, gone(selected.id)
	}
	sent, bad := r.json()
	if bad != nil {
		return nil, bad
	}
	operations := sent.Items()
	switch {
	case sent.Kind() != sql.Array || len(operations) == 0:
		return nil, badRequest("A bulk must be an array of operations.")
	case len(operations) > maxBatchOperations:
		return nil, badRequest("A bulk has more operations than what is supported: %d of %d.", len(operations), maxBatchOperations)
	}
	results := make([]*answer, len(operations))
	var all sync.WaitGroup
	for _, group := range byKey(operations) {
		all.Go(func() {
			for _, n := range group { // those of one key in their order
				results[n] = s.one(r, c, operations[n])
			}
		})
	}
	all.Wait()
	a := &answer{status: http.StatusOK, body: []byte{'['}, count: -1}
	size := 0
	for i, one := range results {
		if size += len(one.body); size > pageBytes {
			return nil, errTooLarge
		}
		if one.status >= http.StatusBadRequest {
			a.status = http.StatusMultiStatus
		} else {
			a.items++
		}
		a.charge += one.charge
		a.body = append(a.body, bulkResult(i, one)...)
		if one.lsn > a.lsn {
			a.lsn, a.session = one.lsn, one.session
		}
	}
	a.body = append(a.body, ']')
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
func (s *service) one(r *call, c *container, op sql.Value) *answer {
	header, _ := op.Get("partitionKey").Str()
	pk, err := partition.ParseHeader(header)
	if err != nil {
		return refuse(badRequest("%v", err))
	}
	if len(pk) != len(c.pk.Paths) {
		return refuse(badRequest("The partitionKey of the operation has %d values for %d paths.", len(pk), len(c.pk.Paths)))
	}
	a, bad := s.single(r, c, pk, func(t *transaction) (outcome, *Error) { return apply(t, op) })
	if bad != nil {
		return refuse(bad)
	}
	return a
}

// bulkResult is an answer as one of a bulk's.
func bulkResult(i int, a *answer) []byte {
	b := appendResult(nil, i, a.status, a.charge)
	if a.etag != "" {
		b = sql.AppendString(append(b, `,"eTag":`...), a.etag)
	}
	if len(a.body) > 0 {
		b = append(append(b, `,"resourceBody":`...), a.body...)
	}
	return append(b, '}')
}
