package rest

import (
	"net/http"

	"github.com/relaybox/relaybox/local/minicosmos/internal/hybridrow"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// The columns of an operation in a batch, and of its result: HybridRowBatchSchemas.json of github.com/Azure/azure-cosmos-dotnet-v3.
const (
	opType = iota
	opResource
	opKey
	opEPK
	opID
	opBinaryID
	opBody
	opIndexing
	opIfMatch
	opIfNoneMatch
	opTTL
	opMinimal
)

const (
	resultStatus = iota
	resultSubstatus
	resultETag
	resultBody
	resultRetryAfter
	resultCharge
)

var (
	operationLayout = hybridrow.NewLayout(2145473648,
		hybridrow.Column{Name: "operationType", Type: hybridrow.Int32},
		hybridrow.Column{Name: "resourceType", Type: hybridrow.Int32},
		hybridrow.Column{Name: "partitionKey", Type: hybridrow.UTF8, Storage: hybridrow.Variable},
		hybridrow.Column{Name: "effectivePartitionKey", Type: hybridrow.Binary, Storage: hybridrow.Variable},
		hybridrow.Column{Name: "id", Type: hybridrow.UTF8, Storage: hybridrow.Variable},
		hybridrow.Column{Name: "binaryId", Type: hybridrow.Binary, Storage: hybridrow.Variable},
		hybridrow.Column{Name: "resourceBody", Type: hybridrow.Binary, Storage: hybridrow.Variable},
		hybridrow.Column{Name: "indexingDirective", Type: hybridrow.UTF8, Storage: hybridrow.Sparse},
		hybridrow.Column{Name: "ifMatch", Type: hybridrow.UTF8, Storage: hybridrow.Sparse},
		hybridrow.Column{Name: "ifNoneMatch", Type: hybridrow.UTF8, Storage: hybridrow.Sparse},
		hybridrow.Column{Name: "timeToLiveInSeconds", Type: hybridrow.Int32, Storage: hybridrow.Sparse},
		hybridrow.Column{Name: "minimalReturnPreference", Type: hybridrow.Bool, Storage: hybridrow.Sparse})
	resultLayout = hybridrow.NewLayout(2145473649,
		hybridrow.Column{Name: "statusCode", Type: hybridrow.Int32},
		hybridrow.Column{Name: "subStatusCode", Type: hybridrow.Int32},
		hybridrow.Column{Name: "eTag", Type: hybridrow.UTF8, Storage: hybridrow.Variable},
		hybridrow.Column{Name: "resourceBody", Type: hybridrow.Binary, Storage: hybridrow.Variable},
		hybridrow.Column{Name: "retryAfterMilliseconds", Type: hybridrow.Uint32, Storage: hybridrow.Sparse},
		hybridrow.Column{Name: "requestCharge", Type: hybridrow.Float64, Storage: hybridrow.Sparse})
)

// kindOf are the operations by the number that a row has for them.
var kindOf = map[int32]string{0: "Create", 1: "Patch", 2: "Read", 4: "Delete", 5: "Replace", 20: "Upsert"}

// documents is the only kind of resource that a batch may have.
const documents = 2

// operationRows reads a batch of rows.
func operationRows(stream []byte) ([]operation, *refusal.Error) {
	var list []operation
	for record, err := range hybridrow.Records(stream) {
		if err != nil {
			return nil, refusal.BadRequest("The rows of the batch cannot be read: %v.", err)
		}
		if len(list) == maxBatchOperations {
			return nil, countOperations(len(list) + 1)
		}
		row, err := operationLayout.Read(record)
		if err != nil {
			return nil, refusal.BadRequest("Row %d of the batch cannot be read: %v.", len(list), err)
		}
		list = append(list, operationOf(row))
	}
	return list, countOperations(len(list))
}

// operationOf is the operation that a row says.
func operationOf(row hybridrow.Row) operation {
	o := operation{kind: kindOf[row.Int32(opType)], id: row.Text(opID), key: row.Text(opKey), ifMatch: row.Text(opIfMatch),
		ifNoneMatch: row.Text(opIfNoneMatch), minimal: row.Bool(opMinimal)}
	if row.Has(opBody) {
		body, err := sql.ParseJSON(row[opBody])
		if err != nil {
			o.bad = refusal.BadRequest("The body of an operation is not valid JSON: %v.", err)
		}
		o.body = body
	}
	switch {
	case !row.Has(opType) || o.kind == "":
		o.bad = refusal.BadRequest("Unknown operation %d in a batch.", row.Int32(opType))
	case row.Int32(opResource) != documents:
		o.bad = refusal.BadRequest("A batch changes documents, not resources of type %d.", row.Int32(opResource))
	case row.Has(opEPK), row.Has(opBinaryID), row.Has(opTTL):
		o.bad = refusal.BadRequest("An operation with effectivePartitionKey, binaryId or timeToLiveInSeconds is not supported here.")
	}
	o.check(row.Has(opID), row.Text(opIndexing))
	return o
}

// appendRow appends a result to a stream of rows. The reason of a refusal is its body, where the client looks for it.
func (w *results) appendRow(r result) {
	row := resultLayout.Row()
	row.SetUint32(resultStatus, uint32(r.status))
	row.SetUint32(resultSubstatus, uint32(r.substatus))
	if r.etag != "" {
		row.SetBytes(resultETag, []byte(r.etag))
	}
	body := r.body
	switch {
	case r.record != nil:
		w.scratch = r.record.AppendJSON(w.scratch[:0], w.home)
		body = w.scratch
	case r.message != "":
		w.scratch = append(sql.AppendString(append(w.scratch[:0], `{"Errors":[`...), r.message), `]}`...)
		body = w.scratch
	}
	if len(body) > 0 {
		row.SetBytes(resultBody, body)
	}
	if r.status == http.StatusTooManyRequests || r.retryAfter > 0 {
		row.SetUint32(resultRetryAfter, uint32(milliseconds(r.retryAfter)))
	}
	row.SetFloat64(resultCharge, r.charge)
	w.body = hybridrow.AppendRecord(w.body, resultLayout, row)
}
