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
	"time"

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

// Cache is a shortcut for reads that say how old their answer may be; *cache.Reads is one.
type Cache interface {
	// Recent returns the entity as it was at most age ago, how old the answer is, and whether it was
	// there without a read of the store.
	Recent(ctx context.Context, key string, age time.Duration) (e outbox.Entity, old time.Duration, hit bool, err error)
}

// Deps are what the HTTP functions of all kinds need. Logger and Cache may be nil.
type Deps struct {
	Writer Writer
	Reader Reader
	Cache  Cache
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
		answer, err := k.answer(d, p, w.Header(), r)
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

// answer carries the request out. What else there is to say about the answer goes to its headers.
func (k Kind[T, V]) answer(d Deps, p part, h http.Header, r *http.Request) (outbox.Answer, error) {
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
		return k.read(d, h, r)
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

// read answers GET and HEAD with the entity, and 304 to a client that has it already.
func (k Kind[T, V]) read(d Deps, h http.Header, r *http.Request) (outbox.Answer, error) {
	id, err := request.ID(r)
	if err != nil {
		return outbox.Answer{}, err
	}
	conditions, err := request.ParseConditions(r.Header)
	if err != nil {
		return outbox.Answer{}, err
	}
	e, err := d.load(r.Context(), outbox.Key(k.Name, id), request.FreshnessOf(r.Header), conditions, h)
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

// load reads the entity as new as it is asked for. By default it is as the store shows it, where a
// replica may lag behind what other instances have written; no-cache wants it as new as the request.
func (d Deps) load(ctx context.Context, key string, fresh request.Freshness, c request.Conditions, h http.Header) (outbox.Entity, error) {
	switch {
	case fresh.Current:
		if err := d.Reader.Barrier(ctx, key); err != nil {
			return outbox.Entity{}, err
		}
	case fresh.MaxAge > 0 && d.Cache != nil:
		return d.recent(ctx, key, fresh.MaxAge, c, h)
	}
	return d.Reader.Load(ctx, key)
}

// recent takes an entity that the cache has. The headers say how old it is. A client that names a newer
// version is not shown an older one: then a read tells, and if that lags, one behind a barrier.
func (d Deps) recent(ctx context.Context, key string, age time.Duration, c request.Conditions, h http.Header) (outbox.Entity, error) {
	e, old, hit, err := d.Cache.Recent(ctx, key, age)
	if err == nil && hit && c.Ahead(e) {
		e, old, hit, err = d.Cache.Recent(ctx, key, 0)
	}
	if err == nil && c.Ahead(e) {
		if err = d.Reader.Barrier(ctx, key); err == nil {
			old, hit = 0, false
			e, err = d.Reader.Load(ctx, key)
		}
	}
	if err != nil {
		return outbox.Entity{}, err
	}
	h.Set("Age", strconv.Itoa(int(old/time.Second)))
	h.Set("X-Cache", map[bool]string{true: "HIT", false: "MISS"}[hit])
	return e, nil
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
