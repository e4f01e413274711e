package minihost

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// serve answers one client request. It never fails: whatever goes wrong is a
// status.
func (h *run) serve(ctx context.Context, req *request) response {
	if f, params := h.table.find(req.method, req.path); f != nil {
		if !h.allowed(req, f.AuthLevel != "anonymous") {
			return unauthorized()
		}
		return h.serveFunction(ctx, req, f, params)
	}
	if rest, ok := cutPrefixFold(req.path, "/admin"); ok && (rest == "" || rest[0] == '/') {
		return h.admin(ctx, req, strings.Trim(rest, "/"))
	}
	if req.path == "/" && (req.method == http.MethodGet || req.method == http.MethodHead) {
		return h.home()
	}
	return response{status: http.StatusNotFound}
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// allowed checks the key where one is asked for: the header wins over the
// query.
func (h *run) allowed(req *request, locked bool) bool {
	if !locked || !h.opts.EnableAuth {
		return true
	}
	key, ok := req.fields.Get("x-functions-key")
	if !ok {
		for _, q := range parseQuery(req.query) {
			if strings.EqualFold(q.name, "code") {
				key = q.values[len(q.values)-1]
			}
		}
	}
	return key != "" && subtle.ConstantTimeCompare([]byte(key), []byte(h.opts.MasterKey)) == 1
}

func unauthorized() response {
	return response{status: http.StatusUnauthorized, fields: wire.Fields{{Name: "WWW-Authenticate", Value: "Bearer"}}}
}

func (h *run) home() response {
	if v, _ := h.env.Get("AzureWebJobsDisableHomepage"); strings.EqualFold(v, "true") {
		return response{status: http.StatusNoContent}
	}
	var page strings.Builder
	page.WriteString("<!DOCTYPE html><html lang=\"en\"><title>Relaybox functions host</title><h1>Your functions host is up and running</h1><ul>")
	for _, f := range h.functions {
		fmt.Fprintf(&page, "<li>%s: %s", html.EscapeString(f.Name), html.EscapeString(f.Trigger))
	}
	page.WriteString("</ul></html>\n")
	return response{status: http.StatusOK, fields: wire.Fields{{Name: "Content-Type", Value: "text/html"}}, body: []byte(page.String())}
}

func asJSON(v any) response {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return response{status: http.StatusInternalServerError}
	}
	return response{status: http.StatusOK, fields: wire.Fields{{Name: "Content-Type", Value: "application/json; charset=utf-8"}},
		body: []byte(strings.TrimSuffix(out.String(), "\n"))}
}

// uptime in milliseconds, as the status shows it.
func (h *run) uptime() int64 { return time.Since(h.started).Milliseconds() }
