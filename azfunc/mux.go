package azfunc

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// MuxOptions configures a Mux. The zero value logs to slog.Default and sets no
// deadline.
type MuxOptions struct {
	Logger *slog.Logger
	// Deadline ends the context of an invocation, with ErrDeadline as its
	// cause. Keep it below functionTimeout, whose remedy is to kill the whole
	// process, and below the lock renewal limit.
	Deadline time.Duration
	// Follow, if set, is told of each invocation.
	Follow Follow
}

// A Follow is called before an invocation's function, whose name it is told, or of a
// forwarded one the path that it was registered under. It returns the request that the
// function gets, and what is called with the status of the answer and the function's error.
type Follow func(r *http.Request, name string, forwarded bool) (followed *http.Request, end func(status int, err error))

// A Mux routes the host's requests to functions. Literal path segments match
// in any case and a trailing slash is accepted, because the host lets both
// through as the client sent them; an empty segment matches nothing. GET /, the
// host's readiness probe, is answered at once. Register everything before the
// first request.
type Mux struct {
	log      *slog.Logger
	deadline time.Duration
	follow   Follow
	routes   []*route // owner: the registering goroutine, read-only afterwards
}

// route is one method set on one path; several may share a path.
type route struct {
	name     string
	segments []segment
	methods  []string
	forward  bool // a forwarded HTTP function: errors are problem+json
	handler  http.Handler
	late     error // what ends an invocation that takes too long
}

// NewMux returns a Mux without functions.
func NewMux(o MuxOptions) *Mux {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Mux{log: o.Logger, deadline: o.Deadline, follow: o.Follow}
}

// Handle registers a default-protocol function under its name; "Name", "/Name"
// and "POST /Name" mean the same. It panics on an invalid pattern, as
// registration is part of the program's text.
func (m *Mux) Handle(pattern string, h http.Handler) {
	name := strings.TrimPrefix(strings.TrimPrefix(pattern, http.MethodPost+" "), "/")
	m.add(&route{name: name, methods: []string{http.MethodPost}, handler: h}, name)
}

// HandleRoute registers a forwarded HTTP function: its methods in any case
// (GET includes HEAD), and its full path such as "api/profiles/{id}". {id}
// becomes r.PathValue("id"), decoded; at the end of the path, {id?} may be absent. A constraint, as in {id:maxlength(9)}, is
// read over: enforcing it is the host's work. It panics on an invalid route.
func (m *Mux) HandleRoute(methods []string, path string, h http.Handler) {
	r := &route{name: path, forward: true, handler: h}
	for _, method := range methods {
		r.methods = append(r.methods, strings.ToUpper(method))
	}
	if slices.Contains(r.methods, http.MethodGet) && !slices.Contains(r.methods, http.MethodHead) {
		r.methods = append(r.methods, http.MethodHead)
	}
	m.add(r, path)
}

func (m *Mux) add(r *route, path string) {
	segments, err := parseRoute(path)
	if err != nil {
		panic(fmt.Sprintf("azfunc: route %q: %v", path, err))
	}
	r.segments = segments
	r.late = fmt.Errorf("%s: %w after %s", r.name, ErrDeadline, m.deadline)
	m.routes = append(m.routes, r)
}

// ServeHTTP implements http.Handler.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, answer := receive(w, r), newBuffered()
	defer answer.free()
	m.serve(answer, r)
	body.drain()
	answer.flush(w)
}

func (m *Mux) serve(w *buffered, r *http.Request) {
	if r.URL.Path == "/" {
		return // 200
	}
	found, values, allow := m.find(r)
	switch {
	case found != nil:
		for i := 0; i < len(values); i += 2 {
			r.SetPathValue(values[i], values[i+1])
		}
		m.run(w, r, found)
	case allow != nil:
		w.Header().Set("Allow", strings.Join(allow, ", "))
		problem(w, http.StatusMethodNotAllowed, r.Method+" is not supported here; see Allow")
	default:
		problem(w, http.StatusNotFound, "no function has the path "+r.URL.Path)
	}
}

// find returns the route of a request, or the methods that the path has.
func (m *Mux) find(r *http.Request) (_ *route, values, allow []string) {
	parts := splitPath(r.URL.EscapedPath())
	for _, rt := range m.routes {
		values, ok := match(rt.segments, parts)
		if !ok {
			continue
		}
		if slices.Contains(rt.methods, r.Method) {
			return rt, values, nil
		}
		allow = append(allow, rt.methods...)
	}
	return nil, nil, allow
}

// run calls the function with a deadline and a net for its panics.
func (m *Mux) run(answer *buffered, r *http.Request, rt *route) {
	ctx := ofRequest(r)
	if m.deadline > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, m.deadline, rt.late)
		defer cancel()
	}
	if ctx != r.Context() {
		r = r.WithContext(ctx)
	}
	if m.follow != nil {
		var end func(int, error)
		r, end = m.follow(r, rt.name, rt.forward)
		ctx = r.Context()
		defer func() { end(cmp.Or(answer.status, http.StatusOK), answer.err) }()
	}
	m.guard(answer, r, rt)
	if answer.err != nil {
		m.log.ErrorContext(ctx, "invocation failed", "function", rt.name, "invocation", InvocationID(r.Header), "error", answer.err)
	}
	if !rt.forward && answer.empty2xx() {
		_ = writeResult(answer, http.StatusOK, Result{})
	}
}

// guard turns a panic into a 500 of its own invocation.
func (m *Mux) guard(answer *buffered, r *http.Request, rt *route) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares, too
			panic(p)
		}
		m.log.ErrorContext(r.Context(), "panic in an invocation", "function", rt.name,
			"invocation", InvocationID(r.Header), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		answer.reset()
		if rt.forward {
			problem(answer, http.StatusInternalServerError, "the function failed; the log has the details")
			return
		}
		_ = writeResult(answer, http.StatusInternalServerError, Result{Logs: []string{"panic: " + fmt.Sprint(p)}})
	}()
	rt.handler.ServeHTTP(answer, r)
}
