package writeprofile_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/entity"
	writeprofile "github.com/relaybox/relaybox/functions/WriteProfile"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
	"github.com/relaybox/relaybox/profile"
	"github.com/relaybox/relaybox/test/contract"
)

// app is the function behind the handler's own routing, on a store in memory whose
// faults a test may set before the first request.
type app struct {
	*outboxtest.FaultyStore
	mem *outboxtest.MemStore
	mux *azfunc.Mux
	// function is what mux routes to.
	function http.Handler
}

func newApp() *app {
	mem := &outboxtest.MemStore{}
	a := &app{FaultyStore: &outboxtest.FaultyStore{Storage: mem}, mem: mem}
	a.mux, a.function = muxOn(a.FaultyStore)
	return a
}

func muxOn(store outbox.Store) (*azfunc.Mux, http.Handler) {
	kinds, err := entity.NewKinds(profile.Kind)
	if err != nil {
		panic(err)
	}
	function, err := writeprofile.New(entity.Deps{Writer: outbox.NewWriter(store, outbox.WriterOptions{Source: "/test"}), Kinds: kinds})
	if err != nil {
		panic(err)
	}
	mux := azfunc.NewMux(azfunc.MuxOptions{})
	mux.HandleRoute([]string{"put", "patch", "delete"}, "api/profiles/{id}", function)
	return mux, function
}

// tag is the entity tag of a version of p-1.
func (a *app) tag(t *testing.T, version int) string {
	t.Helper()
	return a.tagged(t, fmt.Sprintf("%q", strconv.Itoa(version)))
}

var bareVersion = regexp.MustCompile(`"([0-9]+)"`)

// tagged adds the incarnation of p-1 to the versions in a condition.
func (a *app) tagged(t *testing.T, condition string) string {
	t.Helper()
	life := a.state(t, "profile:p-1").Entity.Incarnation.ID
	return bareVersion.ReplaceAllString(condition, `"${1}-`+life+`"`)
}

// tags is tagged for the conditions among headers.
func (a *app) tags(t *testing.T, headers []string) []string {
	t.Helper()
	headers = slices.Clone(headers)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "If-Match" || headers[i] == "If-None-Match" {
			headers[i+1] = a.tagged(t, headers[i+1])
		}
	}
	return headers
}

// do sends a request for profile p-1; headers are names and values. An empty value
// removes a header that do would set.
func (a *app) do(method, body string, headers ...string) *httptest.ResponseRecorder {
	return send(a.mux, req(method, "/api/profiles/p-1", body, headers...))
}

func req(method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if method != http.MethodDelete {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i+1] == "" {
			r.Header.Del(headers[i])
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// send panics, where no test is at hand, when an answer is against the app's description.
func send(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if err := contract.Answer(r.Method, r.URL.EscapedPath(), w.Code, w.Header(), w.Body.Bytes()); err != nil {
		panic(err)
	}
	return w
}

// state is everything that the store holds of a profile, but for what every answer leaves
// there: it is committed by replacing the entity with its own content.
type state struct {
	Entity   outbox.Entity
	Events   []outbox.Event
	Receipts int
}

func (a *app) state(t *testing.T, id string) state {
	t.Helper()
	e, err := a.mem.Load(t.Context(), id)
	require.NoError(t, err)
	e.Revision, e.Batch = "", ""
	for _, event := range a.mem.Events(id) {
		require.NoError(t, contract.Event(event.Envelope))
	}
	return state{e, a.mem.Events(id), a.mem.Receipts(id)}
}

func (a *app) eventTypes() []string {
	var types []string
	for _, e := range a.mem.Events("profile:p-1") {
		if err := contract.Event(e.Envelope); err != nil {
			panic(err)
		}
		types = append(types, strings.TrimPrefix(e.Type, "relaybox.profile."))
	}
	return types
}

// members returns the JSON object in the answer.
func members(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &m), w.Body.String())
	return m
}

// requireProblem checks an answer to be one whole problem of the kind called name.
func requireProblem(t *testing.T, w *httptest.ResponseRecorder, status int, name string) map[string]any {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	p := members(t, w)
	require.Equal(t, "urn:relaybox:problem:"+name, p["type"])
	require.EqualValues(t, status, p["status"])
	require.NotEmpty(t, p["title"])
	require.NotEmpty(t, p["detail"])
	return p
}
