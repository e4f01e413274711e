package entity

import (
	"errors"
	"net/http"
	"slices"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/entity/document"
	"github.com/relaybox/relaybox/entity/problem"
	"github.com/relaybox/relaybox/entity/request"
	"github.com/relaybox/relaybox/outbox"
)

// write carries out PUT, PATCH, DELETE and the actions.
func (k Kind[T, V]) write(to Writer, r *http.Request) (outbox.Answer, error) {
	c, err := k.parse(r)
	if err != nil {
		return outbox.Answer{}, err
	}
	if invocation := azfunc.InvocationID(r.Header); c.key == "" && !c.hasBody && invocation != "" {
		// The host delivers requests without a body again, and by then another write may
		// have come between: only a receipt tells. No client's key has a space in it.
		c.key = "invocation " + invocation
	}
	return to.Write(r.Context(), outbox.Request{
		Key:            outbox.Key(k.Name, c.id),
		IdempotencyKey: c.key,
		RequestHash:    c.hash,
		Trace:          request.Trace(r.Header),
		Decide:         c.decide,
		Render:         render(r.URL.Path),
	})
}

// change is one request, read and checked as far as that goes without the entity.
type change[T, V any] struct {
	kind       Kind[T, V]
	id         string
	key, hash  string // Idempotency-Key, "" without one, and what it stands for
	hasBody    bool
	conditions request.Conditions
	// creates: the request also makes sense for an entity that does not exist.
	creates bool
	// next makes the new entity out of the stored one, and returns the document whose unknown
	// members it keeps; nil stands for none.
	next func(old *state[T]) (next *T, from *state[T], err error)
	// checked: Validate was asked about what next returns.
	checked bool
	// drops: members that T does not know are not kept.
	drops bool
	// accept: the kind's Accept is asked.
	accept bool
}

// parse takes a request apart. Its errors are problems that need no look at the store.
func (k Kind[T, V]) parse(r *http.Request) (*change[T, V], error) {
	id, err := request.ID(r)
	if err != nil {
		return nil, err
	}
	c := &change[T, V]{kind: k, id: id, accept: true, checked: k.Accept == nil}
	if c.conditions, err = request.ParseConditions(r.Header); err != nil {
		return nil, err
	}
	if c.key, err = request.IdempotencyKey(r.Header); err != nil {
		return nil, err
	}
	var body []byte
	action := r.PathValue("action")
	switch r.Method {
	case http.MethodPut:
		c.creates, c.drops = true, k.PutReplaces
		if body, err = request.Body(r, "application/json"); err == nil {
			c.next, err = k.put(body)
		}
	case http.MethodPatch:
		if body, err = request.Body(r, "application/merge-patch+json", "application/json"); err == nil {
			c.next, err = k.patch(body)
		}
	case http.MethodPost:
		c.accept, c.checked = false, false
		body, c.next, err = k.act(r, k.Actions[action])
	default:
		c.next = func(*state[T]) (*T, *state[T], error) { return nil, nil, nil }
	}
	if err != nil {
		return nil, err
	}
	c.hasBody = len(body) > 0
	c.hash = request.Hash(r, body, k.Name, id, action)
	return c, nil
}

func (k Kind[T, V]) put(body []byte) (func(*state[T]) (*T, *state[T], error), error) {
	first, err := k.decode(body)
	if err != nil {
		return nil, err
	}
	fresh := &first
	return func(old *state[T]) (*T, *state[T], error) {
		next := fresh
		if fresh = nil; next == nil { // Accept may have filled the first one in
			again, err := k.decode(body)
			if err != nil {
				return nil, nil, err
			}
			next = &again
		}
		return next, old, nil
	}, nil
}

// patch applies the patch to the stored document, as RFC 7396 has it, and reads the result
// strictly without what T does not know.
func (k Kind[T, V]) patch(body []byte) (func(*state[T]) (*T, *state[T], error), error) {
	if err := document.CheckPatch[T](body); err != nil {
		return nil, err
	}
	return func(old *state[T]) (*T, *state[T], error) {
		merged, err := document.Merge(old.known, body)
		if err != nil {
			return nil, nil, err
		}
		next, err := k.decode(merged)
		if err != nil {
			return nil, nil, err
		}
		if merged, err = document.Merge(old.stored, body); err != nil {
			return nil, nil, err
		}
		from, err := stateOf[T](merged)
		return &next, from, err
	}, nil
}

