package rest

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/layout"
	"github.com/relaybox/relaybox/local/minicosmos/internal/query"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
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

// crossPartition is the gateway's refusal of what it cannot serve over more than one logical partition. It brings the
// plan: SDKs that put pages together themselves react to it.
func crossPartition(c *account.Container, q *sql.Query, params []sql.Param) *refusal.Error {
	e := &refusal.Error{Status: http.StatusBadRequest, Substatus: 1004, Code: "BadRequest",
		Message: "The provided cross partition query can not be directly served by the gateway. This is a first chance (internal) exception that all newer clients will know how to handle gracefully."}
	d, err := q.Distribute(params)
	if err != nil {
		e.Info = err.Error()
		return e
	}
	e.Info = string(planText(c, q, params, d))
	return e
}

// errNoCrossPartition refuses a query without a partition key that did not ask for all.
var errNoCrossPartition = refusal.BadRequest("Cross partition query is required but disabled. Please set x-ms-documentdb-query-enablecrosspartition to true, specify x-ms-documentdb-partitionkey, or revise your query to avoid this exception.")

// query parses the body: the text and its parameters.
func (r *call) query(parse func(text string) (*sql.Query, error)) (q *sql.Query, params []sql.Param, bad *refusal.Error) {
	sent, bad := r.JSON()
	if bad != nil {
		return nil, nil, bad
	}
	text, ok := sent.Get("query").Str()
	if !ok {
		return nil, nil, refusal.BadRequest("The required property 'query' is missing or not a string.")
	}
	for _, p := range sent.Get("parameters").Items() {
		name, ok := p.Get("name").Str()
		if !ok || len(name) < 2 || name[0] != '@' {
			return nil, nil, refusal.BadRequest("A query parameter needs a name that starts with @.")
		}
		params = append(params, sql.Param{Name: name, Value: p.Get("value")})
	}
	q, err := parse(text)
	if err != nil {
		return nil, nil, refusal.BadRequest("Message: %v", err)
	}
	return q, params, nil
}

// query answers POST /docs with a query.
func (s *Service) query(r *call, c *account.Container) (*wire.Answer, *refusal.Error) {
	q, params, bad := r.query(s.parsed.of(c))
	if bad != nil {
		return nil, bad
	}
	if err := c.Policy().CanOrder(q.OrderPaths()); err != nil {
		return nil, refusal.BadRequest("Message: %v", err)
	}
	scope, bad := r.scope(c, q, params)
	if bad != nil {
		return nil, bad
	}
	if scope.Key == nil && q.NeedsDocuments() {
		switch {
		case oneRange(c, scope): // a range is asked, by a client that puts the answers of all ranges together
		case !r.Flag("X-Ms-Documentdb-Query-Enablecrosspartition"):
			return nil, errNoCrossPartition
		case !q.CrossPartition():
			return nil, crossPartition(c, q, params)
		}
	}
	return s.page(r, c, q, params, scope)
}

// oneRange tells whether headers send a query to one physical range.
func oneRange(c *account.Container, sc query.Scope) bool {
	return sc.ID >= 0 || sc.Keys != nil && sc.Keys.Max <= c.Layout().Of(sc.Keys.Min).Max
}

