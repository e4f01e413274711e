package minicosmos

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// maxRequest is the largest request body in bytes (the service's limit).
const maxRequest = 2 << 20

// maxBodies bounds the bytes of request bodies that are held at once; more wait. A
// parsed body can be some forty times as large as its text.
const maxBodies = 32 << 20

// request is a routed request.
type request struct {
	*http.Request
	names []string // ids in the path, outermost first: database, container, document
	feed  string   // the path's last word when it is a feed: "dbs", "colls", "docs", "pkranges"; "" otherwise
	offer string   // id of an offer; feed is "offers"
	body  []byte

	on             Operation
	known          bool   // it was let in
	stale, shuffle *armed // faults of this request
}

// flag tells whether a header says true, in any case.
func (r *request) flag(header string) bool { return strings.EqualFold(r.Header.Get(header), "true") }

// minimal tells whether the client asked for an empty answer to a write.
func (r *request) minimal() bool { return strings.EqualFold(r.Header.Get("Prefer"), "return=minimal") }

// isQuery tells whether the body is a query.
func (r *request) isQuery() bool {
	return r.flag("X-Ms-Documentdb-Query") || r.flag("X-Ms-Documentdb-Isquery") ||
		strings.HasPrefix(r.Header.Get("Content-Type"), "application/query+json")
}

// ServeHTTP answers one request of the REST surface.
func (s *Server) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	if strings.HasPrefix(hr.URL.Path, "/relaybox/") {
		s.controls.ServeHTTP(w, hr)
		return
	}
	r := &request{Request: hr}
	a, bad, cut := s.answer(r)
	if cut {
		if a != nil { // it was done, and cost what it costs
			s.charges.add(r, a)
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
		s.charges.add(r, a)
	}
	a.write(w, r)
}

func (s *Server) answer(r *request) (a *answer, bad *Error, cut bool) {
	if !s.enter() {
		return nil, errClosed, false
	}
	defer s.leave()
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
	if bad := s.authenticate(r, resourceType, link); bad != nil {
		return nil, bad, false
	}
	release, bad := s.readBody(r)
	if bad != nil {
		return nil, bad, false
	}
	defer release()
	r.known, r.on = true, r.operation()
	return s.under(r, r.on)
}

// words are the path's fixed words at each level, and below them what a container has.
var words = []string{"dbs", "colls", "docs"}

// route takes the path apart.
func (r *request) route() *Error {
	path := strings.Trim(r.URL.EscapedPath(), "/")
	if path == "" {
		return nil
	}
	segments := strings.Split(path, "/")
	if segments[0] == "offers" && len(segments) <= 2 {
		r.feed = segments[0]
		if len(segments) == 2 {
			r.offer = segments[1]
		}
		return nil
	}
	for i := 0; i < len(segments); i += 2 {
		level := i / 2
		known := level < len(words) && segments[i] == words[level] || level == 2 && segments[i] == "pkranges" && i == len(segments)-1
		if !known {
			return badRequest("The resource %q is not one that this server has.", "/"+path)
		}
		if i == len(segments)-1 {
			r.feed = segments[i]
			return nil
		}
		name, err := url.PathUnescape(segments[i+1])
		if err != nil || !utf8.ValidString(name) || name == "" {
			return badRequest("The path %q is not properly escaped.", "/"+path)
		}
		r.names = append(r.names, name)
	}
	return addressable(r.names)
}

// addressable refuses a document id that the service's gateway cannot address, though
// it can be created: it decodes paths before it checks the signature
// (azcosmos emulator_cosmos_item_test.go, TestItemIdEncodingRoutingGW).
func addressable(names []string) *Error {
	if len(names) < 3 {
		return nil
	}
	id := names[2]
	switch {
	case hasControl(id):
		return badRequest("The document id %q contains a control character.", id)
	case strings.ContainsAny(id, `/\#`), strings.HasSuffix(id, " "), hasEscape(id):
		return unauthorized("A document with the id %q cannot be addressed: it contains / \\ #, a percent escape or a space at the end.", id)
	}
	return nil
}

// hasEscape tells whether s contains %XX.
func hasEscape(s string) bool {
	unescaped, err := url.PathUnescape(s)
	return err == nil && unescaped != s
}

// resource returns what the request's signature covers.
func (r *request) resource() (resourceType, link string) {
	var b strings.Builder
	for i, name := range r.names {
		if i > 0 {
			b.WriteByte('/')
		}
		b.WriteString(words[i] + "/" + name)
	}
	switch {
	case r.feed == "offers":
		return r.feed, strings.ToLower(r.offer) // by its resource id, which is signed in lower case
	case r.feed != "":
		return r.feed, b.String()
	case len(r.names) == 0:
		return "", ""
	}
	return words[len(r.names)-1], b.String()
}

// readBody reads the body within the limits; release gives its memory back.
func (s *Server) readBody(r *request) (release func(), bad *Error) {
	size := r.ContentLength
	switch {
	case size == 0:
		return func() {}, nil
	case size > maxRequest:
		return nil, errTooLarge
	case size < 0:
		size = maxRequest
	}
	if err := s.memory.Acquire(r.Context(), size); err != nil {
		return nil, errClosed
	}
	release = func() { s.memory.Release(size) }
	body, err := readAtMost(r.Body, size, maxRequest)
	if err != nil {
		release()
		if errors.Is(err, errTooLarge) {
			return nil, errTooLarge
		}
		return nil, badRequest("The body cannot be read: %v", err)
	}
	r.body = body
	return release, nil
}

func readAtMost(body io.Reader, expected int64, limit int) ([]byte, error) {
	if expected == int64(limit) {
		b, err := io.ReadAll(io.LimitReader(body, int64(limit)+1))
		if len(b) > limit {
			return nil, errTooLarge
		}
		return b, err
	}
	b := make([]byte, expected)
	_, err := io.ReadFull(body, b)
	return b, err
}

// json parses the body.
func (r *request) json() (sql.Value, *Error) {
	v, err := sql.ParseJSON(r.body)
	if err != nil {
		return v, badRequest("The request body is not valid JSON: %v.", err)
	}
	return v, nil
}

// dispatch calls what answers the request.
func (s *Server) dispatch(r *request) (*answer, *Error) {
	switch {
	case len(r.names) == 0 && r.feed == "":
		return s.account(r)
	case r.feed == "offers":
		return s.offers(r)
	case r.feed == "dbs":
		return s.databaseFeed(r)
	case len(r.names) == 1 && r.feed == "":
		return s.databaseResource(r)
	case r.feed == "colls":
		return s.containerFeed(r)
	}
	c, bad := s.catalog.container(r.names[0], r.names[1])
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
