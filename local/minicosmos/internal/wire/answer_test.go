package wire

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// every is an answer with all headers that there are, but for those of offers.
func every() *Answer {
	return &Answer{Status: http.StatusTooManyRequests, Body: []byte("{}"), ETag: `"1"`, Charge: 1.5, Session: "0:0#1#0=1", Owner: "AA==", Path: "dbs/d/colls/c", LSN: 1,
		Continuation: "next", Count: 2, Substatus: 3200, Metrics: "m", Indexes: "i", RetryAfter: 1500 * time.Microsecond, MinThroughput: 400}
}

func TestHeadersOfAnAnswer(t *testing.T) {
	t.Parallel()
	r := &Request{Request: httptest.NewRequest(http.MethodGet, "/", nil)}
	r.Header.Set("X-Ms-Activity-Id", "mine")
	w := httptest.NewRecorder()
	every().Write(w, r)
	require.Equal(t, http.Header{"Content-Type": {"application/json"}, "X-Ms-Gatewayversion": {"version=2.0.0"}, "X-Ms-Schemaversion": {"1.18"}, "X-Ms-Serviceversion": {"version=2.14.0.0"},
		"X-Ms-Activity-Id": {"mine"}, "X-Ms-Alt-Content-Path": {"dbs/d/colls/c"}, "X-Ms-Request-Charge": {"1.50"}, "Etag": {`"1"`}, "X-Ms-Session-Token": {"0:0#1#0=1"}, "X-Ms-Content-Path": {"AA=="},
		"X-Ms-Continuation": {"next"}, "X-Ms-Documentdb-Query-Metrics": {"m"}, "X-Ms-Cosmos-Index-Utilization": {"i"}, "Lsn": {"1"}, "X-Ms-Item-Count": {"2"}, "X-Ms-Offer-Replace-Pending": {"false"},
		"X-Ms-Cosmos-Min-Throughput": {"400"}, "X-Ms-Retry-After-Ms": {"2"}, "X-Ms-Substatus": {"3200"}, "Content-Length": {"2"}}, w.Header())
	w.Header().Add("Etag", "other") // nobody else's value is touched by it
	require.Equal(t, []string{"0:0#1#0=1"}, w.Header()["X-Ms-Session-Token"])
}

// nowhere is a response that is not sent.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n *nowhere) WriteHeader(int)             {}

// BenchmarkAnswer writes the answer to a point read: go test -bench Answer -benchmem -run '^$' ./local/minicosmos/internal/wire
func BenchmarkAnswer(b *testing.B) {
	r := &Request{Request: httptest.NewRequest(http.MethodGet, "/", nil)}
	r.Header.Set("X-Ms-Activity-Id", "7d4a1a5a-0b0a-4ae6-9e8c-0d9f2a4a3b11")
	a := &Answer{Status: http.StatusOK, Body: make([]byte, 1024), ETag: `"00000001-0000-0700-0000-000000000001"`, Charge: 1, Session: "0:0#12345#0=12345", Owner: "AAAAAA==", Path: "dbs/d/colls/c", LSN: 12345, Count: -1}
	w := &nowhere{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		a.Write(w, r)
	}
}
