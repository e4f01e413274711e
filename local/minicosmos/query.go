package minicosmos

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// The bounds of one page (the service's limits).
const (
	defaultPage = 100
	maxPage     = 1000
	pageBytes   = 4 << 20
	pageLooked  = 10000 // documents; then a page of a filter ends early, perhaps empty
)

// errCrossPartition is the gateway's refusal of what it cannot serve over more than one
// logical partition; SDKs that merge pages themselves react to it.
var errCrossPartition = &Error{Status: http.StatusBadRequest, Substatus: 1004, Code: "BadRequest",
	Message: "The provided cross partition query can not be directly served by the gateway. This is a first chance (internal) exception that all newer clients will know how to handle gracefully."}

// errNoCrossPartition refuses a query without a partition key that did not ask for all.
var errNoCrossPartition = badRequest("Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception.")

// query parses the body: the text and its parameters.
func (r *request) query() (q *sql.Query, params []sql.Param, bad *Error) {
	sent, bad := r.json()
	if bad != nil {
		return nil, nil, bad
	}
	text, ok := sent.Get("query").Str()
	if !ok {
		return nil, nil, badRequest("The required property 'query' is missing or not a string.")
	}
	for _, p := range sent.Get("parameters").Items() {
		name, ok := p.Get("name").Str()
		if !ok || len(name) < 2 || name[0] != '@' {
			return nil, nil, badRequest("A query parameter needs a name that starts with @.")
		}
		params = append(params, sql.Param{Name: name, Value: p.Get("value")})
	}
	q, err := sql.Parse(text)
	if err != nil {
		return nil, nil, badRequest("Message: %v", err)
	}
	return q, params, nil
}

// query answers POST /docs with a query.
func (s *Server) query(r *request, c *container) (*answer, *Error) {
	q, params, bad := r.query()
	if bad != nil {
		return nil, bad
	}
	scope, bad := r.scope(c, q, params)
	if bad != nil {
		return nil, bad
	}
	if scope.key == nil && q.NeedsDocuments() {
		switch {
		case scope.id < 0 && !r.flag("X-Ms-Documentdb-Query-Enablecrosspartition"):
			return nil, errNoCrossPartition
		case !q.CrossPartition():
			return nil, errCrossPartition
		}
	}
	return s.page(r, c, q, params, scope)
}

// list answers GET /docs: all documents, or those of one partition key.
func (s *Server) list(r *request, c *container) (*answer, *Error) {
	switch mode := r.Header.Get("A-Im"); {
	case strings.EqualFold(mode, "Incremental feed"):
		return s.changes(r, c)
	case mode != "":
		return nil, badRequest("The header A-IM %q names a mode that this server does not have: use Incremental feed, the latest versions.", mode)
	}
	scope, bad := r.scope(c, allDocuments, nil)
	if bad != nil {
		return nil, bad
	}
	return s.page(r, c, allDocuments, nil, scope)
}

var allDocuments = mustQuery("SELECT * FROM c")

func mustQuery(text string) *sql.Query {
	q, err := sql.Parse(text)
	if err != nil {
		panic(err)
	}
	return q
}

// scope is the part of a container that a query looks at.
type scope struct {
	part
	key partition.Key // of a logical partition or, with fewer values, of several; nil: all
}

// holds tells whether a document has the scope's key.
func (sc scope) holds(r *record) bool {
	return sc.key == nil || bytes.HasPrefix(r.pk, sc.key.AppendStorage(nil))
}

// scope reads the headers, and WHERE where it pins the whole partition key.
func (r *request) scope(c *container, q *sql.Query, params []sql.Param) (scope, *Error) {
	selected, bad := r.part()
	if bad != nil {
		return scope{}, bad
	}
	if header := r.Header.Get("X-Ms-Documentdb-Partitionkey"); header != "" {
		key, err := partition.ParseHeader(header)
		if err != nil {
			return scope{}, badRequest("%v", err)
		}
		if len(key) > len(c.pk.Paths) {
			return scope{}, badRequest("Partition key provided has %d values for %d paths.", len(key), len(c.pk.Paths))
		}
		if len(key) > 0 {
			return scope{key: key, part: selected}, nil
		}
	}
	return scope{key: pinnedKey(c, q, params), part: selected}, nil
}

// pinnedKey is the partition key that WHERE demands, nil if it leaves it open.
func pinnedKey(c *container, q *sql.Query, params []sql.Param) partition.Key {
	var key partition.Key
	for _, path := range c.pk.Segments() {
		v := q.Pinned(params, path)
		if !v.IsDefined() {
			return nil
		}
		key = append(key, v)
	}
	return key
}

