package minicosmos

import (
	"log/slog"
	"net/http"
	"runtime/debug"

	"golang.org/x/sync/semaphore"
)

// service answers the requests of the REST surface.
type service struct {
	account *account
	keys    *keys
	faults  *faultSet
	charges *charges
	memory  *semaphore.Weighted // bytes of request bodies held at once; has maxBodies
	stop    <-chan struct{}     // closed when the server ends
	log     *slog.Logger
}

// call is a request under way.
type call struct {
	request
	on             Operation
	known          bool   // it was let in
	stale, shuffle *armed // faults of this request
}

// ServeHTTP answers one request of the REST surface.
func (s *service) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	r := &call{request: request{Request: hr}}
	a, bad, cut := s.answer(r)
	if cut {
		if a != nil { // it was done, and cost what it costs
			s.charges.add(&r.request, r.on, a)
		}
		panic(http.ErrAbortHandler) // closes the connection
	}
	if bad != nil {
		a = refuse(bad)
		if bad.Status == http.StatusInternalServerError {
			s.log.Error("request", "method", hr.Method, "path", hr.URL.Path, "error", bad)
		}
	}
	if r.known {
		s.charges.add(&r.request, r.on, a)
	}
	a.write(w, &r.request)
}

func (s *service) answer(r *call) (a *answer, bad *Error, cut bool) {
	if !s.account.enter() {
		return nil, errClosed, false
	}
	defer s.account.leave()
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic in a request", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			a, bad = nil, &Error{Status: http.StatusInternalServerError, Code: "InternalServerError", Message: "The server has a defect; see its log."}
		}
	}()
	if bad := r.route(); bad != nil {
		return nil, bad, false
	}
	resourceType, link := r.resource()
	if bad := s.keys.authenticate(&r.request, resourceType, link); bad != nil {
		return nil, bad, false
	}
	release, bad := r.readBody(s.memory)
	if bad != nil {
		return nil, bad, false
	}
	defer release()
	r.known, r.on = true, r.operation()
	return s.under(r, r.on)
}

// dispatch calls what answers the request.
func (s *service) dispatch(r *call) (*answer, *Error) {
	switch {
	case len(r.names) == 0 && r.feed == "":
		return s.describe(r)
	case r.feed == "offers":
		return s.offers(r)
	case r.feed == "dbs":
		return s.databaseFeed(r)
	case len(r.names) == 1 && r.feed == "":
		return s.databaseResource(r)
	case r.feed == "colls":
		return s.containerFeed(r)
	}
	c, bad := s.account.container(r.names[0], r.names[1])
	switch {
	case bad != nil:
		return nil, bad
	case r.feed == "pkranges":
		return s.rangeFeed(r, c)
	case r.feed == "docs":
		return s.documentFeed(r, c)
	case len(r.names) == 2:
		return s.containerResource(r, c)
	}
	return s.documentResource(r, c)
}
