package wire

import (
	"net/http"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// Request is a routed request.
type Request struct {
	*http.Request
	Names []string // ids in the path, outermost first: database, container, document
	Feed  string   // the path's last word when it is a feed: "dbs", "colls", "docs", "pkranges"; "" otherwise
	Offer string   // id of an offer; feed is "offers"
	body  []byte
}

// Flag tells whether a header says true, in any case.
func (r *Request) Flag(header string) bool { return strings.EqualFold(r.Header.Get(header), "true") }

// Minimal tells whether the client asked for an empty answer to a write.
func (r *Request) Minimal() bool { return strings.EqualFold(r.Header.Get("Prefer"), "return=minimal") }

// IsQuery tells whether the body is a query.
func (r *Request) IsQuery() bool {
	return r.Flag("X-Ms-Documentdb-Query") || r.Flag("X-Ms-Documentdb-Isquery") ||
		strings.HasPrefix(r.Header.Get("Content-Type"), "application/query+json")
}

// JSON parses the body.
func (r *Request) JSON() (sql.Value, *refusal.Error) {
	v, err := sql.ParseJSON(r.body)
	if err != nil {
		return v, refusal.BadRequest("The request body is not valid JSON: %v.", err)
	}
	return v, nil
}
