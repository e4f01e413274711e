package minihost

import (
	"context"
	"crypto/subtle"
	"fmt"
	"html"
	"net/http"
	"strings"

	"github.com/relaybox/relaybox/local/minihost/internal/front"
	"github.com/relaybox/relaybox/local/minihost/internal/wire"
)

// serve answers one client request. It never fails: whatever goes wrong is a
// status.
func (h *run) serve(ctx context.Context, req *front.Request) front.Response {
	if f, params := h.table.find(req.Method, req.Path); f != nil {
		if !h.allowed(req, f.AuthLevel != "anonymous") {
			return front.Unauthorized()
		}
		return h.serveFunction(ctx, req, f, params)
	}
	if rest, ok := cutPrefixFold(req.Path, "/admin"); ok && (rest == "" || rest[0] == '/') {
		return h.admin.Serve(req, strings.Trim(rest, "/"))
	}
	if req.Path == "/" && (req.Method == http.MethodGet || req.Method == http.MethodHead) {
		return h.home()
	}
	return front.Response{Status: http.StatusNotFound}
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return "", false
	}
	return s[len(prefix):], true
}

// allowed checks the key where one is asked for: the header wins over the
// query.
func (h *run) allowed(req *front.Request, locked bool) bool {
	if !locked || !h.opts.EnableAuth {
		return true
	}
	key, ok := req.Fields.Get("x-functions-key")
	if !ok {
		key = req.QueryValue("code")
	}
	return key != "" && subtle.ConstantTimeCompare([]byte(key), []byte(h.opts.MasterKey)) == 1
}

func (h *run) home() front.Response {
	if v, _ := h.env.Get("AzureWebJobsDisableHomepage"); strings.EqualFold(v, "true") {
		return front.Response{Status: http.StatusNoContent}
	}
	var page strings.Builder
	page.WriteString("<!DOCTYPE html><html lang=\"en\"><title>Relaybox functions host</title><h1>Your functions host is up and running</h1><ul>")
	for _, f := range h.functions {
		fmt.Fprintf(&page, "<li>%s: %s", html.EscapeString(f.Name), html.EscapeString(f.Trigger))
	}
	page.WriteString("</ul></html>\n")
	return front.Response{Status: http.StatusOK, Fields: wire.Fields{{Name: "Content-Type", Value: "text/html"}}, Body: []byte(page.String())}
}
