package wire

import "net/http"

// Operation is a kind of request.
type Operation string

// The operations. The first nine are those on documents.
const (
	OpCreate  Operation = "create"
	OpUpsert  Operation = "upsert"
	OpRead    Operation = "read"
	OpReplace Operation = "replace"
	OpPatch   Operation = "patch"
	OpDelete  Operation = "delete"
	OpBatch   Operation = "batch"
	OpQuery   Operation = "query" // and the list of all documents
	OpFeed    Operation = "feed"  // of changes

	OpPlan      Operation = "plan" // of a query over several ranges
	OpRanges    Operation = "ranges"
	OpContainer Operation = "container"
	OpDatabase  Operation = "database"
	OpOffer     Operation = "offer"
	OpAccount   Operation = "account"
)

// Operation says what kind of request it is.
func (r *Request) Operation() Operation {
	switch {
	case r.Other != nil && len(r.Names) > 1:
		return OpContainer
	case r.Other != nil:
		return OpDatabase
	case r.Feed == "offers":
		return OpOffer
	case len(r.Names) == 0 && r.Feed == "":
		return OpAccount
	case r.Feed == "pkranges":
		return OpRanges
	case r.Feed == "docs":
		return r.feedOperation()
	case len(r.Names) == 2 || r.Feed == "colls":
		return OpContainer
	case len(r.Names) < 2:
		return OpDatabase
	}
	switch r.Method {
	case http.MethodPut:
		return OpReplace
	case http.MethodPatch:
		return OpPatch
	case http.MethodDelete:
		return OpDelete
	}
	return OpRead
}

func (r *Request) feedOperation() Operation {
	switch {
	case r.WantsPlan():
		return OpPlan
	case r.Method == http.MethodGet && r.Header.Get("A-Im") != "":
		return OpFeed
	case r.Method == http.MethodGet || r.IsQuery():
		return OpQuery
	case r.Flag("X-Ms-Cosmos-Is-Batch-Request"):
		return OpBatch
	case r.Flag("X-Ms-Documentdb-Is-Upsert"):
		return OpUpsert
	}
	return OpCreate
}
