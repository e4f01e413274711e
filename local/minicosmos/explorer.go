package minicosmos

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"

	"github.com/relaybox/relaybox/local/faulthttp"
)

//go:embed explorer
var explorerFiles embed.FS

// Explorer is where a person looks around in a browser: containers, documents and a query box. It only reads.
const Explorer = explorerPath + "/"

const explorerPath = "/relaybox/explorer"

// explorer serves the page and what it asks for.
func (s *Server) explorer() http.Handler {
	files, err := fs.Sub(explorerFiles, "explorer")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+Explorer, http.StripPrefix(explorerPath, http.FileServerFS(files)))
	mux.HandleFunc("GET "+explorerPath+"/containers", func(w http.ResponseWriter, _ *http.Request) {
		faulthttp.WriteJSON(w, s.service.Places())
	})
	mux.HandleFunc("GET "+explorerPath+"/query", func(w http.ResponseWriter, r *http.Request) {
		asked := r.URL.Query()
		page, bad := s.service.Ask(r.Context(), asked.Get("database"), asked.Get("container"), asked.Get("query"), asked.Get("from"))
		if bad != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(bad.Status)
			_ = json.NewEncoder(w).Encode(map[string]string{"error": bad.Message}) // the client is gone
			return
		}
		faulthttp.WriteJSON(w, page)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !faulthttp.Admit(w, r) {
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}
