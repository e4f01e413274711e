package azfunc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/azfunc"
)

const emptyResult = `{"Outputs":{},"Logs":[],"ReturnValue":null}`

// serve sends one request through a fresh server-side exchange.
func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func newMux(log io.Writer) *azfunc.Mux {
	return azfunc.NewMux(azfunc.MuxOptions{Logger: slog.New(slog.NewTextHandler(log, nil))})
}

func echo(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.PathValue("id")) }

func TestMuxRoutes(t *testing.T) {
	t.Parallel()
	m := newMux(io.Discard)
	const route = "api/profiles/{id:regex(^[A-Za-z0-9._~/-]{{1,128}}$)}"
	m.HandleRoute([]string{"put", "PATCH"}, route, http.HandlerFunc(echo))
	m.HandleRoute([]string{"get"}, "/api/profiles/{id}/", http.HandlerFunc(echo))
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/api/profiles/p-1", 200, "p-1"},
		{"GET", "/API/Profiles/P-1", 200, "P-1"},
		{"GET", "/api/profiles/p-1/", 200, "p-1"},
		{"HEAD", "/api/profiles/p-1", 200, "p-1"},
		{"PUT", "/api/profiles/a%2f..%2fb", 200, "a/../b"},
		{"PUT", "/api/profiles/%C3%86", 200, "Æ"},
		{"PUT", "/api/profiles/a+b", 200, "a+b"},
		{"GET", "/api//profiles/p-1", 404, ""},
		{"GET", "/api/profiles//", 404, ""},
		{"GET", "/api/profiles/", 404, ""},
		{"GET", "/api/profiles/p-1/x", 404, ""},
		{"GET", "/api/profiles/p-1//", 404, ""},
		{"GET", "/nope", 404, ""},
		{"DELETE", "/api/profiles/p-1", 405, ""},
	} {
		w := serve(m, httptest.NewRequest(c.method, c.path, nil))
		require.Equal(t, c.status, w.Code, "%s %s", c.method, c.path)
		if c.status == 200 {
			require.Equal(t, c.body, w.Body.String(), c.path)
			continue
		}
		require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
		var p struct{ Status int }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
		require.Equal(t, c.status, p.Status)
		if c.status == 405 {
			require.Equal(t, "PUT, PATCH, GET, HEAD", w.Header().Get("Allow"))
		}
	}
}

func TestMuxAnswersTheProbe(t *testing.T) {
	t.Parallel()
	require.Equal(t, 200, serve(newMux(io.Discard), httptest.NewRequest("GET", "/", nil)).Code)
}

func TestMuxRefusesBadRoutes(t *testing.T) {
	t.Parallel()
	for _, route := range []string{"", "/", "a//b", "a/{*rest}", "a/{id?}/b", "a/x{id}", "a/{}"} {
		require.Panics(t, func() { newMux(io.Discard).HandleRoute([]string{"get"}, route, http.NotFoundHandler()) }, route)
	}
}

func TestMuxServesAnOptionalEnd(t *testing.T) {
	t.Parallel()
	m := newMux(io.Discard)
	m.HandleRoute([]string{"get"}, "api/orders/{id}/{action:regex(^[a-z]{{1,9}}$)?}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.PathValue("id")+" "+r.PathValue("action"))
	}))
	for path, want := range map[string]string{"/api/orders/1": "1 ", "/api/orders/1/": "1 ", "/api/orders/1/ship": "1 ship"} {
		require.Equal(t, want, serve(m, httptest.NewRequest("GET", path, nil)).Body.String(), path)
	}
	for _, path := range []string{"/api/orders", "/api/orders/1/ship/now"} {
		require.Equal(t, 404, serve(m, httptest.NewRequest("GET", path, nil)).Code, path)
	}
}

func TestHandleAnswers(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	m := newMux(&log)
	results := map[string]azfunc.Result{
		"zero": {},
		"full": {Outputs: map[string]any{"out": 1}, Logs: []string{"<a>"}, ReturnValue: "x"},
		"odd":  {ReturnValue: func() {}},
	}
	m.Handle("F", azfunc.Handle(func(_ context.Context, inv *azfunc.Invocation) (azfunc.Result, error) {
		require.Equal(t, "F", inv.Function)
		require.Equal(t, "8e0f6f4e-0000-4000-8000-000000000001", inv.ID)
		var name string
		require.NoError(t, json.Unmarshal(inv.Data["in"], &name))
		if name == "fail" {
			return azfunc.Result{}, errors.New("store is away")
		}
		return results[name], nil
	}))
	call := func(body string) *httptest.ResponseRecorder {
		w := serve(m, post("/F", body))
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		require.NotEmpty(t, w.Header().Get("Content-Length"))
		return w
	}
	w := call(`{"Data":{"in":"zero"}}`)
	require.Equal(t, 200, w.Code)
	require.JSONEq(t, emptyResult, w.Body.String())
	w = call(`{"Data":{"in":"full"}}`)
	require.JSONEq(t, `{"Outputs":{"out":1},"Logs":["<a>"],"ReturnValue":"x"}`, w.Body.String())
	for _, body := range []string{`{"Data":{"in":"fail"}}`, `{"Data":{"in":"odd"}}`, `nonsense`} {
		require.Equal(t, 500, call(body).Code, body)
	}
	require.Contains(t, log.String(), "store is away")
	require.Contains(t, log.String(), "malformed invocation")
	require.Equal(t, 405, serve(m, httptest.NewRequest("GET", "/F", nil)).Code)
}

