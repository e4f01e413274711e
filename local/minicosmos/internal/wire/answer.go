package wire

import (
	"net/http"
	"strconv"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/internal/layout"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// Answer is a reply before it is written.
type Answer struct {
	Status        int // of HTTP
	Body          []byte
	ETag          string  // with its quotes
	Charge        float64 // request units
	Session       string  // session token
	Owner         string  // _rid of the container, for what is in one
	LSN           uint64  // that the client has seen, 0 for none
	Continuation  string  // where the next page begins, "" for nowhere
	Count         int     // of a feed's or query's results, -1 for none
	substatus     int
	Metrics       string // query metrics
	Indexes       string // index utilization
	retryAfter    time.Duration
	MinThroughput int // of an offer, 0: it is none
	Items         int // operations of a batch
}

// Refuse is the reply that an error is.
func Refuse(e *refusal.Error) *Answer {
	body := append(sql.AppendString([]byte(`{"code":`), e.Code), `,"message":`...)
	body = append(sql.AppendString(body, e.Message), '}')
	a := &Answer{Status: e.Status, Body: body, substatus: e.Substatus, Charge: ChargeRefused, Count: -1, retryAfter: e.RetryAfter}
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

// Write sends the reply. A failed write means that the client is gone.
func (a *Answer) Write(w http.ResponseWriter, r *Request) {
	h := w.Header()
	h["Content-Type"] = contentType
	h["X-Ms-Gatewayversion"] = gatewayVersion
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	set("X-Ms-Activity-Id", r.Header.Get("X-Ms-Activity-Id"))
	set("X-Ms-Request-Charge", strconv.FormatFloat(a.Charge, 'f', 2, 64))
	set("Etag", a.ETag)
	set("X-Ms-Session-Token", a.Session)
	set("X-Ms-Content-Path", a.Owner)
	set("X-Ms-Continuation", a.Continuation)
	set("X-Ms-Documentdb-Query-Metrics", a.Metrics)
	set("X-Ms-Cosmos-Index-Utilization", a.Indexes)
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
	if a.retryAfter > 0 {
		set("X-Ms-Retry-After-Ms", strconv.FormatInt(int64((a.retryAfter+time.Millisecond-1)/time.Millisecond), 10))
	}
	if a.substatus != 0 {
		set("X-Ms-Substatus", strconv.Itoa(a.substatus))
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
	gatewayVersion = []string{"version=2.0.0"}
)
