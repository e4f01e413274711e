package cosmos

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// Observer hears of attempts. It is called from many goroutines at once and must not block.
// The context is that of the call which the attempt belongs to.
type Observer func(context.Context, Attempt)

// Attempt is one request to a container, with its answer.
type Attempt struct {
	// Verb is what it is for, as errors have it: "commit". Operation is what it does, as the
	// service's clients call that: "execute_batch".
	Verb, Operation     string
	Database, Container string
	Host                string
	Began               time.Time
	Took                time.Duration
	// Status is 0 without an answer; Err says why there is none.
	Status    int
	Substatus string
	// Charge is in request units.
	Charge float64
	Err    error
}

// observed sends a request and tells of it.
func (t *transport) observed(req *http.Request) (*http.Response, error) {
	x, ok := exchangeOf(req)
	if t.observer == nil || !ok {
		return t.http.RoundTrip(req)
	}
	a := Attempt{
		Verb: x.verb, Operation: operation(req), Database: x.of.database, Container: x.of.name,
		Host: req.URL.Hostname(), Began: time.Now(),
	}
	resp, err := t.http.RoundTrip(req)
	a.Took, a.Err = time.Since(a.Began), err
	if err == nil {
		a.Status, a.Substatus = resp.StatusCode, resp.Header.Get("x-ms-substatus")
		a.Charge, _ = strconv.ParseFloat(resp.Header.Get("x-ms-request-charge"), 64) // 0 for what is no number
	}
	t.observer(x, a)
	return resp, err
}

// operation is what a request does, by its method and the headers that change its meaning.
func operation(req *http.Request) string {
	switch req.Method {
	case http.MethodGet:
		if req.Header.Get("x-ms-documentdb-partitionkey") == "" {
			return "read_container"
		}
		return "read_item"
	case http.MethodPut:
		return "replace_item"
	case http.MethodPatch:
		return "patch_item"
	case http.MethodDelete:
		return "delete_item"
	}
	switch h := req.Header; {
	case h.Get("x-ms-cosmos-is-batch-request") != "":
		return "execute_batch"
	case h.Get("x-ms-documentdb-query") != "":
		return "query_items"
	case h.Get("x-ms-documentdb-is-upsert") != "":
		return "upsert_item"
	}
	return "create_item"
}
