package minicosmos

import (
	"net/http"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// request is a routed request.
type request struct {
	*http.Request
	names []string // ids in the path, outermost first: database, container, document
	feed  string   // the path's last word when it is a feed: "dbs", "colls", "docs", "pkranges"; "" otherwise
	offer string   // id of an offer; feed is "offers"
	body  []byte
}

// flag tells whether a header says true, in any case.
func (r *request) flag(header string) bool { return strings.EqualFold(r.Header.Get(header), "true") }

// minimal tells whether the client asked for an empty answer to a write.
func (r *request) minimal() bool { return strings.EqualFold(r.Header.Get("Prefer"), "return=minimal") }

// isQuery tells whether the body is a query.
func (r *request) isQuery() bool {
	return r.flag("X-Ms-Documentdb-Query") || r.flag("X-Ms-Documentdb-Isquery") ||
		strings.HasPrefix(r.Header.Get("Content-Type"), "application/query+json")
}

// json parses the body.
func (r *request) json() (sql.Value, *Error) {
	v, err := sql.ParseJSON(r.body)
	if err != nil {
		return v, badRequest("The request body is not valid JSON: %v.", err)
	}
	return v, nil
}
