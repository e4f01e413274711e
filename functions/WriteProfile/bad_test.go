package writeprofile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity/request"
	"github.com/relaybox/relaybox/outbox"
)

const good = `{"displayName":"Ada"}`

// TestBadRequestsStoreNothing sends every bad request twice: to a profile that does
// not exist and to one that does.
func TestBadRequestsStoreNothing(t *testing.T) {
	t.Parallel()
	big := func(n int) string { return `{"displayName":"` + strings.Repeat("x", n-18) + `"}` }
	attributes := make([]string, 61)
	for i := range attributes {
		attributes[i] = fmt.Sprintf(`"k%d":"%s"`, i, strings.Repeat("v", 4096))
	}
	for name, c := range map[string]struct {
		method, body string
		headers      []string
		status       int
		kind         string
		members      map[string]any
	}{
		"malformed":        {"PUT", "{\n \"displayName\": oops}", nil, 400, "malformed-json", map[string]any{"offset": 18., "line": 2., "column": 17.}},
		"malformed patch":  {"PATCH", `{"bio":`, nil, 400, "malformed-json", map[string]any{"offset": 7., "line": 1., "column": 8.}},
		"two documents":    {"PUT", good + good, nil, 400, "malformed-json", map[string]any{"offset": 21.}},
		"not Unicode":      {"PUT", "{\"displayName\":\"\xff\"}", nil, 400, "malformed-json", map[string]any{"offset": 16.}},
		"gzip, unlabelled": {"PUT", "\x1f\x8b\x08\x00", nil, 415, "unsupported-media-type", nil},
		"empty":            {"PUT", "", []string{"Content-Length", "0"}, 400, "malformed-json", map[string]any{"offset": 0.}},
		"unknown":          {"PUT", `{"displayName":"A","age":1}`, nil, 400, "unknown-field", map[string]any{"field": "age", "column": 20.}},
		"unknown in patch": {"PATCH", `{"e-mail":null}`, nil, 400, "unknown-field", map[string]any{"field": "e-mail"}},
		"twice":            {"PUT", `{"bio":"","bio":""}`, nil, 400, "duplicate-field", map[string]any{"field": "bio", "offset": 10.}},
		"attribute twice":  {"PATCH", `{"attributes":{"a":"","a":""}}`, nil, 400, "duplicate-field", map[string]any{"field": "attributes.a"}},

		"condition, unquoted": {"PUT", good, []string{"If-Match", `3`}, 400, "bad-header", map[string]any{"header": "If-Match"}},
		"condition, list":     {"DELETE", "", []string{"If-None-Match", `*, "3"`}, 400, "bad-header", map[string]any{"header": "If-None-Match"}},
		"key with a space":    {"PUT", good, []string{"Idempotency-Key", "a b"}, 400, "bad-header", map[string]any{"header": "Idempotency-Key"}},
		"key too long":        {"DELETE", "", []string{"Idempotency-Key", strings.Repeat("k", 256)}, 400, "bad-header", nil},
		"key, empty quotes":   {"PUT", good, []string{"Idempotency-Key", `""`}, 400, "bad-header", nil},
		"key, open quote":     {"PUT", good, []string{"Idempotency-Key", `"k`}, 400, "bad-header", nil},
		"key, parameters":     {"PUT", good, []string{"Idempotency-Key", `"k";v=1`}, 400, "bad-header", nil},
		"key, bad escape":     {"PUT", good, []string{"Idempotency-Key", `"k\n"`}, 400, "bad-header", nil},
		"key, not ASCII":      {"PUT", good, []string{"Idempotency-Key", "kä"}, 400, "bad-header", nil},
		"two keys":            {"PUT", good, []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}, 400, "bad-header", nil},
		"two keys, joined":    {"PUT", good, []string{"Idempotency-Key", "a, b"}, 400, "bad-header", nil},

		"no such version": {"PUT", good, []string{"If-Match", `"99"`}, 412, "precondition-failed", nil},
		"weak":            {"PUT", good, []string{"If-Match", `W/"1"`}, 412, "precondition-failed", nil},

		"no length":       {"PUT", "", nil, 411, "length-required", nil},
		"no length patch": {"PATCH", "", nil, 411, "length-required", nil},

		"body too large":  {"PUT", big(request.MaxBody + 1), nil, 413, "body-too-large", map[string]any{"limit": 262144.}},
		"largest body":    {"PUT", big(request.MaxBody), nil, 422, "invalid-entity", nil},
		"event too large": {"PUT", `{"displayName":"A","attributes":{` + strings.Join(attributes, ",") + `}}`, nil, 413, "event-too-large", map[string]any{"limit": 245760.}},

		"no type":           {"PUT", good, []string{"Content-Type", ""}, 415, "unsupported-media-type", nil},
		"text":              {"PUT", good, []string{"Content-Type", "", "Content-Type", "text/plain"}, 415, "unsupported-media-type", nil},
		"patch type on PUT": {"PUT", good, []string{"Content-Type", "", "Content-Type", "application/merge-patch+json"}, 415, "unsupported-media-type", nil},
		"JSON patch":        {"PATCH", `[]`, []string{"Content-Type", "", "Content-Type", "application/json-patch+json"}, 415, "unsupported-media-type", nil},
		"charset":           {"PUT", good, []string{"Content-Type", "", "Content-Type", "application/json; charset=latin1"}, 415, "unsupported-media-type", nil},
		"broken type":       {"PUT", good, []string{"Content-Type", "", "Content-Type", "application/json; ="}, 415, "unsupported-media-type", nil},
		"compressed":        {"PUT", good, []string{"Content-Encoding", "gzip"}, 415, "unsupported-media-type", nil},

		"bad fields": {"PUT", `{"email":"nobody","bio":1,"attributes":{"a b":"","c":null}}`, nil, 422, "invalid-entity", map[string]any{"errors": []any{
			map[string]any{"field": "bio", "detail": "must be a string, not a number"},
			map[string]any{"field": "attributes.c", "detail": "must be a string, not null"},
			map[string]any{"field": "displayName", "detail": "is required"},
			map[string]any{"field": "email", "detail": "must be an e-mail address like ada@example.com"},
			map[string]any{"field": "attributes.a b", "detail": "must have a key of 1 to 64 letters, digits, '.', '_' and '-'"},
		}}},
		"not an object": {"PUT", `null`, nil, 422, "invalid-entity", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, exists := range []bool{false, true} {
				a := newApp()
				if exists {
					require.Equal(t, http.StatusCreated, a.do("PUT", `{"displayName":"Grace"}`).Code)
				}
				before := a.state(t, "profile:p-1")
				headers := append([]string{"X-Azure-Functions-InvocationId", "mine, i-1"}, a.tags(t, c.headers)...)
				p := requireProblem(t, a.do(c.method, c.body, headers...), c.status, c.kind)
				require.Equal(t, "i-1", p["instance"])
				for name, value := range c.members {
					require.Equal(t, value, p[name], name)
				}
				after := a.state(t, "profile:p-1")
				if c.status == http.StatusPreconditionFailed {
					after.Receipts = 0 // an answer about the profile is remembered
				}
				require.Equal(t, before, after)
			}
		})
	}
}

