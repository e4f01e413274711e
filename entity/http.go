package entity

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/relaybox/relaybox/entity/problem"
	"github.com/relaybox/relaybox/entity/request"
	"github.com/relaybox/relaybox/outbox"
)

// Writer commits a change with its events; *outbox.Writer is one.
type Writer interface {
	Write(ctx context.Context, r outbox.Request) (outbox.Answer, error)
}

// Reader loads an entity; outbox.Store is one. What Load shows may be old, unless Barrier
// was called before.
type Reader interface {
	Load(ctx context.Context, key string) (outbox.Entity, error)
	Barrier(ctx context.Context, key string) error
}

// Deps are what the HTTP functions of all kinds need. Logger may be nil.
type Deps struct {
	Writer Writer
	Reader Reader
	Kinds  *Kinds
	Logger *slog.Logger
}

// Resource answers all methods of an entity's address: GET, HEAD, PUT, PATCH and DELETE
// for the entity whose id is r.PathValue("id"), and POST for the action
// r.PathValue("action") on it. Its error says that the kind cannot be served.
func (k Kind[T, V]) Resource(d Deps) (http.Handler, error) { return k.serve(d, reads|writes) }

// Reads is Resource for GET and HEAD only, Writes for the other methods: two functions
// scale apart.
func (k Kind[T, V]) Reads(d Deps) (http.Handler, error) { return k.serve(d, reads) }

// Writes is Resource without GET and HEAD.
func (k Kind[T, V]) Writes(d Deps) (http.Handler, error) { return k.serve(d, writes) }

// part is a set of the methods of a resource.
type part int

const (
	reads part = 1 << iota
	writes
)

func (k Kind[T, V]) serve(d Deps, p part) (http.Handler, error) {
	if err := d.Kinds.has(k); err != nil {
		return nil, err
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	methods := p.methods(false)
	if len(k.Actions) > 0 {
		methods = append(methods, p.methods(true)...)
	}
	return resource{kind: k.Name, methods: methods, HandlerFunc: func(w http.ResponseWriter, r *http.Request) {
		answer, err := k.answer(d, p, r)
		if err == nil && answer.Status >= http.StatusBadRequest {
			err = problem.Kept(answer)
		}
		if err != nil {
			problem.Answer(w, r, d.Logger, refused(err))
			return
		}
		send(w, r, answer)
	}}, nil
}

func (k Kind[T, V]) answer(d Deps, p part, r *http.Request) (outbox.Answer, error) {
	action := r.PathValue("action")
	if action != "" {
		if _, ok := k.Actions[action]; !ok {
			return outbox.Answer{}, problem.New(problem.NotFound, "There is no action %.40q of %s; %s", action, k.Name, k.offer())
		}
	}
	allowed := p.methods(action != "")
	if !slices.Contains(allowed, r.Method) {
		bad := problem.New(problem.BadMethod, "%s is not offered here.", r.Method)
		bad.Offer = [2]string{"Allow", strings.Join(allowed, ", ")}
		return outbox.Answer{}, bad
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return k.read(d.Reader, r)
	}
	return k.write(d.Writer, r)
}

func (p part) methods(action bool) []string {
	var all []string
	switch {
	case action && p&writes != 0:
		return []string{http.MethodPost}
	case action:
		return nil
	}
	if p&reads != 0 {
		all = append(all, http.MethodGet, http.MethodHead)
	}
	if p&writes != 0 {
		all = append(all, http.MethodPut, http.MethodPatch, http.MethodDelete)
	}
	return all
}

func (k Kind[T, V]) offer() string {
	if len(k.Actions) == 0 {
		return "there are none."
	}
	return "there are: " + strings.Join(slices.Sorted(maps.Keys(k.Actions)), ", ") + "."
}

// read answers GET and HEAD with the entity that the store shows, and 304 to a client that
// has it already. A replica may lag behind what other instances have written; with
// Cache-Control: no-cache the entity is as new as the request.
func (k Kind[T, V]) read(store Reader, r *http.Request) (outbox.Answer, error) {
	id, err := request.ID(r)
	if err != nil {
		return outbox.Answer{}, err
	}
	conditions, err := request.ParseConditions(r.Header)
	if err != nil {
		return outbox.Answer{}, err
	}
	key := outbox.Key(k.Name, id)
	if request.Current(r.Header) {
		if err := store.Barrier(r.Context(), key); err != nil {
			return outbox.Answer{}, err
		}
	}
	e, err := store.Load(r.Context(), key)
	switch {
	case err != nil:
		return outbox.Answer{}, err
	case !request.Exists(e):
		return outbox.Answer{}, k.missing(id)
	}
	if err := conditions.MetForRead(e); err != nil {
		return outbox.Answer{}, err
	}
	if conditions.Known(e) {
		return outbox.Answer{Status: http.StatusNotModified, ETag: request.Tag(e)}, nil
	}
	if _, ok := inner(e.Data); !ok {
		return outbox.Answer{}, fmt.Errorf("stored entity %q is not a JSON object", e.Key)
	}
	return render("")(e, http.StatusOK), nil
}

func (k Kind[T, V]) missing(id string) error {
	return problem.New(problem.NotFound, "No %s has the id %q.", k.Name, id)
}

// send writes an answer.
func send(w http.ResponseWriter, r *http.Request, a outbox.Answer) {
	h := w.Header()
	// A cache may keep it for this client, and has to ask every time: the tag makes
	// that cheap.
	h.Set("Cache-Control", "private, no-cache")
	if a.ETag != "" {
		h.Set("ETag", a.ETag)
	}
	if a.Location != "" {
		h.Set("Location", a.Location)
	}
	if len(a.Body) > 0 {
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(a.Body)))
	}
	w.WriteHeader(a.Status)
	if len(a.Body) > 0 && r.Method != http.MethodHead {
		_, _ = w.Write(a.Body) // the client is gone
	}
}
