// Package openapi answers GET and HEAD of /api/openapi.json with the app's own description.
package openapi

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/relaybox/relaybox/entity/problem"
)

// New returns the function. describe is called once, by the first request: the handler has
// to listen before there is time for it.
func New(describe func() ([]byte, error), log *slog.Logger) http.Handler {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	once := sync.OnceValues(describe)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := once()
		if err != nil {
			problem.Answer(w, r, log, fmt.Errorf("describe the app: %w", err))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		// It changes with a deployment only, and then a cache must not keep the old one.
		w.Header().Set("Cache-Control", "private, no-cache")
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(text)))
		asked := &http.Request{Method: r.Method, Header: http.Header{"If-None-Match": r.Header.Values("If-None-Match")}}
		http.ServeContent(w, asked, "", time.Time{}, bytes.NewReader(text)) // whole or 304, no ranges
	})
}