// An empty 2xx would make the host wait until functionTimeout.
func TestMuxNeverAnswersEmpty2xx(t *testing.T) {
	t.Parallel()
	m := newMux(io.Discard)
	m.Handle("POST /Quiet", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	m.Handle("/NoContent", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }))
	m.Handle("Created", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }))
	for _, path := range []string{"/Quiet", "/nocontent", "/Created"} {
		w := serve(m, post(path, "{}"))
		require.JSONEq(t, emptyResult, w.Body.String(), path)
		_, err := azfunc.DecodeAnswer(w.Code, w.Header(), w.Body.Bytes())
		require.NoError(t, err, path)
	}
}

func TestMuxContainsPanics(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	m := newMux(&log)
	boom := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", "x")
		_, _ = io.WriteString(w, strings.Repeat("half an answer", 1000))
		panic("boom")
	})
	m.HandleRoute([]string{"get"}, "api/boom", boom)
	m.Handle("Boom", boom)

	w := serve(m, httptest.NewRequest("GET", "/api/boom", nil))
	require.Equal(t, 500, w.Code)
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	require.Empty(t, w.Header().Get("ETag"))
	require.NotContains(t, w.Body.String(), "half")

	w = serve(m, post("/Boom", "{}"))
	require.Equal(t, 500, w.Code)
	require.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.Contains(t, log.String(), "boom")
	require.Contains(t, log.String(), "mux_test.go", "the stack is in the log")
	require.Contains(t, log.String(), "8e0f6f4e-0000-4000-8000-000000000001")
}

func TestMuxDeadlineHasACause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := azfunc.NewMux(azfunc.MuxOptions{Deadline: 9 * time.Minute, Logger: slog.New(slog.DiscardHandler)})
		m.Handle("Slow", azfunc.Handle(func(ctx context.Context, _ *azfunc.Invocation) (azfunc.Result, error) {
			<-ctx.Done()
			return azfunc.Result{}, context.Cause(ctx)
		}))
		start := time.Now()
		w := serve(m, post("/Slow", `{"Data":{}}`))
		require.Equal(t, 500, w.Code)
		require.Equal(t, 9*time.Minute, time.Since(start))
		require.Contains(t, w.Body.String(), azfunc.ErrDeadline.Error())
	})
}

// Over a real server: a second request on the same connection is unharmed, and
// HEAD, 204 and 304 have no body.
func TestMuxOverHTTP(t *testing.T) {
	t.Parallel()
	m := newMux(io.Discard)
	m.HandleRoute([]string{"get"}, "api/boom", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
	m.HandleRoute([]string{"get", "delete"}, "api/status/{id}", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"1"`)
		w.WriteHeader(map[string]int{"204": 204, "304": 304}[r.PathValue("id")])
	}))
	srv := httptest.NewServer(m)
	defer srv.Close()
	for path, status := range map[string]int{"/api/boom": 500, "/api/status/204": 204, "/api/status/304": 304} {
		res, err := srv.Client().Get(srv.URL + path)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, res.Body)
		require.NoError(t, res.Body.Close())
		require.Equal(t, status, res.StatusCode)
	}
}

func TestTemplateLeavesConstraintsOut(t *testing.T) {
	t.Parallel()
	for route, want := range map[string][2]string{
		"api/orders/{id:regex(^[a-z/]{{1,9}}$)}/{action:alpha?}": {"api/orders/{id}", "action"},
		"/api/openapi.json/":         {"api/openapi.json", ""},
		"api/{a:maxlength(9)}/b/{c}": {"api/{a}/b/{c}", ""},
	} {
		template, optional, err := azfunc.Template(route)
		require.NoError(t, err)
		require.Equal(t, want, [2]string{template, optional})
	}
	_, _, err := azfunc.Template("a//b")
	require.Error(t, err)
}
