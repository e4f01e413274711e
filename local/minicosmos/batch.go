package minicosmos

import (
	"net/http"
	"strconv"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// maxBatchOperations is the service's limit for one transactional batch.
const maxBatchOperations = 100

// batch answers a transactional batch: 200 when all operations were committed, 207 when
// none was, with the failing operation's status and 424 for all others.
func (s *service) batch(r *call, c *container) (*answer, *Error) {
	if !r.flag("X-Ms-Cosmos-Batch-Atomic") {
		return s.bulk(r, c)
	}
	pk, bad := r.partitionKey(c)
	if bad != nil {
		return nil, bad
	}
	sent, bad := r.json()
	if bad != nil {
		return nil, bad
	}
	operations := sent.Items()
	switch {
	case sent.Kind() != sql.Array || len(operations) == 0:
		return nil, badRequest("A batch must be an array of operations.")
	case len(operations) > maxBatchOperations:
		return nil, badRequest("Batch request has more operations than what is supported: %d of %d.", len(operations), maxBatchOperations)
	}
	t, bad := s.account.begin(c, pk)
	if bad != nil {
		return nil, bad
	}
	defer t.end()
	outcomes := make([]outcome, 0, len(operations))
	size := 0 // of the documents in the answer
	for i, op := range operations {
		o, bad := apply(t, op)
		if o.record != nil && o.shown(r.minimal()) {
			if size += len(o.record.body); size > pageBytes {
				bad = errTooLarge
			}
		}
		if bad != nil {
			return rolledBack(t, len(operations), i, bad), nil
		}
		outcomes = append(outcomes, o)
	}
	if err := t.commit(); err != nil {
		return nil, asError(err)
	}
	return committed(t, c, r.minimal(), outcomes), nil
}

// apply applies one operation of a batch.
func apply(t *transaction, op sql.Value) (outcome, *Error) {
	kind, _ := op.Get("operationType").Str()
	id, hasID := op.Get("id").Str()
	ifMatch, _ := op.Get("ifMatch").Str()
	body := op.Get("resourceBody")
	if !hasID && kind != "Create" && kind != "Upsert" {
		return outcome{}, badRequest("The operation %q of a batch needs an id.", kind)
	}
	switch kind {
	case "Create":
		return t.create(body)
	case "Upsert":
		return t.upsert(body, ifMatch)
	case "Replace":
		return t.replace(id, body, ifMatch)
	case "Delete":
		return t.remove(id, ifMatch)
	case "Read":
		return t.read(id)
	case "Patch":
		p, bad := parsePatch(body)
		if bad != nil {
			return outcome{}, bad
		}
		return t.patch(id, p, ifMatch)
	}
	return outcome{}, badRequest("Unknown operation %q in a batch.", kind)
}

// rolledBack answers a batch of which operation failed was refused.
func rolledBack(t *transaction, n, failed int, cause *Error) *answer {
	a := &answer{status: http.StatusMultiStatus, body: []byte{'['}, charge: chargeRefused, count: -1}
	for i := range n {
		e, charge := errDependency, 0.0
		if i == failed {
			e, charge = cause, chargeRefused
		}
		a.body = appendResult(a.body, i, e.Status, charge)
		if i == failed && e.Substatus != 0 {
			a.body = strconv.AppendInt(append(a.body, `,"subStatusCode":`...), int64(e.Substatus), 10)
		}
		if i == failed {
			a.body = sql.AppendString(append(a.body, `,"message":`...), e.Message)
		}
		a.body = append(a.body, '}')
	}
	a.body = append(a.body, ']')
	a.seen(t.reached())
	return a
}

// committed answers a batch that was stored.
func committed(t *transaction, c *container, minimal bool, outcomes []outcome) *answer {
	a := &answer{status: http.StatusOK, body: []byte{'['}, count: -1, items: len(outcomes)}
	for i, o := range outcomes {
		charge := cost(o)
		a.charge += charge
		a.body = appendResult(a.body, i, o.status, charge)
		if o.record != nil {
			a.body = sql.AppendString(append(a.body, `,"eTag":`...), o.record.etag())
			if o.shown(minimal) {
				a.body = o.record.appendJSON(append(a.body, `,"resourceBody":`...), &c.home)
			}
		}
		a.body = append(a.body, '}')
	}
	a.body = append(a.body, ']')
	a.seen(t.reached())
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
