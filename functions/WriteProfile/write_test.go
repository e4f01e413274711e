package writeprofile_test

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// TestALife follows one profile through every kind of write.
func TestALife(t *testing.T) {
	t.Parallel()
	a := newApp()
	const patch = "application/merge-patch+json; charset=UTF-8"
	seen := 0
	for _, step := range []struct {
		method, body string
		headers      []string
		status       int
		etag         string
		events       []string
		fields       map[string]any
	}{
		{"PUT", `{"displayName":"Ada","email":"ada@example.com"}`, []string{"If-None-Match", "*"}, 201, `"1"`, []string{"created"},
			map[string]any{"id": "p-1", "displayName": "Ada", "email": "ada@example.com", "version": 1.}},
		{"PUT", ` {"email":"ada@example.com", "bio":"", "displayName":"\u0041da", "attributes":{}}`, nil, 200, `"1"`, nil,
			map[string]any{"id": "p-1", "displayName": "Ada", "email": "ada@example.com", "version": 1.}},
		{"PUT", `{"displayName":"Ada L. 🎩","email":"ada@example.com"}`, []string{"If-Match", `"7", "1"`}, 200, `"2"`, []string{"updated"},
			map[string]any{"displayName": "Ada L. 🎩", "version": 2.}},
		{"PATCH", `{"email":"ada@example.org","attributes":{"team":"engine"}}`, []string{"Content-Type", "", "Content-Type", patch}, 200, `"3"`, []string{"updated", "email-changed"},
			map[string]any{"displayName": "Ada L. 🎩", "email": "ada@example.org", "attributes": map[string]any{"team": "engine"}}},
		{"PATCH", `{"email":"ada@example.org","bio":null}`, []string{"If-Match", "*"}, 200, `"3"`, nil, map[string]any{"version": 3.}},
		{"PATCH", `{"email":null,"attributes":{"team":null,"rôle":null}}`, nil, 200, `"4"`, []string{"updated", "email-changed"},
			map[string]any{"email": nil, "attributes": nil}},
		{"DELETE", "", []string{"If-Match", `"4"`}, 204, "", []string{"deleted"}, nil},
		{"PUT", `{"displayName":"Ada"}`, []string{"If-None-Match", "*"}, 201, `"6"`, []string{"created"}, map[string]any{"version": 6.}},
		{"PATCH", `{}`, nil, 200, `"6"`, nil, nil},
	} {
		w := a.do(step.method, step.body, a.tags(t, step.headers)...)
		require.Equal(t, step.status, w.Code, w.Body.String())
		require.Equal(t, a.tagged(t, step.etag), w.Header().Get("ETag"))
		require.Equal(t, "private, no-cache", w.Header().Get("Cache-Control"))
		if step.status == 201 {
			require.Equal(t, "/api/profiles/p-1", w.Header().Get("Location"))
		} else {
			require.Empty(t, w.Header().Get("Location"))
		}
		if step.status == 204 {
			require.Empty(t, w.Body.String())
		} else {
			got := members(t, w)
			require.NotEmpty(t, got["updatedAt"])
			for name, value := range step.fields {
				require.Equal(t, value, got[name], name)
			}
		}
		all := a.eventTypes()
		require.Equal(t, step.events, append([]string(nil), all[seen:]...))
		seen = len(all)
	}
	require.Zero(t, a.mem.Receipts("profile:p-1"))
	for i, e := range a.mem.Events("profile:p-1") {
		require.EqualValues(t, i+1, e.Seq)
	}
}

func TestEventsCarryTheirRequestsTrace(t *testing.T) {
	t.Parallel()
	a := newApp()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	a.do("PUT", good, "traceparent", parent, "tracestate", "congo=t61rcWkgMzE")
	var envelope struct {
		Traceparent, Tracestate, Subject, Sequence string
		Data                                       map[string]any
	}
	require.NoError(t, json.Unmarshal(a.mem.Events("profile:p-1")[0].Envelope, &envelope))
	require.Equal(t, parent, envelope.Traceparent)
	require.Equal(t, "congo=t61rcWkgMzE", envelope.Tracestate)
	require.Equal(t, "p-1", envelope.Subject)
	require.Equal(t, map[string]any{"id": "p-1", "state": map[string]any{"displayName": "Ada"}}, envelope.Data)
}

func TestARepeatedKeyGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	a := newApp()
	first := a.do("PUT", good, "Idempotency-Key", "k-1")
	require.Equal(t, 201, first.Code)
	a.do("PATCH", `{"bio":"changed meanwhile"}`)
	before := a.state(t, "profile:p-1")

	for _, key := range []string{"k-1", `"k-1"`} { // quoted or not, it is the same key
		requireSame(t, first, a.do("PUT", good, "Idempotency-Key", key))
	}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"body":      a.do("PUT", good+" ", "Idempotency-Key", "k-1"),
		"method":    a.do("PATCH", good, "Idempotency-Key", "k-1"),
		"condition": a.do("PUT", good, "Idempotency-Key", "k-1", "If-Match", `"2"`),
		"deletion":  a.do("DELETE", "", "Idempotency-Key", "k-1"),
	} {
		require.Equal(t, 422, w.Code, name)
		requireProblem(t, w, 422, "idempotency-key-reused")
	}
	require.Equal(t, before, a.state(t, "profile:p-1"))

	other := send(a.mux, req("PUT", "/api/profiles/p-2", good, "Idempotency-Key", "k-1"))
	require.Equal(t, 201, other.Code, "a key belongs to one profile")
}

func TestAKeyRemembersWhatChangedNothing(t *testing.T) {
	t.Parallel()
	a := newApp()
	a.do("PUT", good)
	noop := a.do("PUT", good, "Idempotency-Key", "k-1")
	require.Equal(t, 200, noop.Code)
	a.do("DELETE", "")
	requireSame(t, noop, a.do("PUT", good, "Idempotency-Key", "k-1"))
	require.Equal(t, []string{"created", "deleted"}, a.eventTypes())
}

func TestADeletionIsRepeatedWithItsKey(t *testing.T) {
	t.Parallel()
	a := newApp()
	a.do("PUT", good)
	first := a.do("DELETE", "", "Idempotency-Key", "k-1")
	require.Equal(t, 204, first.Code)
	requireSame(t, first, a.do("DELETE", "", "Idempotency-Key", "k-1"))
	require.Equal(t, []string{"created", "deleted"}, a.eventTypes())
}

func TestTwinsMakeOneChange(t *testing.T) {
	t.Parallel()
	a := newApp()
	answers := make([]*httptest.ResponseRecorder, 50)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() {
			answers[i] = a.do("PUT", `{"displayName":"Ada","email":"ada@example.com"}`, "Idempotency-Key", "k-1")
		})
	}
	group.Wait()
	for _, w := range answers {
		require.Equal(t, 201, w.Code)
		requireSame(t, answers[0], w)
	}
	require.Equal(t, []string{"created"}, a.eventTypes())
	require.Equal(t, 1, a.mem.Receipts("profile:p-1"))
}

// TestADeletionThatTheHostDeliversAgain: same invocation id, same answer, one event.
func TestADeletionThatTheHostDeliversAgain(t *testing.T) {
	t.Parallel()
	a := newApp()
	a.do("PUT", good, "X-Azure-Functions-InvocationId", "i-1")
	for range 4 {
		require.Equal(t, 204, a.do("DELETE", "", "X-Azure-Functions-InvocationId", "mine, i-2").Code)
	}
	require.Equal(t, []string{"created", "deleted"}, a.eventTypes())
	requireProblem(t, a.do("DELETE", "", "X-Azure-Functions-InvocationId", "i-3"), 404, "not-found")
}

// TestADeletionDeliveredAgainBehindAnotherWrite: the profile that somebody created in
// between must stay.
func TestADeletionDeliveredAgainBehindAnotherWrite(t *testing.T) {
	t.Parallel()
	a := newApp()
	a.do("PUT", good, "X-Azure-Functions-InvocationId", "i-1")
	require.Equal(t, 204, a.do("DELETE", "", "X-Azure-Functions-InvocationId", "i-2").Code)
	require.Equal(t, 201, a.do("PUT", good, "X-Azure-Functions-InvocationId", "i-3").Code)
	require.Equal(t, 204, a.do("DELETE", "", "X-Azure-Functions-InvocationId", "i-2").Code)
	require.Equal(t, []string{"created", "deleted", "created"}, a.eventTypes())
}

// TestALostReplyIsFound: the commit was applied and its answer lost, so the writer
// finds its own batch in the store.
func TestALostReplyIsFound(t *testing.T) {
	t.Parallel()
	a := newApp()
	lost := false
	a.After = func(_ context.Context, op, _ string) error {
		if op == "commit" && !lost {
			lost = true
			return &outbox.Error{Class: outbox.Ambiguous, Op: op}
		}
		return nil
	}
	w := a.do("PUT", good, "X-Azure-Functions-InvocationId", "i-1")
	require.True(t, lost)
	require.Equal(t, 201, w.Code)
	require.Equal(t, a.tag(t, 1), w.Header().Get("ETag"))
	require.Equal(t, []string{"created"}, a.eventTypes())
}

