package wire

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/internal/layout"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// Answer is a reply before it is written.
type Answer struct {
	Status        int // of HTTP
	Body          []byte
	Rows          bool    // Body is HybridRow and not JSON
	ETag          string  // with its quotes
	Charge        float64 // request units
	Session       string  // session token
	Owner         string  // _rid of the container that it is in, or of the database
	Path          string  // the same by names
	LSN           uint64  // that the client has seen, 0 for none
	Continuation  string  // where the next page begins, "" for nowhere
	Count         int     // of a feed's or query's results, -1 for none
	Substatus     int
	Metrics       string        // query metrics
	Indexes       string        // index utilization
	RetryAfter    time.Duration // that a throttled client is asked to wait
	MinThroughput int           // of an offer, 0: it is none
	Items         int           // operations of a batch
	Quota, Usage  string        // of a container, "" if nobody asked
}

// Refuse is the reply that an error is.
func Refuse(e *refusal.Error) *Answer {
	body := append(sql.AppendString([]byte(`{"code":`), e.Code), `,"message":`...)
	body = sql.AppendString(body, e.Message)
	if e.Info != "" {
		body = sql.AppendString(append(body, `,"additionalErrorInfo":`...), e.Info)
	}
	body = append(body, '}')
	a := &Answer{Status: e.Status, Body: body, Substatus: e.Substatus, Charge: ChargeRefused, Count: -1, RetryAfter: e.RetryAfter}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusServiceUnavailable, http.StatusGone:
		a.Charge = 0
	case http.StatusTooManyRequests:
		a.Charge = ChargeThrottled
	}
	return a
}

// Definition is the reply that a database or container is.
func Definition(status int, properties sql.Value) *Answer {
	etag, _ := properties.Get("_etag").Str()
	return &Answer{Status: status, Body: properties.AppendJSON(nil), ETag: etag, Charge: ChargeDefinition, Count: -1}
}

// Feed is the reply that lists values under a name, as {"_rid":…,name:[…],"_count":n}.
func Feed(rid, name string, values []sql.Value) *Answer {
	body := sql.AppendString([]byte(`{"_rid":`), rid)
	body = append(sql.AppendString(append(body, ','), name), ':')
	body = sql.ArrayOf(values).AppendJSON(body)
	body = append(strconv.AppendInt(append(body, `,"_count":`...), int64(len(values)), 10), '}')
	return &Answer{Status: http.StatusOK, Body: body, Charge: ChargeMetadata, Count: len(values)}
}

// Seen says what the client has seen now: an LSN of a physical range.
func (a *Answer) Seen(in *layout.Physical, lsn uint64) { a.LSN, a.Session = lsn, layout.Token(in, lsn) }

// escaped is a path of names as it stands in a URL: clients decode it.
func escaped(path string) string {
	other := func(c rune) bool {
		return c < 'a' && c != '/' && c != '-' && c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') || c > 'z'
	}
	if strings.IndexFunc(path, other) < 0 {
		return path
	}
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}

// maxHeaders is how many headers with a value of its own most answers have.
const maxHeaders = 10

// Write sends the reply. A failed write means that the client is gone.
func (a *Answer) Write(w http.ResponseWriter, r *Request) {
	h := w.Header()
	h["Content-Type"] = contentType
	if a.Rows {
		h["Content-Type"] = contentRows
	}
	h["X-Ms-Gatewayversion"] = gatewayVersion
	values := make([]string, 0, maxHeaders) // of all headers, so that each need not have a place of its own
	set := func(name, value string) {
		if value != "" {
			values = append(values, value)
			h[name] = values[len(values)-1 : len(values) : len(values)]
		}
	}
	h["X-Ms-Schemaversion"], h["X-Ms-Serviceversion"] = schemaVersion, serviceVersion
	set("X-Ms-Activity-Id", r.activity())
	set("X-Ms-Alt-Content-Path", escaped(a.Path))
	set("X-Ms-Request-Charge", strconv.FormatFloat(a.Charge, 'f', 2, 64))
	set("Etag", a.ETag)
	set("X-Ms-Session-Token", a.Session)
	set("X-Ms-Content-Path", a.Owner)
	set("X-Ms-Continuation", a.Continuation)
	set("X-Ms-Documentdb-Query-Metrics", a.Metrics)
	set("X-Ms-Cosmos-Index-Utilization", a.Indexes)
	set("X-Ms-Resource-Quota", a.Quota)
	set("X-Ms-Resource-Usage", a.Usage)
	if a.LSN > 0 {
		set("Lsn", strconv.FormatUint(a.LSN, 10))
	}
	if a.Count >= 0 {
		set("X-Ms-Item-Count", strconv.Itoa(a.Count))
	}
	if a.MinThroughput > 0 {
		set("X-Ms-Offer-Replace-Pending", "false")
		set("X-Ms-Cosmos-Min-Throughput", strconv.Itoa(a.MinThroughput))
	}
	if a.RetryAfter > 0 {
		set("X-Ms-Retry-After-Ms", strconv.FormatInt(int64((a.RetryAfter+time.Millisecond-1)/time.Millisecond), 10))
	}
	if a.Substatus != 0 {
		set("X-Ms-Substatus", strconv.Itoa(a.Substatus))
	}
	if a.Status != http.StatusNoContent && a.Status != http.StatusNotModified {
		set("Content-Length", strconv.Itoa(len(a.Body)))
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// Header values that never change; net/http does not change them either.
var (
	contentType    = []string{"application/json"}
	contentRows    = []string{"application/octet-stream"}
	gatewayVersion = []string{"version=2.0.0"}
	schemaVersion  = []string{"1.18"}
	serviceVersion = []string{"version=2.14.0.0"}
)
