package rest

import (
	"net/http"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
)

// batch answers a transactional batch: 200 when all operations were committed, 207 when
// none was, with the failing operation's status and 424 for all others.
func (s *Service) batch(r *call, c *account.Container) (*wire.Answer, *refusal.Error) {
	if !r.Flag("X-Ms-Cosmos-Batch-Atomic") {
		return s.bulk(r, c)
	}
	pk, bad := r.partitionKey(c)
	if bad != nil {
		return nil, bad
	}
	operations, bad := r.operations()
	if bad != nil {
		return nil, bad
	}
	t, bad := s.Account.Begin(c, pk)
	if bad != nil {
		return nil, bad
	}
	defer t.End()
	outcomes := make([]account.Outcome, 0, len(operations))
	size := 0 // of the documents in the answer
	for i := range operations {
		op := &operations[i]
		op.minimal = op.minimal || r.Minimal()
		o, bad := op.apply(t)
		if o.Record != nil && o.Shown(op.minimal) {
			if size += len(o.Record.Body); size > pageBytes {
				bad = refusal.TooLarge
			}
		}
		if bad != nil {
			return rolledBack(newResults(r, &c.Home), t, len(operations), i, bad), nil
		}
		outcomes = append(outcomes, o)
	}
	if err := t.Commit(); err != nil {
		return nil, refusal.Of(err)
	}
	return committed(newResults(r, &c.Home), t, operations, outcomes), nil
}

// rolledBack answers a batch of which operation failed was refused.
func rolledBack(w *results, t *account.Transaction, n, failed int, cause *refusal.Error) *wire.Answer {
	for i := range n {
		if i == failed {
			w.add(result{status: cause.Status, substatus: cause.Substatus, charge: wire.ChargeRefused, message: cause.Message, retryAfter: cause.RetryAfter})
		} else {
			w.add(result{status: refusal.Dependency.Status})
		}
	}
	a := &wire.Answer{Status: http.StatusMultiStatus, Body: w.end(), Rows: w.rows, Charge: wire.ChargeRefused, Count: -1}
	a.Seen(t.Reached())
	return a
}

// committed answers a batch that was stored. A document that the client has already makes it 207 too.
func committed(w *results, t *account.Transaction, operations []operation, outcomes []account.Outcome) *wire.Answer {
	a := &wire.Answer{Status: http.StatusOK, Count: -1, Items: len(outcomes)}
	for i, o := range outcomes {
		done := result{status: o.Status, charge: cost(o)}
		a.Charge += done.charge
		if o.Record != nil {
			done.etag = o.Record.ETag()
			if o.Shown(operations[i].minimal) {
				done.record = o.Record
			}
		}
		if o.Status == http.StatusNotModified {
			a.Status = http.StatusMultiStatus
		}
		w.add(done)
	}
	a.Body, a.Rows = w.end(), w.rows
	a.Seen(t.Reached())
	return a
}
