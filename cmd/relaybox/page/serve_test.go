package page_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/cmd/relaybox/page"
)

// source counts looks, and remembers the last act.
type source struct {
	looks atomic.Int32
	last  page.Act
	err   error
}

func (s *source) Look(context.Context) *page.Snapshot {
	s.looks.Add(1)
	return &page.Snapshot{Events: []page.Way{{Key: "profile:ann", Trace: "abc"}, {Key: "order:1", Trace: "def"}}}
}

func (s *source) Act(_ context.Context, a page.Act) (string, error) {
	s.last = a
	return "done", s.err
}

// ask is a request of a browser on this machine, changed by what is said.
func ask(method, path, body string, change func(*http.Request)) *http.Request {
	r := httptest.NewRequest(method, "http://127.0.0.1:7075"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:50000"
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if change != nil {
		change(r)
	}
	return r
}

// TestWhoGetsIn: this machine's own browser, on this page.
func TestWhoGetsIn(t *testing.T) {
	t.Parallel()
	const redrive = `{"verb":"redrive","names":["profile:ann/1"]}`
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	for name, c := range map[string]struct {
		method, path, body string
		change             func(*http.Request)
		want               int
	}{
		"the page":               {"GET", "/", "", nil, 200},
		"its style":              {"GET", "/page.css", "", nil, 200},
		"its program":            {"GET", "/page.js", "", nil, 200},
		"under localhost":        {"GET", "/", "", host("localhost:7075"), 200},
		"under ::1":              {"GET", "/", "", host("[::1]:7075"), 200},
		"another path":           {"GET", "/page.html/..%2f", "", nil, 404},
		"a name of a web page":   {"GET", "/", "", host("evil.example:7075"), 403},
		"a name that looks good": {"GET", "/", "", host("localhost.evil.example"), 403},
		"an address of the net":  {"GET", "/", "", host("192.0.2.1:7075"), 403},
		"no host":                {"GET", "/", "", host(""), 403},
		"another machine":        {"GET", "/", "", func(r *http.Request) { r.RemoteAddr = "192.0.2.1:5" }, 403},
		"an act":                 {"POST", "/act", redrive, nil, 200},
		"a program's act":        {"POST", "/act", redrive, func(r *http.Request) { r.Header.Del("Sec-Fetch-Site") }, 200},
		"another site's act":     {"POST", "/act", redrive, header("Sec-Fetch-Site", "cross-site"), 403},
		"another port's act":     {"POST", "/act", redrive, header("Sec-Fetch-Site", "same-site"), 403},
		"an old browser's": {"POST", "/act", redrive, func(r *http.Request) {
			r.Header.Del("Sec-Fetch-Site")
			r.Header.Set("Origin", "http://evil.example")
		}, 403},
		"an act under a name": {"POST", "/act", redrive, host("evil.example:7075"), 403},
		"a form":              {"POST", "/act", redrive, header("Content-Type", "text/plain"), 415},
		"no content type":     {"POST", "/act", redrive, func(r *http.Request) { r.Header.Del("Content-Type") }, 415},
		"an act by GET":       {"GET", "/act", "", nil, 405},
		"a page by POST":      {"POST", "/", "", nil, 405},
		"no JSON":             {"POST", "/act", "{", nil, 400},
		"a wrong field":       {"POST", "/act", `{"verb":"redrive","everything":true}`, nil, 400},
		"too much":            {"POST", "/act", `{"reason":"` + strings.Repeat("x", 64<<10) + `"}`, nil, 413},
		"another site's look": {"GET", "/live", "", header("Sec-Fetch-Site", "cross-site"), 403},
		"a long search":       {"GET", "/live?q=" + strings.Repeat("x", 201), "", nil, 400},
	} {
		s := &source{}
		w := httptest.NewRecorder()
		page.Handler(s).ServeHTTP(w, ask(c.method, c.path, c.body, c.change))
		require.Equal(t, c.want, w.Code, "%s: %s", name, w.Body)
		require.Equal(t, c.want == 200 && c.path == "/act", s.last.Verb == page.Redrive, name)
		require.Zero(t, s.looks.Load(), name)
		h := w.Header()
		require.Contains(t, h.Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'; style-src 'self'", name)
		require.Contains(t, h.Get("Content-Security-Policy"), "frame-ancestors 'none'", name)
		require.NotContains(t, h.Get("Content-Security-Policy"), "unsafe", name)
		require.Equal(t, "nosniff", h.Get("X-Content-Type-Options"), name)
		require.Equal(t, "no-referrer", h.Get("Referrer-Policy"), name)
		require.Empty(t, h.Get("Access-Control-Allow-Origin"), name)
	}
}

// TestAnActThatFails is told as it is.
func TestAnActThatFails(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	page.Handler(&source{err: errors.New(`the store says "no"`)}).ServeHTTP(w, ask("POST", "/act", `{"verb":"skip"}`, nil))
	require.Equal(t, http.StatusUnprocessableEntity, w.Code)
	require.JSONEq(t, `{"error":"the store says \"no\""}`, w.Body.String())
}

// TestNothingComesFromElsewhere, and nothing in the page is a program but page.js.
func TestNothingComesFromElsewhere(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/", "/page.css", "/page.js"} {
		w := httptest.NewRecorder()
		page.Handler(&source{}).ServeHTTP(w, ask("GET", path, "", nil))
		text := strings.ReplaceAll(w.Body.String(), "http://www.w3.org/2000/svg", "")
		for _, never := range []string{"http:", "https:", "//cdn", "@import", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", " style=", " onclick=", "eval("} {
			require.NotContains(t, text, never, path)
		}
	}
}

// looker is a browser that looks until it is gone.
type looker struct {
	*httptest.ResponseRecorder
	gone func()
}

func look(h http.Handler, path string) looker {
	ctx, cancel := context.WithCancel(context.Background())
	w, ended := httptest.NewRecorder(), make(chan struct{})
	go func() {
		defer close(ended)
		h.ServeHTTP(w, ask("GET", path, "", nil).WithContext(ctx))
	}()
	return looker{w, func() { cancel(); <-ended }}
}

// TestAllShareOneLook a second, and nobody looks when nobody is there.
func TestAllShareOneLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &source{}
		h := page.Handler(s)
		time.Sleep(time.Minute)
		require.Zero(t, s.looks.Load())
		all := []looker{look(h, "/live"), look(h, "/live?q=ann"), look(h, "/live?q=DEF")}
		synctest.Wait()
		require.EqualValues(t, 1, s.looks.Load())
		time.Sleep(9500 * time.Millisecond)
		require.EqualValues(t, 10, s.looks.Load())
		for _, l := range all {
			l.gone()
		}
		time.Sleep(time.Minute)
		require.EqualValues(t, 10, s.looks.Load())

		require.Equal(t, "text/event-stream", all[0].Header().Get("Content-Type"))
		require.Equal(t, 10, strings.Count(all[0].Body.String(), "\ndata: {"))
		require.Contains(t, all[0].Body.String(), "order:1")
		require.Contains(t, all[1].Body.String(), "profile:ann")
		require.NotContains(t, all[1].Body.String(), "order:1")
		require.NotContains(t, all[2].Body.String(), "profile:ann")
		require.Contains(t, all[2].Body.String(), "order:1")

		again := look(h, "/live")
		synctest.Wait()
		require.EqualValues(t, 11, s.looks.Load())
		again.gone()
	})
}

// TestTooManyLookers are turned away.
func TestTooManyLookers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := page.Handler(&source{})
		var all []looker
		for range 32 {
			all = append(all, look(h, "/live"))
		}
		synctest.Wait()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, ask("GET", "/live", "", nil))
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		body, err := io.ReadAll(w.Body)
		require.NoError(t, err)
		require.Contains(t, string(body), "32 look already")
		for _, l := range all {
			l.gone()
		}
	})
}