// page evaluates one page of a query over documents.
func (s *Server) page(r *request, c *container, q *sql.Query, params []sql.Param, sc scope) (a *answer, bad *Error) {
	limits, bad := r.limits()
	if bad != nil {
		return nil, bad
	}
	from, err := decodeCursor(r.Header.Get("X-Ms-Continuation"), q)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	limits.Eager = sc.key == nil
	at, bad := s.see(r, c)
	if bad != nil {
		return nil, bad
	}
	defer func() {
		if err := at.release(); err != nil && bad == nil {
			bad = internal(err)
		}
	}()
	asked := at.layout.live // the ranges that are asked
	switch {
	case sc.id >= 0:
		one, bad := at.one(sc.id)
		if bad != nil {
			return nil, bad
		}
		asked = []*physical{one}
	case len(sc.key) == len(c.pk.Paths):
		asked = []*physical{at.layout.ofKey(&c.pk, sc.key)}
	}
	access := s.access(at, c, q, params, sc)
	page, err := q.Run(r.Context(), params, access.documents, from, limits)
	if err != nil {
		return nil, queryError(err)
	}
	a = feed(c.rid, "Documents", page.Rows)
	a.charge = chargeQuery(len(asked), page.Looked, len(a.body))
	a.continuation = encodeCursor(page.Next, q)
	tokens := make([]string, len(asked))
	for i, p := range asked {
		tokens[i] = sessionToken(p, at.token(p))
	}
	a.session, a.lsn = strings.Join(tokens, ","), at.token(asked[0])
	if r.flag("X-Ms-Documentdb-Populatequerymetrics") {
		a.metrics = metrics(page, len(a.body))
	}
	if r.flag("X-Ms-Cosmos-Populateindexmetrics") {
		a.indexes = access.utilization()
	}
	return a, nil
}

// queryError says whose fault it is that a query could not be run.
func queryError(err error) *Error {
	for _, mine := range []error{sql.ErrParameter, sql.ErrCount, sql.ErrMemory, sql.ErrCursor} {
		if errors.Is(err, mine) {
			return badRequest("%v", err)
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &Error{Status: http.StatusRequestTimeout, Code: "RequestTimeout", Message: "The query was cancelled."}
	}
	return internal(err)
}

// limits reads x-ms-max-item-count: -1 leaves the size to the server.
func (r *request) limits() (sql.Limits, *Error) {
	limits := sql.Limits{Rows: defaultPage, Bytes: pageBytes, Looked: pageLooked}
	header := r.Header.Get("X-Ms-Max-Item-Count")
	if header == "" {
		return limits, nil
	}
	n, err := strconv.Atoi(header)
	if err != nil || n < -1 || n == 0 {
		return limits, badRequest("The header x-ms-max-item-count %q is neither -1 nor a positive number.", header)
	}
	limits.Rows = maxPage
	if n > 0 {
		limits.Rows = min(n, maxPage)
	}
	return limits, nil
}

// metrics is the x-ms-documentdb-query-metrics header.
func metrics(p sql.Page, size int) string {
	hit := 1.0
	if p.Looked > 0 {
		hit = float64(len(p.Rows)) / float64(p.Looked)
	}
	return fmt.Sprintf("retrievedDocumentCount=%d;retrievedDocumentSize=%d;outputDocumentCount=%d;outputDocumentSize=%d;indexUtilizationRatio=%.2f",
		p.Looked, p.Bytes, len(p.Rows), size, hit)
}

// queryDefinitions answers a query over databases or containers.
func queryDefinitions(r *request, rid, name string, values []sql.Value) (*answer, *Error) {
	q, params, bad := r.query()
	if bad != nil {
		return nil, bad
	}
	limits, bad := r.limits()
	if bad != nil {
		return nil, bad
	}
	from, err := decodeCursor(r.Header.Get("X-Ms-Continuation"), q)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	page, err := q.Run(r.Context(), params, valueSource(values), from, limits)
	if err != nil {
		return nil, queryError(err)
	}
	a := feed(rid, name, page.Rows)
	a.continuation = encodeCursor(page.Next, q)
	return a, nil
}

// token is a continuation: a cursor, and which query it belongs to.
type token struct {
	Query  uint32            `json:"q"`
	Number uint64            `json:"n"`
	Row    int               `json:"r,omitempty"`
	Seen   int               `json:"s,omitempty"`
	Keys   []json.RawMessage `json:"k,omitempty"` // null for undefined, else an array of the value
}

func fingerprint(q *sql.Query) uint32 {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(q.Text())) // a hash never fails
	return sum.Sum32()
}

func encodeCursor(c *sql.Cursor, q *sql.Query) string {
	if c == nil {
		return ""
	}
	t := token{Query: fingerprint(q), Number: c.Number, Row: c.Row, Seen: c.Seen}
	for _, v := range c.Keys {
		var key json.RawMessage
		if v.IsDefined() {
			key = sql.ArrayOf([]sql.Value{v}).AppendJSON(nil)
		}
		t.Keys = append(t.Keys, key)
	}
	b, err := json.Marshal(t)
	if err != nil {
		panic(err) // a token has no value that cannot be marshalled
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func decodeCursor(header string, q *sql.Query) (c sql.Cursor, err error) {
	if header == "" {
		return c, nil
	}
	var t token
	b, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil || json.Unmarshal(b, &t) != nil || t.Query != fingerprint(q) || t.Row < 0 || t.Seen < 0 || !q.TakesKeys(len(t.Keys)) {
		return c, sql.ErrCursor
	}
	c = sql.Cursor{Number: t.Number, Row: t.Row, Seen: t.Seen}
	for _, key := range t.Keys {
		v := sql.Value{}
		if len(key) > 0 && string(key) != "null" {
			list, err := sql.ParseJSON(key)
			if err != nil {
				return c, sql.ErrCursor
			}
			v = list.At(0)
		}
		c.Keys = append(c.Keys, v)
	}
	return c, nil
}
