package readprofile_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/entity"
	readprofile "github.com/relaybox/relaybox/functions/ReadProfile"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
	"github.com/relaybox/relaybox/profile"
	"github.com/relaybox/relaybox/test/contract"
)

var ada = outbox.Entity{
	Key: "profile:p-1", Version: 3, LastSeq: 4, Incarnation: outbox.Incarnation{ID: "i"}, UpdatedAt: time.Date(2026, 8, 7, 10, 0, 0, 5e6, time.UTC),
	Data: []byte(`{"displayName":"Ada","attributes":{"team":"engine"}}`),
}

func TestReadProfile(t *testing.T) {
	t.Parallel()
	const body = `{"id":"p-1","displayName":"Ada","attributes":{"team":"engine"},"version":3,"updatedAt":"2026-08-07T10:00:00.005Z"}`
	gone := outbox.Entity{Key: "profile:p-2", Version: 2, Deleted: true}
	broken := outbox.Entity{Key: "profile:p-3", Version: 1, Data: []byte(`"secret"`)}
	for name, c := range map[string]struct {
		method, path  string
		header, value string
		status        int
		contains      string
	}{
		"get":                   {"GET", "/api/profiles/p-1", "", "", 200, body},
		"any case, slash":       {"GET", "/API/Profiles/p-1/", "", "", 200, body},
		"head":                  {"HEAD", "/api/profiles/p-1", "", "", 200, ""},
		"known":                 {"GET", "/api/profiles/p-1", "If-None-Match", `"2-i", W/"3-i"`, 304, ""},
		"known, head":           {"HEAD", "/api/profiles/p-1", "If-None-Match", `*`, 304, ""},
		"not known":             {"GET", "/api/profiles/p-1", "If-None-Match", `"2"`, 200, body},
		"match":                 {"GET", "/api/profiles/p-1", "If-Match", `"3-i"`, 200, body},
		"no match":              {"GET", "/api/profiles/p-1", "If-Match", `"2"`, 412, "precondition-failed"},
		"unreadable condition":  {"GET", "/api/profiles/p-1", "If-None-Match", `3`, 400, "bad-header"},
		"missing":               {"GET", "/api/profiles/p-9", "", "", 404, "not-found"},
		"missing, known":        {"GET", "/api/profiles/p-9", "If-None-Match", `*`, 404, "not-found"},
		"missing, head":         {"HEAD", "/api/profiles/p-9", "", "", 404, ""},
		"deleted":               {"GET", "/api/profiles/p-2", "If-None-Match", `"2-i"`, 404, "not-found"},
		"other case of the id":  {"GET", "/api/profiles/P-1", "", "", 404, "not-found"},
		"bad id":                {"GET", "/api/profiles/p%3F1", "", "", 400, "bad-id"},
		"dots":                  {"GET", "/api/profiles/%2E%2E", "", "", 400, "bad-id"},
		"unreadable store data": {"GET", "/api/profiles/p-3", "", "", 500, "internal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := serve(t, storeWith(t, ada, gone, broken), c.method, c.path, c.header, c.value)
			require.Equal(t, c.status, w.Code)
			require.NotContains(t, w.Body.String(), "secret")
			if c.contains == "" {
				require.Empty(t, w.Body.String())
			}
			require.Contains(t, w.Body.String(), c.contains)
			if c.status < 400 {
				require.Equal(t, `"3-i"`, w.Header().Get("ETag"))
				require.Equal(t, "private, no-cache", w.Header().Get("Cache-Control"))
			}
			if c.status == 200 {
				require.Equal(t, "application/json", w.Header().Get("Content-Type"))
				require.Equal(t, strconv.Itoa(len(body)), w.Header().Get("Content-Length"))
			}
		})
	}
}

func TestReadProfileTellsAFaultOfTheStore(t *testing.T) {
	t.Parallel()
	store := &outboxtest.FaultyStore{Storage: storeWith(t, ada), Before: func(context.Context, string, string) error {
		return &outbox.Error{Class: outbox.Throttled, RetryAfter: 1500 * time.Millisecond}
	}}
	w := serve(t, store, "GET", "/api/profiles/p-1", "", "")
	require.Equal(t, http.StatusTooManyRequests, w.Code)
	require.Equal(t, "2", w.Header().Get("Retry-After"))
}

func TestReadProfileOffersItsMethods(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	function(t, nil).ServeHTTP(w, httptest.NewRequest("POST", "/api/profiles/p-1", nil))
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
	require.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
}

// TestTheHostIsAsStrictWithIDs keeps the route's constraint beside the handler's own.
func TestTheHostIsAsStrictWithIDs(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"function.json", "../WriteProfile/function.json"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(text), `"profiles/{id:regex(^[A-Za-z0-9._~-]{{1,128}}$)}"`)
	}
}

func storeWith(t *testing.T, entities ...outbox.Entity) *outboxtest.MemStore {
	t.Helper()
	store := &outboxtest.MemStore{}
	for _, e := range entities {
		_, err := store.Commit(t.Context(), outbox.Commit{Key: e.Key, Entity: e})
		require.NoError(t, err)
	}
	return store
}

func function(t *testing.T, store entity.Reader) http.Handler {
	t.Helper()
	kinds, err := entity.NewKinds(profile.Kind)
	require.NoError(t, err)
	h, err := readprofile.New(entity.Deps{Reader: store, Kinds: kinds})
	require.NoError(t, err)
	return h
}

func serve(t *testing.T, store entity.Reader, method, path, header, value string) *httptest.ResponseRecorder {
	t.Helper()
	mux := azfunc.NewMux(azfunc.MuxOptions{})
	mux.HandleRoute([]string{"get", "head"}, "api/profiles/{id}", function(t, store))
	w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, nil)
	if header != "" {
		r.Header.Set(header, value)
	}
	mux.ServeHTTP(w, r)
	require.NoError(t, contract.Answer(method, r.URL.EscapedPath(), w.Code, w.Header(), w.Body.Bytes()))
	return w
}
