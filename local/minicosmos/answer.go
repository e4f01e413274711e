package minicosmos

import (
	"net/http"
	"strconv"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// answer is a reply before it is written.
type answer struct {
	status        int
	body          []byte
	etag          string
	charge        float64
	session       string
	lsn           uint64
	continuation  string
	count         int // of a feed's or query's results, -1 for none
	substatus     int
	metrics       string // query metrics
	indexes       string // index utilization
	retryAfter    time.Duration
	minThroughput int // of an offer, 0: it is none
	items         int // operations of a batch
}

// refuse is the reply that an error is.
func refuse(e *Error) *answer {
	body := append(sql.AppendString([]byte(`{"code":`), e.Code), `,"message":`...)
	body = append(sql.AppendString(body, e.Message), '}')
	a := &answer{status: e.Status, body: body, substatus: e.Substatus, charge: chargeRefused, count: -1, retryAfter: e.RetryAfter}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusServiceUnavailable, http.StatusGone:
		a.charge = 0
	case http.StatusTooManyRequests:
		a.charge = chargeThrottled
	}
	return a
}

// definition is the reply that a database or container is.
func definition(status int, properties sql.Value) *answer {
	etag, _ := properties.Get("_etag").Str()
	return &answer{status: status, body: properties.AppendJSON(nil), etag: etag, charge: chargeDefinition, count: -1}
}

// feed is the reply that lists values under a name, as {"_rid":…,name:[…],"_count":n}.
func feed(rid, name string, values []sql.Value) *answer {
	body := sql.AppendString([]byte(`{"_rid":`), rid)
	body = append(sql.AppendString(append(body, ','), name), ':')
	body = sql.ArrayOf(values).AppendJSON(body)
	body = append(strconv.AppendInt(append(body, `,"_count":`...), int64(len(values)), 10), '}')
	return &answer{status: http.StatusOK, body: body, charge: chargeMetadata, count: len(values)}
}

// seen says what the client has seen now: an LSN of a physical range.
func (a *answer) seen(in *physical, lsn uint64) { a.lsn, a.session = lsn, sessionToken(in, lsn) }

// write sends the reply. A failed write means that the client is gone.
func (a *answer) write(w http.ResponseWriter, r *request) {
	h := w.Header()
	h["Content-Type"] = contentType
	h["X-Ms-Gatewayversion"] = gatewayVersion
	set := func(name, value string) {
		if value != "" {
			h[name] = []string{value}
		}
	}
	set("X-Ms-Activity-Id", r.Header.Get("X-Ms-Activity-Id"))
	set("X-Ms-Request-Charge", strconv.FormatFloat(a.charge, 'f', 2, 64))
	set("Etag", a.etag)
	set("X-Ms-Session-Token", a.session)
	set("X-Ms-Continuation", a.continuation)
	set("X-Ms-Documentdb-Query-Metrics", a.metrics)
	set("X-Ms-Cosmos-Index-Utilization", a.indexes)
	if a.lsn > 0 {
		set("Lsn", strconv.FormatUint(a.lsn, 10))
	}
	if a.count >= 0 {
		set("X-Ms-Item-Count", strconv.Itoa(a.count))
	}
	if a.minThroughput > 0 {
		set("X-Ms-Offer-Replace-Pending", "false")
		set("X-Ms-Cosmos-Min-Throughput", strconv.Itoa(a.minThroughput))
	}
	if a.retryAfter > 0 {
		set("X-Ms-Retry-After-Ms", strconv.FormatInt(int64((a.retryAfter+time.Millisecond-1)/time.Millisecond), 10))
	}
	if a.substatus != 0 {
		set("X-Ms-Substatus", strconv.Itoa(a.substatus))
	}
	if a.status != http.StatusNoContent && a.status != http.StatusNotModified {
		set("Content-Length", strconv.Itoa(len(a.body)))
	}
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body)
}

// Header values that never change; net/http does not change them either.
var (
	contentType    = []string{"application/json"}
	gatewayVersion = []string{"version=2.0.0"}
)