// list answers GET /docs: all documents, or those of one partition key.
func (s *Service) list(r *call, c *account.Container) (*wire.Answer, *refusal.Error) {
	switch mode := r.Header.Get("A-Im"); {
	case strings.EqualFold(mode, "Incremental feed"):
		return s.changes(r, c)
	case mode != "":
		return nil, refusal.BadRequest("The header A-IM %q names a mode that this server does not have: use Incremental feed, the latest versions.", mode)
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

// scope reads the headers, and WHERE where it pins the whole partition key.
func (r *call) scope(c *account.Container, q *sql.Query, params []sql.Param) (query.Scope, *refusal.Error) {
	selected, bad := r.part()
	if bad != nil {
		return query.Scope{}, bad
	}
	if header := r.Header.Get("X-Ms-Documentdb-Partitionkey"); header != "" {
		key, err := partition.ParseHeader(header)
		if err != nil {
			return query.Scope{}, refusal.BadRequest("%v", err)
		}
		if len(key) > len(c.PK.Paths) {
			return query.Scope{}, refusal.BadRequest("Partition key provided has %d values for %d paths.", len(key), len(c.PK.Paths))
		}
		if len(key) > 0 {
			return query.Scope{Key: key, Part: selected}, nil
		}
	}
	return query.Scope{Key: query.PinnedKey(c, q, params), Part: selected}, nil
}

// page evaluates one page of a query over documents.
func (s *Service) page(r *call, c *account.Container, q *sql.Query, params []sql.Param, sc query.Scope) (a *wire.Answer, bad *refusal.Error) {
	limits, bad := r.limits()
	if bad != nil {
		return nil, bad
	}
	from, err := query.DecodeCursor(r.Header.Get("X-Ms-Continuation"), q)
	if err != nil {
		return nil, refusal.BadRequest("%v", err)
	}
	limits.Eager = sc.Key == nil
	at, bad := s.see(r, c)
	if bad != nil {
		return nil, bad
	}
	defer func() {
		if err := at.Release(); err != nil && bad == nil {
			bad = refusal.Internal(err)
		}
	}()
	asked, bad := at.Asked(c, sc)
	if bad != nil {
		return nil, bad
	}
	access, err := query.Reach(at, c, q, params, sc, from)
	if err != nil {
		return nil, refusal.Internal(err)
	}
	page, err := q.Run(r.Context(), params, access.Documents, from, limits)
	if err != nil {
		return nil, queryError(err)
	}
	a = wire.Feed(c.RID, "Documents", page.Rows)
	a.Charge = wire.ChargeQuery(len(asked), page.Looked, len(a.Body))
	a.Continuation = query.EncodeCursor(page.Next, q)
	tokens := make([]string, len(asked))
	for i, p := range asked {
		tokens[i] = layout.Token(p, at.Token(p))
	}
	a.Session, a.LSN = strings.Join(tokens, ","), at.Token(asked[0])
	if r.Flag("X-Ms-Documentdb-Populatequerymetrics") {
		a.Metrics = metrics(page, len(a.Body))
	}
	switch {
	case r.Flag("X-Ms-Cosmos-Populateindexmetrics-V2"):
		a.Indexes = url.PathEscape(string(access.Utilization()))
	case r.Flag("X-Ms-Cosmos-Populateindexmetrics"):
		a.Indexes = base64.StdEncoding.EncodeToString(access.Utilization())
	}
	return a, nil
}

// queryError says whose fault it is that a query could not be run.
func queryError(err error) *refusal.Error {
	for _, mine := range []error{sql.ErrParameter, sql.ErrCount, sql.ErrMemory, sql.ErrPattern, sql.ErrTerms, sql.ErrCursor} {
		if errors.Is(err, mine) {
			return refusal.BadRequest("%v", err)
		}
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &refusal.Error{Status: http.StatusRequestTimeout, Code: "RequestTimeout", Message: "The query was cancelled."}
	}
	return refusal.Internal(err)
}

// limits reads x-ms-max-item-count: -1 leaves the size to the server, and 0 says nothing.
func (r *call) limits() (sql.Limits, *refusal.Error) {
	limits := sql.Limits{Rows: defaultPage, Bytes: pageBytes, Looked: pageLooked}
	header := r.Header.Get("X-Ms-Max-Item-Count")
	if header == "" || header == "0" {
		return limits, nil
	}
	n, err := strconv.Atoi(header)
	if err != nil || n < -1 {
		return limits, refusal.BadRequest("The header x-ms-max-item-count %q is neither -1 nor a number from 0.", header)
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

// queryDefinitions answers a query over databases, containers or offers, or the list of all of them.
func queryDefinitions(r *call, rid, name string, values []sql.Value) (*wire.Answer, *refusal.Error) {
	q, params, bad := allDocuments, []sql.Param(nil), (*refusal.Error)(nil)
	if r.Method != http.MethodGet {
		if q, params, bad = r.query(sql.Parse); bad != nil {
			return nil, bad
		}
	}
	limits, bad := r.limits()
	if bad != nil {
		return nil, bad
	}
	from, err := query.DecodeCursor(r.Header.Get("X-Ms-Continuation"), q)
	if err != nil {
		return nil, refusal.BadRequest("%v", err)
	}
	page, err := q.Run(r.Context(), params, query.ValueSource(values), from, limits)
	if err != nil {
		return nil, queryError(err)
	}
	a := wire.Feed(rid, name, page.Rows)
	a.Continuation = query.EncodeCursor(page.Next, q)
	return a, nil
}

// see looks at a container as the request asks: for its session, and at the replica that a fault sends it to.
func (s *Service) see(r *call, c *account.Container) (*query.Sight, *refusal.Error) {
	header := r.Header.Get("X-Ms-Session-Token")
	wanted, ok := layout.ParseSession(header)
	if !ok {
		return nil, refusal.BadRequest("The header x-ms-session-token %q is not a session token: range:version#LSN#region=LSN.", header)
	}
	at, bad := query.See(s.Account, c, wanted, r.lag())
	r.sight = at
	return at, bad
}

// replicas is how many of them lag behind the newest state.
const replicas = 3

// lag chooses how far the replica that the request is sent to may be behind, nil for not at all.
func (r *call) lag() func() time.Duration {
	if r.stale == nil {
		return nil
	}
	if level := r.Header.Get("X-Ms-Consistency-Level"); level == "Strong" || level == "BoundedStaleness" {
		return nil
	}
	if strategy := r.Header.Get("X-Ms-Cosmos-Read-Consistency-Strategy"); strategy == "LatestCommitted" || strategy == "GlobalStrong" {
		return nil
	}
	return func() time.Duration {
		return time.Duration(r.stale.Delay) * time.Duration(1+r.stale.Pick(replicas)) / replicas
	}
}
