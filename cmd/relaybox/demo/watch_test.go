package demo

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWatchSeesModelsBecomeVisible(t *testing.T) {
	t.Parallel()
	const (
		batch = `[{"operationType":"Create","resourceBody":{"id":"ea-9","pk":"k","kind":"early"}},` +
			`{"operationType":"Create","resourceBody":{"id":"model","pk":"k","kind":"model","lastSeq":3}}]`
		single = `{"id":"model","pk":"k","kind":"model","lastSeq":4}`
	)
	w := newWatch("views")
	status := http.StatusOK
	front := w.front(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if text := string(body); err != nil || text != batch && text != single {
			status = http.StatusBadRequest // the store must get what was sent
		}
		rw.WriteHeader(status)
	}))
	send := func(method, path, body string) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("X-Ms-Cosmos-Is-Batch-Request", "True")
		front.ServeHTTP(httptest.NewRecorder(), r)
	}
	before := time.Now()
	send(http.MethodPost, "/dbs/d/colls/profiles/docs", batch)
	_, seen := w.seenAt("k", 1)
	require.False(t, seen, "another container")
	status = http.StatusMultiStatus
	send(http.MethodPost, "/dbs/d/colls/views/docs", batch)
	_, seen = w.seenAt("k", 1)
	require.False(t, seen, "the batch was rolled back")
	status = http.StatusOK
	send(http.MethodPost, "/dbs/d/colls/views/docs", batch)
	at, seen := w.seenAt("k", 2)
	require.True(t, seen)
	require.False(t, at.Before(before))
	_, seen = w.seenAt("k", 4)
	require.False(t, seen)

	send(http.MethodPut, "/dbs/d/colls/views/docs/model", single)
	send(http.MethodPut, "/dbs/d/colls/views/docs/model", single) // early events came or went
	_, seen = w.seenAt("k", 4)
	require.True(t, seen)
	require.Equal(t, 4, w.count())
}

func TestWatchCountsWhatInstancesDo(t *testing.T) {
	t.Parallel()
	w := newWatch("views")
	w.outbox = "entities"
	status := http.StatusOK
	store := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(status) })
	send := func(instance, method, path, body string) {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("X-Ms-Cosmos-Is-Batch-Request", "True")
		w.door(instance, store).ServeHTTP(httptest.NewRecorder(), r)
	}
	const (
		commit = `[{"operationType":"Upsert","resourceBody":{}},{"operationType":"Create","resourceBody":{}}]`
		two    = `[{"operationType":"Delete","id":"e-1"},{"operationType":"Delete","id":"e-2"}]`
		model  = `{"id":"model","pk":"k","kind":"model","lastSeq":3}`
	)
	send("a", http.MethodPost, "/dbs/d/colls/entities/docs", commit)
	send("a", http.MethodPost, "/dbs/d/colls/entities/docs", two)
	send("b", http.MethodPost, "/dbs/d/colls/views/docs", two)
	send("b", http.MethodPut, "/dbs/d/colls/views/docs/model", model)
	send("a", http.MethodPut, "/dbs/d/colls/views/docs/model", model) // nothing new
	status = http.StatusMultiStatus
	send("a", http.MethodPost, "/dbs/d/colls/entities/docs", two)
	status = http.StatusNotFound
	send("a", http.MethodDelete, "/dbs/d/colls/entities/docs/e-3", "")
	status = http.StatusNoContent
	send("b", http.MethodDelete, "/dbs/d/colls/entities/docs/e-3", "")
	require.Equal(t, work{sent: 2}, w.did("a"))
	require.Equal(t, work{sent: 1, consumed: 3}, w.did("b"))
}

func TestLatencies(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	w := newWatch("views")
	w.sightings["k"] = []sighting{{1, at(90)}, {3, at(250)}, {4, at(900)}}
	h := &history{lastSeq: []int64{0, 1, 2, 4}, acks: []ack{{1, at(100)}, {2, at(200)}, {3, at(300)}}}
	all, calm := latencies(map[string]*history{"k": h}, w, span{at(150), at(300)})
	require.Equal(t, []time.Duration{0, 50 * time.Millisecond, 600 * time.Millisecond}, all)
	require.Equal(t, []time.Duration{50 * time.Millisecond}, calm)
	require.Equal(t, 50*time.Millisecond, percentile(all, 50))
	require.Equal(t, 600*time.Millisecond, percentile(all, 99))
	require.Zero(t, percentile(nil, 50))
}
