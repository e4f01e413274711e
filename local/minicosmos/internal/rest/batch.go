package rest

import (
	"net/http"
	"strconv"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// maxBatchOperations is the service's limit for one transactional batch.
const maxBatchOperations = 100

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
	sent, bad := r.JSON()
	if bad != nil {
		return nil, bad
	}
	operations := sent.Items()
	switch {
	case sent.Kind() != sql.Array || len(operations) == 0:
		return nil, refusal.BadRequest("A batch must be an array of operations.")
	case len(operations) > maxBatchOperations:
		return nil, refusal.BadRequest("Batch request has more operations than what is supported: %d of %d.", len(operations), maxBatchOperations)
	}
	t, bad := s.Account.Begin(c, pk)
	if bad != nil {
		return nil, bad
	}
	defer t.End()
	outcomes := make([]account.Outcome, 0, len(operations))
	size := 0 // of the documents in the answer
	for i, op := range operations {
		o, bad := apply(t, op)
		if o.Record != nil && o.Shown(r.Minimal()) {
			if size += len(o.Record.Body); size > pageBytes {
				bad = refusal.TooLarge
			}
		}
		if bad != nil {
			return rolledBack(t, len(operations), i, bad), nil
		}
		outcomes = append(outcomes, o)
	}
	if err := t.Commit(); err != nil {
		return nil, refusal.Of(err)
	}
	return committed(t, c, r.Minimal(), outcomes), nil
}

// apply applies one operation of a batch.
func apply(t *account.Transaction, op sql.Value) (account.Outcome, *refusal.Error) {
	kind, _ := op.Get("operationType").Str()
	id, hasID := op.Get("id").Str()
	ifMatch, _ := op.Get("ifMatch").Str()
	body := op.Get("resourceBody")
	if !hasID && kind != "Create" && kind != "Upsert" {
		return account.Outcome{}, refusal.BadRequest("The operation %q of a batch needs an id.", kind)
	}
	switch kind {
	case "Create":
		return t.Create(body)
	case "Upsert":
		return t.Upsert(body, ifMatch)
	case "Replace":
		return t.Replace(id, body, ifMatch)
	case "Delete":
		return t.Remove(id, ifMatch)
	case "Read":
		return t.Read(id)
	case "Patch":
		p, bad := document.ParsePatch(body)
		if bad != nil {
			return account.Outcome{}, bad
		}
		return t.Patch(id, p, ifMatch)
	}
	return account.Outcome{}, refusal.BadRequest("Unknown operation %q in a batch.", kind)
}

// rolledBack answers a batch of which operation failed was refused.
func rolledBack(t *account.Transaction, n, failed int, cause *refusal.Error) *wire.Answer {
	a := &wire.Answer{Status: http.StatusMultiStatus, Body: []byte{'['}, Charge: wire.ChargeRefused, Count: -1}
	for i := range n {
		e, charge := refusal.Dependency, 0.0
		if i == failed {
			e, charge = cause, wire.ChargeRefused
		}
		a.Body = appendResult(a.Body, i, e.Status, charge)
		if i == failed && e.Substatus != 0 {
			a.Body = strconv.AppendInt(append(a.Body, `,"subStatusCode":`...), int64(e.Substatus), 10)
		}
		if i == failed {
			a.Body = sql.AppendString(append(a.Body, `,"message":`...), e.Message)
		}
		a.Body = append(a.Body, '}')
	}
	a.Body = append(a.Body, ']')
	a.Seen(t.Reached())
	return a
}

// committed answers a batch that was stored.
func committed(t *account.Transaction, c *account.Container, minimal bool, outcomes []account.Outcome) *wire.Answer {
	a := &wire.Answer{Status: http.StatusOK, Body: []byte{'['}, Count: -1, Items: len(outcomes)}
	for i, o := range outcomes {
		charge := cost(o)
		a.Charge += charge
		a.Body = appendResult(a.Body, i, o.Status, charge)
		if o.Record != nil {
			a.Body = sql.AppendString(append(a.Body, `,"eTag":`...), o.Record.ETag())
			if o.Shown(minimal) {
				a.Body = o.Record.AppendJSON(append(a.Body, `,"resourceBody":`...), &c.Home)
			}
		}
		a.Body = append(a.Body, '}')
	}
	a.Body = append(a.Body, ']')
	a.Seen(t.Reached())
	return a
}

// appendResult begins the result of one operation.
func appendResult(b []byte, i, status int, charge float64) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	b = strconv.AppendInt(append(b, `{"statusCode":`...), int64(status), 10)
	return strconv.AppendFloat(append(b, `,"requestCharge":`...), charge, 'f', 2, 64)
}
