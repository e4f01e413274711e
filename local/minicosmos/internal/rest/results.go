package rest

import (
	"strconv"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/hybridrow"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// result is what became of one operation of a batch.
type result struct {
	status, substatus int
	charge            float64
	etag              string
	record            *document.Record // that is shown, nil for none
	body              []byte           // shown where there is no record
	message           string           // why it was refused, "" for nothing to say
	retryAfter        time.Duration
}

// results are the answer to a batch, in the form that it came in.
type results struct {
	rows    bool // and not JSON
	home    *document.Home
	body    []byte
	scratch []byte // of a row's document
}

func newResults(r *call, home *document.Home) *results {
	w := &results{rows: hybridrow.IsStream(r.Sent()), home: home, body: []byte{'['}}
	if w.rows {
		w.body = hybridrow.AppendSegment(nil)
	}
	return w
}

// add appends the next result.
func (w *results) add(r result) {
	if w.rows {
		w.appendRow(r)
		return
	}
	b := w.body
	if len(b) > 1 {
		b = append(b, ',')
	}
	b = strconv.AppendInt(append(b, `{"statusCode":`...), int64(r.status), 10)
	b = strconv.AppendFloat(append(b, `,"requestCharge":`...), r.charge, 'f', 2, 64)
	if r.substatus != 0 {
		b = strconv.AppendInt(append(b, `,"subStatusCode":`...), int64(r.substatus), 10)
	}
	if r.etag != "" {
		b = sql.AppendString(append(b, `,"eTag":`...), r.etag)
	}
	switch {
	case r.record != nil:
		b = r.record.AppendJSON(append(b, `,"resourceBody":`...), w.home)
	case len(r.body) > 0:
		b = append(append(b, `,"resourceBody":`...), r.body...)
	}
	if r.message != "" {
		b = sql.AppendString(append(b, `,"message":`...), r.message)
	}
	if r.retryAfter > 0 {
		b = strconv.AppendInt(append(b, `,"retryAfterMilliseconds":`...), milliseconds(r.retryAfter), 10)
	}
	w.body = append(b, '}')
}

// end is the whole answer.
func (w *results) end() []byte {
	if w.rows {
		return w.body
	}
	return append(w.body, ']')
}

// milliseconds rounds up, so that nobody comes too early.
func milliseconds(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }
