package wire

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
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
	Other []string // the rest of the path below what Names stand for, of a kind that this server only knows to be empty
	ByRID bool     // Names are resource ids, as the signature says
	Loose bool     // Names may be resource ids: a token signs no path
	body  []byte
}

// Flag tells whether a header says true, in any case.
func (r *Request) Flag(header string) bool { return strings.EqualFold(r.Header.Get(header), "true") }

// activity is the id that the client gave the request, or a new one.
func (r *Request) activity() string {
	if id := r.Header.Get("X-Ms-Activity-Id"); id != "" {
		return id
	}
	var b [16]byte
	binary.NativeEndian.PutUint64(b[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(b[8:], rand.Uint64())
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // a random UUID, RFC 9562 5.4
	text := hex.EncodeToString(b[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// Minimal tells whether the client asked for an empty answer to a write.
func (r *Request) Minimal() bool { return strings.EqualFold(r.Header.Get("Prefer"), "return=minimal") }

// IsQuery tells whether the body is a query.
func (r *Request) IsQuery() bool {
	return r.Flag("X-Ms-Documentdb-Query") || r.Flag("X-Ms-Documentdb-Isquery") ||
		strings.HasPrefix(r.Header.Get("Content-Type"), "application/query+json")
}

// WantsPlan tells whether a query's plan is asked for, whatever else the headers say: such a request writes nothing.
func (r *Request) WantsPlan() bool {
	header := r.Header.Get("X-Ms-Cosmos-Is-Query-Plan-Request")
	return header != "" && !strings.EqualFold(header, "false")
}

// Sent is the body.
func (r *Request) Sent() []byte { return r.body }

// binaryJSON is the first byte of a document in the binary form of JSON that clients may be told to write.
const binaryJSON = 0x80

// JSON parses the body.
func (r *Request) JSON() (sql.Value, *refusal.Error) {
	if len(r.body) > 0 && r.body[0] == binaryJSON {
		return sql.Value{}, refusal.BadRequest("The request body is binary JSON, which is not supported here: AZURE_COSMOS_BINARY_ENCODING_ENABLED switches it on in .NET.")
	}
	v, err := sql.ParseJSON(r.body)
	if err != nil {
		return v, refusal.BadRequest("The request body is not valid JSON: %v.", err)
	}
	return v, nil
}
