package admin

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/relaybox/relaybox/local/faulthttp"
	"github.com/relaybox/relaybox/local/hostname"
	"github.com/relaybox/relaybox/local/minibus/internal/atom"
	"github.com/relaybox/relaybox/local/minibus/internal/broker"
	"github.com/relaybox/relaybox/local/minibus/internal/fault"
	"github.com/relaybox/relaybox/local/minibus/internal/sas"
)

// Limits of the administration interface.
const (
	adminMaxHeader = 64 << 10
	adminMaxBody   = 1 << 20
	adminMaxTime   = 30 * time.Second
)

// Handler answers requests about the entities of a broker.
type Handler struct {
	b       *broker.Broker
	keys    sas.Keyring
	jwt     bool
	names   hostname.Names
	log     *slog.Logger
	faults  faulthttp.Switch[fault.Fault, fault.Injected]
	amqp    func(net.Conn) // takes who wants AMQP over WebSockets
	servers servers
}

// New answers clients with the right keys. jwt accepts tokens of Microsoft Entra without looking at them.
// It serves under localhost, addresses and the given names only. amqp takes clients that want AMQP over WebSockets.
func New(b *broker.Broker, keys sas.Keyring, jwt bool, names []string, amqp func(net.Conn), log *slog.Logger) *Handler {
	return &Handler{b: b, keys: keys, jwt: jwt, names: names, amqp: amqp, log: log, faults: faulthttp.Switch[fault.Fault, fault.Injected]{
		Inject: b.Inject, List: b.Injected, Clear: b.ClearFaults, Fields: "entity, on, do, times, chance, delay, condition, text",
	}}
}

// verb answers one method. It returns a document of atom.go.
type verb func(*Handler, *adminRequest) (any, *atom.Refusal)

// verbs are the methods that there are. One that does something has a file of its own.
var verbs = map[string]verb{
	http.MethodGet:    (*Handler).get,
	http.MethodHead:   (*Handler).get,
	http.MethodPut:    (*Handler).put,
	http.MethodDelete: (*Handler).delete,
}

// adminRequest is a request whose token has been checked and whose path has been understood.
type adminRequest struct {
	*http.Request
	to     atom.Target
	claims map[sas.Claim]bool
}

// ServeHTTP implements http.Handler.
func (a *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !a.names.Allow(w, r) {
		return
	}
	if r.URL.Path == faulthttp.Path {
		a.faults.ServeHTTP(w, r)
		return
	}
	if r.URL.Path == healthPath && r.Header.Get("Authorization") == "" {
		health(w, r)
		return
	}
	if strings.EqualFold(strings.TrimSuffix(r.URL.Path, "/"), websocketPath) {
		a.tunnel(w, r)
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
		a.log.Error("administration reply cannot be encoded", "path", r.URL.Path, "error", err)
	}
}

// answer checks what all methods have in common, in the order in which the service does: the token before anything
// else is told.
func (a *Handler) answer(r *http.Request) (any, *atom.Refusal) {
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
