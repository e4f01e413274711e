package rest

import (
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/fault"
	"github.com/relaybox/relaybox/local/minicosmos/internal/query"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
	"golang.org/x/sync/semaphore"
)

// Service answers the requests of the REST surface. It is safe for concurrent use; all its exported fields are set before
// the first request.
type Service struct {
	Account *account.Account    // what is served
	Keys    *wire.Keys          // who is let in
	Faults  *fault.Set          // what goes wrong
	Charges *wire.Totals        // where each request is counted
	Memory  *semaphore.Weighted // bytes of request bodies held at once; has wire.MaxBodies
	Stop    <-chan struct{}     // closed when the server ends
	Log     *slog.Logger        // hears of defects and faults of the store

	parsed queries
}

// call is a request under way.
type call struct {
	wire.Request
	on             wire.Operation
	known          bool               // it was let in
	in             *account.Container // that is addressed, nil for none
	sight          *query.Sight       // what it has seen of the container, nil for nothing
	stale, shuffle *fault.Armed       // faults of this request
}

// ServeHTTP answers one request of the REST surface.
func (s *Service) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r := &call{Request: wire.Request{Request: hr}}
	a, bad, cut := s.answer(r)
	if cut {
		if a != nil { // it was done, and cost what it costs
			s.Charges.Add(&r.Request, r.on, a)
		}
		panic(http.ErrAbortHandler) // closes the connection
	}
	if bad != nil {
		a = wire.Refuse(bad)
		r.situate(a)
		if bad.Status == http.StatusInternalServerError {
			s.Log.Error("request", "method", hr.Method, "path", hr.URL.Path, "error", bad)
		}
	}
	if r.known {
		s.Charges.Add(&r.Request, r.on, a)
	}
	a.Write(w, &r.Request)
}

// recovered, deferred, has a goroutine that works for a request tell its panic and go on: the process is other requests' too.
func (s *Service) recovered(r *call, tell func(*refusal.Error)) {
	if p := recover(); p != nil {
		s.Log.Error("panic in a request", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
		tell(&refusal.Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: "The server has a defect; see its log."})
	}
}

func (s *Service) answer(r *call) (a *wire.Answer, bad *refusal.Error, cut bool) {
	if !s.Account.Enter() {
		return nil, refusal.Closed, false
	}
	defer s.Account.Leave()
	defer s.recovered(r, func(defect *refusal.Error) { a, bad = nil, defect })
	if bad := r.Route(); bad != nil {
		return nil, bad, false
	}
	resourceType, link := r.Resource()
	if bad := s.Keys.Authenticate(&r.Request, resourceType, link); bad != nil {
		return nil, bad, false
	}
	if (r.ByRID || r.Loose) && len(r.Names) > 0 {
		names, err := s.Account.Named(r.Names, r.Loose)
		if err != nil {
			return nil, refusal.Internal(err), false
		}
		r.Names = names
	}
	release, bad := r.ReadBody(s.Memory)
	if bad != nil {
		return nil, bad, false
	}
	defer release()
	r.known, r.on = true, r.Operation()
	return s.under(r, r.on)
}

// dispatch calls what answers the request.
func (s *Service) dispatch(r *call) (*wire.Answer, *refusal.Error) {
	if bad := checkHeaders(r.Header); bad != nil {
		return nil, bad
	}
	switch {
	case len(r.Names) == 0 && r.Feed == "":
		return s.describe(r)
	case r.Feed == "offers":
		return s.offers(r)
	case r.Feed == "dbs":
		return s.databaseFeed(r)
	case r.Other != nil:
		return s.other(r)
	case len(r.Names) == 1 && r.Feed == "":
		return s.databaseResource(r)
	case r.Feed == "colls":
		return s.containerFeed(r)
	}
	c, bad := s.Account.Container(r.Names[0], r.Names[1])
	switch {
	case bad != nil:
		return nil, bad
	case r.Feed == "" && len(r.Names) == 2:
		return within(c.Database.RID, c.Database.Path)(s.containerResource(r, c))
	}
	r.in = c
	if bad := r.intended(c); bad != nil {
		return nil, bad
	}
	switch r.Feed {
	case "pkranges":
		return within(c.RID, c.Path)(s.rangeFeed(r, c))
	case "docs":
		return within(c.RID, c.Path)(s.documentFeed(r, c))
	}
	return within(c.RID, c.Path)(s.documentResource(r, c))
}

// within says of an answer what it is of: a container or a database.
func within(rid, path string) func(*wire.Answer, *refusal.Error) (*wire.Answer, *refusal.Error) {
	return func(a *wire.Answer, bad *refusal.Error) (*wire.Answer, *refusal.Error) {
		if a != nil {
			a.Owner, a.Path = rid, path
		}
		return a, bad
	}
}

// situate says of a refusal in a container where it happened, and what the client has seen with it: that a document is not
// there, or is another, is something seen.
func (r *call) situate(a *wire.Answer) {
	if r.in == nil {
		return
	}
	a.Owner, a.Path = r.in.RID, r.in.Path
	in := r.shares(r.in)[0]
	switch {
	case a.Status == http.StatusGone: // it is said of a range that is not there
	case r.sight != nil: // perhaps of a replica that lags
		a.Seen(in, r.sight.Token(in))
	default:
		a.Seen(in, in.DurableLSN.Load())
	}
}
