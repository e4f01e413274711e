package cosmos

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/relaybox/relaybox/outbox"
	"github.com/stretchr/testify/require"
)

const (
	testConnection = "AccountEndpoint=http://127.0.0.1:1/;AccountKey=" + testKey
	testKey        = "a2V5"
	account        = `{"readableLocations":[{"name":"here","databaseAccountEndpoint":"http://127.0.0.1:1/"}],
		"writableLocations":[{"name":"here","databaseAccountEndpoint":"http://127.0.0.1:1/"}],
		"userConsistencyPolicy":{"defaultConsistencyLevel":"Session"}}`
)

// reply is one answer of a scripted server.
type reply struct {
	status int
	header map[string]string
	body   string
	// refused: no connection. dropped: the connection broke after the request was sent.
	// silent: nothing ever comes back.
	refused, dropped, silent bool
}

// script is an http.RoundTripper that plays replies in order, the last one for ever.
// It answers account reads by itself.
type script struct {
	mu       sync.Mutex
	replies  []reply
	accounts []reply // before the account read succeeds
	requests []sentRequest
}

type sentRequest struct {
	method, path string
	header       http.Header
	body         string
}

func (s *script) RoundTrip(req *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if req.URL.Path == "" || req.URL.Path == "/" {
		r := reply{status: 200, body: account}
		if len(s.accounts) > 0 {
			r, s.accounts = s.accounts[0], s.accounts[1:]
		}
		return r.play(req)
	}
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
	}
	s.requests = append(s.requests, sentRequest{req.Method, req.URL.Path, req.Header.Clone(), string(body)})
	r := s.replies[0]
	if len(s.replies) > 1 {
		s.replies = s.replies[1:]
	}
	return r.play(req)
}

func (r reply) play(req *http.Request) (*http.Response, error) {
	if r.refused {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if t := httptrace.ContextClientTrace(req.Context()); t != nil {
		t.GotConn(httptrace.GotConnInfo{})
	}
	if r.silent {
		<-req.Context().Done()
		return nil, req.Context().Err()
	}
	if r.dropped {
		return nil, io.ErrUnexpectedEOF
	}
	resp := &http.Response{StatusCode: r.status, Status: http.StatusText(r.status), Header: http.Header{}, Body: io.NopCloser(strings.NewReader(r.body)), Request: req}
	for k, v := range r.header {
		resp.Header.Set(k, v)
	}
	return resp, nil
}

func (s *script) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.requests)
}

func scripted(replies ...reply) (*Client, *script) {
	s := &script{replies: replies}
	return Open(Connection{ConnectionString: testConnection}, Options{Transport: s}), s
}

// rolledBack is a 207 in which operation op of n failed.
func rolledBack(n, op, status int) reply {
	results := make([]map[string]any, n)
	for i := range results {
		results[i] = map[string]any{"statusCode": http.StatusFailedDependency, "requestCharge": 0}
	}
	results[op]["statusCode"] = status
	text, _ := json.Marshal(results)
	return reply{status: http.StatusMultiStatus, body: string(text)}
}

func committed(tags ...string) reply {
	var results []map[string]any
	for _, tag := range tags {
		results = append(results, map[string]any{"statusCode": 201, "eTag": tag, "requestCharge": 1})
	}
	text, _ := json.Marshal(results)
	return reply{status: 200, body: string(text)}
}

// class returns the name of err's class, or of the sentinel it is.
func class(t *testing.T, err error) string {
	t.Helper()
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, outbox.ErrConflict) && outbox.ClassOf(err) == outbox.Unclassified:
		return "conflict"
	}
	if _, ok := errors.AsType[*outbox.ReceiptExistsError](err); ok && outbox.ClassOf(err) == outbox.Unclassified {
		return "receipt exists"
	}
	_, ok := errors.AsType[*outbox.Error](err)
	require.True(t, ok, "%T is no *outbox.Error: %v", err, err)
	return outbox.ClassOf(err).String()
}
