package rest

import (
	"net/http"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/hybridrow"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// maxBatchOperations is the service's limit for one batch.
const maxBatchOperations = 100

// operation is one of a batch.
type operation struct {
	kind        string // "Create", …
	id          string
	key         string // partition key, as its header has it
	ifMatch     string
	ifNoneMatch string
	body        sql.Value
	minimal     bool           // a write is answered without the document
	bad         *refusal.Error // why it cannot be done, whatever is stored
}

// operations reads a batch: an array in JSON, or rows, which is how .NET sends it.
func (r *call) operations() ([]operation, *refusal.Error) {
	if hybridrow.IsStream(r.Sent()) {
		return operationRows(r.Sent())
	}
	sent, bad := r.JSON()
	if bad != nil {
		return nil, bad
	}
	if sent.Kind() != sql.Array {
		return nil, refusal.BadRequest("A batch must be an array of operations.")
	}
	if bad := countOperations(len(sent.Items())); bad != nil {
		return nil, bad
	}
	list := make([]operation, len(sent.Items()))
	for i, op := range sent.Items() {
		text := func(name string) string { s, _ := op.Get(name).Str(); return s }
		o := &list[i]
		o.kind, o.id, o.key = text("operationType"), text("id"), text("partitionKey")
		o.ifMatch, o.ifNoneMatch, o.body = text("ifMatch"), text("ifNoneMatch"), op.Get("resourceBody")
		o.minimal, _ = op.Get("minimalReturnPreference").Bool()
		o.check(op.Get("id").Kind() == sql.String, text("indexingDirective"))
	}
	return list, nil
}

// countOperations refuses a batch of none or of too many.
func countOperations(n int) *refusal.Error {
	switch {
	case n == 0:
		return refusal.BadRequest("A batch must be an array of operations.")
	case n > maxBatchOperations:
		return refusal.BadRequest("Batch request has more operations than what is supported: %d of %d.", n, maxBatchOperations)
	}
	return nil
}

// check refuses what would be taken and not done.
func (o *operation) check(hasID bool, directive string) {
	switch {
	case o.bad != nil:
	case !hasID && o.kind != "Create" && o.kind != "Upsert":
		o.bad = refusal.BadRequest("The operation %q of a batch needs an id.", o.kind)
	case directive != "" && !strings.EqualFold(directive, "default") && !strings.EqualFold(directive, "include"):
		o.bad = refusal.BadRequest("The indexing directive %q is not supported here.", directive)
	}
}

// apply applies one operation of a batch.
func (o *operation) apply(t *account.Transaction) (account.Outcome, *refusal.Error) {
	if o.bad != nil {
		return account.Outcome{}, o.bad
	}
	switch o.kind {
	case "Create":
		return t.Create(o.body)
	case "Upsert":
		return t.Upsert(o.body, o.ifMatch)
	case "Replace":
		return t.Replace(o.id, o.body, o.ifMatch)
	case "Delete":
		return t.Remove(o.id, o.ifMatch)
	case "Read":
		return o.read(t)
	case "Patch":
		p, bad := document.ParsePatch(o.body)
		if bad != nil {
			return account.Outcome{}, bad
		}
		return t.Patch(o.id, p, o.ifMatch)
	}
	return account.Outcome{}, refusal.BadRequest("Unknown operation %q in a batch.", o.kind)
}

// read reads a document, but 304 where the client has it. That refuses nothing.
func (o *operation) read(t *account.Transaction) (account.Outcome, *refusal.Error) {
	found, bad := t.Read(o.id)
	if bad == nil && o.ifNoneMatch != "" && o.ifNoneMatch == found.Record.ETag() {
		found.Status = http.StatusNotModified
	}
	return found, bad
}