// lagging shows the first version until it is asked for what is there now: a replica behind
// the others.
type lagging struct {
	*outboxtest.MemStore
	old     outbox.Entity
	current bool
}

func (l *lagging) Load(ctx context.Context, key string) (outbox.Entity, error) {
	if !l.current {
		return l.old, nil
	}
	return l.MemStore.Load(ctx, key)
}

func (l *lagging) Barrier(context.Context, string) error {
	l.current = true
	return nil
}

// TestAnswersOnAStaleRead: whatever a replica shows, the answer is true of the profile as it
// is, and so is its repetition.
func TestAnswersOnAStaleRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, body string
		headers      []string
		status       int
		etag         string
	}{
		"what was there before":  {"PUT", `{"displayName":"One"}`, nil, 200, `"3"`},
		"on the newest version":  {"PUT", `{"displayName":"Three"}`, []string{"If-Match", `"2"`}, 200, `"3"`},
		"on the one that is old": {"PUT", `{"displayName":"One"}`, []string{"If-Match", `"1"`}, 412, ""},
		"on one that never was":  {"PUT", `{"displayName":"Three"}`, []string{"If-Match", `"99"`}, 412, ""},
		"a patch back":           {"PATCH", `{"displayName":"One"}`, nil, 200, `"3"`},
		"a patch of nothing":     {"PATCH", `{}`, nil, 200, `"2"`},
		"a deletion":             {"DELETE", "", nil, 204, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp()
			a.do("PUT", `{"displayName":"One"}`)
			old := a.state(t, "profile:p-1").Entity
			a.do("PUT", `{"displayName":"Two"}`)
			mux, _ := muxOn(&lagging{MemStore: a.mem, old: old})
			headers := append(a.tags(t, c.headers), "Idempotency-Key", "k-1")
			w := send(mux, req(c.method, "/api/profiles/p-1", c.body, headers...))
			require.Equal(t, c.status, w.Code)
			require.Equal(t, a.tagged(t, c.etag), w.Header().Get("ETag"))
			requireSame(t, w, a.do(c.method, c.body, headers...))
		})
	}
}

// TestARefusalIsRepeatedWithItsKey, also when the request would succeed by then; but a body
// that the profile does not allow may be mended under the same key.
func TestARefusalIsRepeatedWithItsKey(t *testing.T) {
	t.Parallel()
	a := newApp()
	missing := a.do("PATCH", `{"displayName":"Ada"}`, "Idempotency-Key", "k-1", "X-Azure-Functions-InvocationId", "i-1")
	requireProblem(t, missing, 404, "not-found")
	require.Empty(t, a.eventTypes())
	a.do("PUT", good)
	failed := a.do("PUT", good, "If-None-Match", "*", "Idempotency-Key", "k-2")
	requireProblem(t, failed, 412, "precondition-failed")
	invalid := a.do("PATCH", `{"displayName":null}`, "Idempotency-Key", "k-3")
	requireProblem(t, invalid, 422, "invalid-entity")
	a.do("DELETE", "")

	again := a.do("PATCH", `{"displayName":"Ada"}`, "Idempotency-Key", "k-1", "X-Azure-Functions-InvocationId", "i-2")
	p := requireProblem(t, again, 404, "not-found")
	require.Equal(t, "i-2", p["instance"], "the log is searched by the request's own")
	requireSame(t, failed, a.do("PUT", good, "If-None-Match", "*", "Idempotency-Key", "k-2"))
	require.Equal(t, 404, a.do("PATCH", `{"displayName":"Bob"}`, "Idempotency-Key", "k-3").Code)
	requireProblem(t, a.do("PUT", good, "Idempotency-Key", "k-2"), 422, "idempotency-key-reused")
}

func TestThePathMayBeWrittenAsTheHostAllows(t *testing.T) {
	t.Parallel()
	a := newApp()
	require.Equal(t, 201, send(a.mux, req("PUT", "/API/Profiles/P-1/", good)).Code)
	require.Equal(t, []string{"profile:P-1"}, a.mem.Keys(), "the id keeps its case")
}

func requireSame(t *testing.T, want, got *httptest.ResponseRecorder) {
	t.Helper()
	require.Equal(t, want.Code, got.Code)
	require.Equal(t, want.Header(), got.Header())
	require.Equal(t, want.Body.String(), got.Body.String())
}