func (k Kind[T, V]) act(r *http.Request, action Action[T]) (body []byte, next func(*state[T]) (*T, *state[T], error), err error) {
	if !action.bare && !request.HasBody(r) {
		p := problem.New(problem.MediaType, "The action %s needs a body, as application/json.", r.PathValue("action"))
		p.Offer = [2]string{"Accept", "application/json"}
		return nil, nil, p
	}
	if !action.bare || request.HasBody(r) {
		if body, err = request.Body(r, "application/json"); err != nil {
			return nil, nil, err
		}
	}
	do, err := action.decode(body)
	if err != nil {
		return nil, nil, err
	}
	return body, func(old *state[T]) (*T, *state[T], error) {
		own, err := stateOf[T](old.known) // do may change it in place, and Changes compares with old
		if err != nil {
			return nil, nil, err
		}
		next, err := do(*own.value)
		return &next, old, err
	}, nil
}

// decide is outbox.Request.Decide. That the entity does not allow the request is an answer
// as any other: true only if a commit says so. Of an invalid entity no receipt is kept: who
// mends the request may repeat its key.
func (c *change[T, V]) decide(cur outbox.Entity) (outbox.Decision, error) {
	d, err := c.outcome(cur)
	if err == nil {
		return d, nil
	}
	p, ok := errors.AsType[*problem.Problem](refused(err))
	if !ok || p.Status >= http.StatusInternalServerError {
		return d, err
	}
	answer, err := p.Keep()
	return outbox.Decision{Answer: &answer, Forget: p.Status == http.StatusUnprocessableEntity}, err
}

func (c *change[T, V]) outcome(cur outbox.Entity) (outbox.Decision, error) {
	if err := c.allowed(cur); err != nil {
		return outbox.Decision{}, err
	}
	old, err := load[T](cur)
	if err != nil {
		return outbox.Decision{}, err
	}
	next, from, err := c.next(old)
	if err == nil {
		err = c.accepted(old, next)
	}
	if err != nil {
		return outbox.Decision{}, err
	}
	return c.decision(old, next, from)
}

// allowed puts 404 before 412: conditions count only for a request that would succeed
// without them (RFC 9110 §13.2.1).
func (c *change[T, V]) allowed(cur outbox.Entity) error {
	if !c.creates && !request.Exists(cur) {
		return c.kind.missing(c.id)
	}
	return c.conditions.Met(cur)
}

// valueOf is what Accept and Changes are told of a state, nil for none.
func valueOf[T any](s *state[T]) *T {
	if s == nil {
		return nil
	}
	return s.value
}

// accepted asks the kind about what the request makes of the entity.
func (c *change[T, V]) accepted(old *state[T], next *T) error {
	if c.accept && c.kind.Accept != nil {
		if err := c.kind.Accept(valueOf(old), next); err != nil {
			return err
		}
	}
	if next == nil || c.checked {
		return nil
	}
	var faults Faults
	c.kind.validate(*next, &faults)
	return faults.Err()
}

// decision says what is stored and told. from is the document whose unknown members are
// kept, nil when the entity is new or goes.
func (c *change[T, V]) decision(old *state[T], next *T, from *state[T]) (outbox.Decision, error) {
	d := outbox.Decision{Status: http.StatusOK}
	switch {
	case next == nil:
		d.Status, d.Deleted = http.StatusNoContent, true
	case old == nil:
		d.Status = http.StatusCreated
	}
	if next != nil {
		value, err := document.Encode(next)
		if err != nil {
			return d, err
		}
		d.Data = value
		if from != nil && !c.drops {
			if d.Data, err = document.Carry[T](from.stored, from.known, value); err != nil {
				return d, err
			}
		}
		if same, err := old.holds(value, d.Data); same || err != nil {
			return d, err
		}
	}
	events, err := c.kind.drafts(c.id, valueOf(old), next, d.Data)
	d.Events = events
	return d, err
}

// refused turns what package document says about a body into a problem.
func refused(err error) error {
	if e, ok := errors.AsType[*document.SyntaxError](err); ok {
		return at(problem.MalformedJSON, e.Position, "", e)
	}
	if e, ok := errors.AsType[*document.UnknownFieldError](err); ok {
		p := at(problem.UnknownField, e.Position, e.Field, e)
		if slices.Contains(ofResource, e.Field) {
			p.Detail += ": every answer has it, and no request does; leave it out"
		}
		return p
	}
	if e, ok := errors.AsType[*document.DuplicateFieldError](err); ok {
		return at(problem.DuplicateField, e.Position, e.Field, e)
	}
	if e, ok := errors.AsType[*document.InvalidError](err); ok {
		p := problem.New(problem.Invalid, "The member errors names everything that is wrong.")
		for _, f := range e.Fields {
			p.Errors = append(p.Errors, problem.FieldError(f))
		}
		return p
	}
	return err
}

func at(k problem.Kind, place document.Position, field string, err error) *problem.Problem {
	p := problem.New(k, "%s", err)
	p.Position, p.Field = &problem.Position{Offset: place.Offset, Line: place.Line, Column: place.Column}, field
	return p
}