func TestBadRequestsForOneState(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		exists       bool
		method, body string
		headers      []string
		status       int
		kind         string
	}{
		"patch nothing":               {false, "PATCH", `{}`, nil, 404, "not-found"},
		"delete nothing":              {false, "DELETE", "", nil, 404, "not-found"},
		"delete nothing, any version": {false, "DELETE", "", []string{"If-Match", "*"}, 404, "not-found"},
		"delete nothing, a version":   {false, "DELETE", "", []string{"If-Match", `"4"`}, 404, "not-found"},
		"replace nothing":             {false, "PUT", good, []string{"If-Match", "*"}, 412, "precondition-failed"},
		"create what exists":          {true, "PUT", good, []string{"If-None-Match", "*"}, 412, "precondition-failed"},
		"not this version":            {true, "PUT", good, []string{"If-None-Match", `"1"`}, 412, "precondition-failed"},
		"patch another version":       {true, "PATCH", `{}`, []string{"If-Match", `"0"`}, 412, "precondition-failed"},
		"delete another version":      {true, "DELETE", "", []string{"If-Match", `"2"`}, 412, "precondition-failed"},
		"condition before content":    {true, "PATCH", `{"displayName":null}`, []string{"If-Match", `"0"`}, 412, "precondition-failed"},
		"patch away what is required": {true, "PATCH", `{"displayName":null}`, nil, 422, "invalid-entity"},
		"patch with a wrong type":     {true, "PATCH", `{"attributes":{"a":{}}}`, nil, 422, "invalid-entity"},
		"patch with no object":        {true, "PATCH", `["a"]`, nil, 422, "invalid-entity"},
		"patch with a huge number":    {true, "PATCH", `{"bio":1e999}`, nil, 422, "invalid-entity"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp()
			if c.exists {
				a.do("PUT", `{"displayName":"Grace"}`)
			}
			before := a.state(t, "profile:p-1")
			requireProblem(t, a.do(c.method, c.body, append(a.tags(t, c.headers), "Idempotency-Key", "k-1")...), c.status, c.kind)
			if c.status != http.StatusUnprocessableEntity {
				before.Receipts = 1
			}
			require.Equal(t, before, a.state(t, "profile:p-1"))
		})
	}
}

func TestBadIDs(t *testing.T) {
	t.Parallel()
	a := newApp()
	for _, id := range []string{"%2E", "%2E%2E", "a%2Fb", "a%3Fb", "a%20b", "%C3%A4", "a%00", strings.Repeat("i", 129)} {
		for _, method := range []string{"PUT", "PATCH", "DELETE"} {
			requireProblem(t, send(a.mux, req(method, "/api/profiles/"+id, good)), 400, "bad-id")
		}
	}
	require.Empty(t, a.mem.Keys())
}

