package minicosmos

import (
	"net/http"
)

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

	OpRanges    Operation = "ranges"
	OpContainer Operation = "container"
	OpDatabase  Operation = "database"
	OpOffer     Operation = "offer"
	OpAccount   Operation = "account"
)

// operation says what kind of request it is.
func (r *request) operation() Operation {
	switch {
	case r.feed == "offers":
		return OpOffer
	case len(r.names) == 0 && r.feed == "":
		return OpAccount
	case r.feed == "pkranges":
		return OpRanges
	case r.feed == "docs":
		return r.feedOperation()
	case len(r.names) == 2 || r.feed == "colls":
		return OpContainer
	case len(r.names) < 2:
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

func (r *request) feedOperation() Operation {
	switch {
	case r.Method == http.MethodGet && r.Header.Get("A-Im") != "":
		return OpFeed
	case r.Method == http.MethodGet || r.isQuery():
		return OpQuery
	case r.flag("X-Ms-Cosmos-Is-Batch-Request"):
		return OpBatch
	case r.flag("X-Ms-Documentdb-Is-Upsert"):
		return OpUpsert
	}
	return OpCreate
}
