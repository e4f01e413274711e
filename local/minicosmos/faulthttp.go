package minicosmos

import (
	"fmt"
	"net/http"

	"github.com/relaybox/relaybox/local/faulthttp"
)

const (
	// chargesPath is where a test reads the totals of request units.
	chargesPath = "/relaybox/charges"
	// documentsPath is where a person sees what a container holds, a document a line:
	// /relaybox/documents/DATABASE/CONTAINER.
	documentsPath = "/relaybox/documents"
)

// control answers what is not the service's.
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(faulthttp.Path, faulthttp.Switch[Fault, Injected]{Inject: s.Inject, List: s.Faults, Clear: s.ClearFaults,
		Fields: "database, container, on, do, times, chance, delay, requestUnits"})
	mux.HandleFunc(chargesPath, s.serveCharges)
	mux.HandleFunc(documentsPath+"/{database}/{container}", s.serveDocuments)
	mux.Handle(Explorer, s.explorer())
	mux.HandleFunc("/relaybox/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "use "+Explorer+" in a browser, "+faulthttp.Path+", "+chargesPath+" or "+documentsPath+"/DATABASE/CONTAINER", http.StatusNotFound)
	})
	return mux
}

// serveCharges answers GET, and DELETE, which begins anew and answers with what there was.
func (s *Server) serveCharges(w http.ResponseWriter, r *http.Request) {
	if !faulthttp.Admit(w, r) {
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		faulthttp.WriteJSON(w, s.Charges())
	case http.MethodDelete:
		faulthttp.WriteJSON(w, s.ResetCharges())
	default:
		faulthttp.NotAllowed(w, "DELETE, GET, HEAD")
	}
}

// serveDocuments answers GET with what Documents returns.
func (s *Server) serveDocuments(w http.ResponseWriter, r *http.Request) {
	if !faulthttp.Admit(w, r) {
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		faulthttp.NotAllowed(w, "GET, HEAD")
		return
	}
	w.Header().Set("Content-Type", "application/jsonl")
	for _, document := range s.Documents(r.PathValue("database"), r.PathValue("container")) {
		if _, err := fmt.Fprintf(w, "%s\n", document); err != nil {
			return // the client is gone
		}
	}
}