func TestMethodsAndFormatsAreOffered(t *testing.T) {
	t.Parallel()
	w := send(newApp().function, req("POST", "/", good))
	requireProblem(t, w, 405, "method-not-allowed")
	require.Equal(t, "PUT, PATCH, DELETE", w.Header().Get("Allow"))

	w = newApp().do("PUT", good, "Content-Type", "")
	require.Equal(t, "application/json", w.Header().Get("Accept"))
	w = newApp().do("PATCH", good, "Content-Type", "")
	require.Equal(t, "application/merge-patch+json, application/json", w.Header().Get("Accept-Patch"))
}

// TestBodiesThatComeInPieces needs a real connection: chunks have no length, and a
// client may leave in the middle.
func TestBodiesThatComeInPieces(t *testing.T) {
	t.Parallel()
	a := newApp()
	server := httptest.NewServer(a.mux)
	t.Cleanup(server.Close)

	r, err := http.NewRequest("PUT", server.URL+"/api/profiles/p-1", io.MultiReader(strings.NewReader(good)))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	answer, err := server.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusLengthRequired, answer.StatusCode)

	short := req("PUT", "/api/profiles/p-1", good)
	short.Body = io.NopCloser(io.MultiReader(strings.NewReader(good[:9]), failing{}))
	requireProblem(t, send(a.mux, short), 400, "body-cut-short")

	long := req("PUT", "/api/profiles/p-1", strings.Repeat(" ", request.MaxBody+1))
	long.ContentLength = 1
	requireProblem(t, send(a.mux, long), 413, "body-too-large")
	require.Empty(t, a.mem.Keys())
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestFaultsOfTheStore(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		op     string
		class  outbox.Class
		after  time.Duration
		status int
		kind   string
		retry  string
	}{
		"throttled load":   {"load", outbox.Throttled, 2100 * time.Millisecond, 429, "throttled", "3"},
		"throttled commit": {"commit", outbox.Throttled, 0, 429, "throttled", "1"},
		"load away":        {"load", outbox.Unavailable, 0, 503, "unavailable", "5"},
		"commit away":      {"commit", outbox.Unavailable, 0, 503, "unavailable", "5"},
		"slow":             {"commit", outbox.Timeout, 0, 503, "unavailable", "5"},
		"not allowed":      {"load", outbox.Unauthorized, 0, 503, "unavailable", "30"},
		"unknown outcome":  {"commit", outbox.Ambiguous, 0, 503, "outcome-unknown", "1"},
		"rejected":         {"commit", outbox.Rejected, 0, 500, "internal", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // the writer's pauses cost no time
				a := newApp()
				a.Before = func(_ context.Context, op, _ string) error {
					if op != c.op {
						return nil
					}
					return &outbox.Error{Class: c.class, RetryAfter: c.after, Op: op, Err: errors.New("secret")}
				}
				w := a.do("PUT", good, "Idempotency-Key", "k-1")
				requireProblem(t, w, c.status, c.kind)
				require.Equal(t, c.retry, w.Header().Get("Retry-After"))
				require.NotContains(t, w.Body.String(), "secret")
				require.Empty(t, a.mem.Keys())
			})
		})
	}
}

func TestConflictsThatNeverEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		status int
		kind   string
	}{
		"other writers":            {outbox.ErrConflict, 503, "unavailable"},
		"a receipt nobody can see": {&outbox.ReceiptExistsError{ID: outbox.ReceiptDocID("k-1")}, 503, "unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newApp()
				a.Before = func(_ context.Context, op, _ string) error {
					if op == "commit" {
						return c.err
					}
					return nil
				}
				w := a.do("PUT", good, "Idempotency-Key", "k-1")
				requireProblem(t, w, c.status, c.kind)
				require.Equal(t, "1", w.Header().Get("Retry-After"))
				require.Empty(t, a.mem.Keys())
			})
		})
	}
}

func TestStoredDataThatIsNoProfile(t *testing.T) {
	t.Parallel()
	a := newApp()
	_, err := a.mem.Commit(t.Context(), outbox.Commit{Key: "profile:p-1", Entity: outbox.Entity{Key: "profile:p-1", Version: 1, Data: []byte(`"secret"`)}})
	require.NoError(t, err)
	w := a.do("PATCH", `{}`)
	requireProblem(t, w, 500, "internal")
	require.NotContains(t, w.Body.String(), "secret")
}

// TestNoEventOfDeletionTellsOfThePerson reads the envelope as a consumer gets it.
func TestNoEventOfDeletionTellsOfThePerson(t *testing.T) {
	t.Parallel()
	a := newApp()
	a.do("PUT", `{"displayName":"Ada","email":"ada@example.com","bio":"secret"}`)
	a.do("DELETE", "")
	events := a.mem.Events("profile:p-1")
	require.Equal(t, "relaybox.profile.deleted", events[1].Type)
	for _, personal := range []string{"Ada", "ada@", "secret"} {
		require.NotContains(t, string(events[1].Envelope), personal)
		require.NotContains(t, string(a.state(t, "profile:p-1").Entity.Data), personal)
	}
}
