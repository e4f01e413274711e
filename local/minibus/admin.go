package minibus

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/faulthttp"
	"github.com/relaybox/relaybox/local/minibus/internal/atom"
	"github.com/relaybox/relaybox/local/minibus/internal/sas"
)

// Limits of the administration interface.
const (
	adminMaxHeader = 64 << 10
	adminMaxBody   = 1 << 20
	adminMaxTime   = 30 * time.Second
)

// AdminHandler is the administration REST interface (ATOM), as azservicebus/admin uses it, and GET /health as the
// official emulator has it: entities and rules are created, read, changed, listed and deleted. POST, GET and DELETE
// /relaybox/faults switch faults.
func (s *Server) AdminHandler() http.Handler {
	entities, switchFaults := &admin{b: s.broker}, s.faultSwitch()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == faulthttp.Path {
			switchFaults.ServeHTTP(w, r)
			return
		}
		entities.ServeHTTP(w, r)
	})
}

type admin struct{ b *broker }

// verb answers one method. It returns a document of atom.go.
type verb func(*admin, *adminRequest) (any, *atom.Refusal)

// verbs are the methods that there are. One that does something has a file of its own.
var verbs = map[string]verb{
	http.MethodGet:    (*admin).get,
	http.MethodHead:   (*admin).get,
	http.MethodPut:    (*admin).put,
	http.MethodDelete: (*admin).delete,
}

// adminRequest is a request whose token has been checked and whose path has been understood.
type adminRequest struct {
	*http.Request
	to     atom.Target
	claims map[sas.Claim]bool
}

// ServeHTTP implements http.Handler.
func (a *admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == healthPath && r.Header.Get("Authorization") == "" {
		health(w, r)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, adminMaxBody)
	document, refusal := a.answer(r)
	if refusal != nil {
		if refusal.Code == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", allowedMethods())
		}
		document = refusal
	}
	if err := atom.Write(w, document); err != nil {
		a.b.log.Error("administration reply cannot be encoded", "path", r.URL.Path, "error", err)
	}
}

// answer checks what all methods have in common, in the order in which the service does: the token before anything
// else is told.
func (a *admin) answer(r *http.Request) (any, *atom.Refusal) {
	claims, refusal := a.authorize(r)
	if refusal != nil {
		return nil, refusal
	}
	answer, known := verbs[r.Method]
	if !known {
		return nil, atom.Refuse(http.StatusMethodNotAllowed, "The method %s is not allowed. Use one of %s.", r.Method, allowedMethods())
	}
	to, refusal := atom.ParseTarget(r.URL.Path)
	if refusal != nil {
		return nil, refusal
	}
	return answer(a, &adminRequest{Request: r, to: to, claims: claims})
}

func allowedMethods() string {
	var names []string
	for name := range verbs {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// healthPath needs no token. With one, it is an entity of that name.
const healthPath = "/health"

func health(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"healthy"}`) // the client is gone
}
