package minicosmos

import (
	"net/http"

	"github.com/relaybox/relaybox/local/faulthttp"
)

// chargesPath is where a test reads the totals of request units.
const chargesPath = "/relaybox/charges"

// control answers what is not the service's.
func (s *Server) control() http.Handler {
	mux := http.NewServeMux()
	mux.Handle(faulthttp.Path, faulthttp.Switch[Fault, Injected]{Inject: s.Inject, List: s.Faults, Clear: s.ClearFaults,
		Fields: "database, container, on, do, times, chance, delay, requestUnits"})
	mux.HandleFunc(chargesPath, s.serveCharges)
	mux.HandleFunc("/relaybox/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "use "+faulthttp.Path+" or "+chargesPath, http.StatusNotFound)
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
