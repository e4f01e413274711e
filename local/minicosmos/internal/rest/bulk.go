package rest

import (
	"net/http"
	"strings"
	"sync"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
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
	operations, bad := r.operations()
	if bad != nil {
		return nil, bad
	}
	answers := make([]*wire.Answer, len(operations))
	groups := byKey(operations)
	ends := strings.EqualFold(r.Header.Get("X-Ms-Cosmos-Batch-Continue-On-Error"), "false") // with the first refusal
	if ends {
		groups = [][]int{make([]int, len(operations))}
		for i := range operations {
			groups[0][i] = i
		}
	}
	var all sync.WaitGroup
	for _, group := range groups {
		all.Go(func() {
			refused := false
			for _, n := range group { // those of one key in their order
				if refused && ends {
					answers[n] = wire.Refuse(refusal.Dependency)
					continue
				}
				answers[n] = s.one(r, c, &operations[n])
				refused = answers[n].Status >= http.StatusBadRequest
			}
		})
	}
	all.Wait()
	a, w := &wire.Answer{Status: http.StatusOK, Count: -1}, newResults(r, &c.Home)
	size := 0
	for i, one := range answers {
		one = fitting(one, &operations[i], pageBytes-size)
		size += len(one.Body)
		if one.Status < http.StatusBadRequest {
			a.Items++
		}
		if one.Status >= http.StatusMultipleChoices {
			a.Status = http.StatusMultiStatus
		}
		a.Charge += one.Charge
		w.add(result{status: one.Status, substatus: one.Substatus, charge: one.Charge, etag: one.ETag, body: one.Body, retryAfter: one.RetryAfter})
		if one.LSN > a.LSN {
			a.LSN, a.Session = one.LSN, one.Session
		}
	}
	a.Body, a.Rows = w.end(), w.rows
	return a, nil
}

// fitting is an operation's answer where so many bytes are left: what was written is told without its document, and a read
// is refused.
func fitting(one *wire.Answer, op *operation, left int) *wire.Answer {
	switch {
	case len(one.Body) <= left || one.Status >= http.StatusBadRequest:
	case op.kind == "Read":
		return wire.Refuse(refusal.AnswerTooLarge)
	default:
		one.Body = nil
	}
	return one
}

// byKey groups the numbers of operations by their partition key, in order.
func byKey(operations []operation) [][]int {
	var groups [][]int
	places := map[string]int{}
	for i := range operations {
		key := operations[i].key
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
func (s *Service) one(r *call, c *account.Container, op *operation) (answer *wire.Answer) {
	defer s.recovered(r, func(bad *refusal.Error) { answer = wire.Refuse(bad) })
	pk, err := partition.ParseHeader(op.key)
	if err != nil {
		return wire.Refuse(refusal.BadRequest("%v", err))
	}
	if len(pk) != len(c.PK.Paths) {
		return wire.Refuse(refusal.BadRequest("The partitionKey of the operation has %d values for %d paths.", len(pk), len(c.PK.Paths)))
	}
	a, bad := s.single(c, pk, op.minimal || r.Minimal(), op.apply)
	if bad != nil {
		return wire.Refuse(bad)
	}
	return a
}
