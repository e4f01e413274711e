package minibus

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// put creates an entity or a rule, or changes an entity if the client says that it exists (If-Match).
func (a *admin) put(r *adminRequest) (any, *adminError) {
	if refusal := r.need(entityWrite); refusal != nil {
		return nil, refusal
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			return nil, refuse(http.StatusRequestEntityTooLarge, "The body has more than %d bytes.", adminMaxBody)
		}
		return nil, refuse(http.StatusBadRequest, "The body cannot be read: %v.", err)
	}
	switch r.to.kind {
	case atRule:
		return a.durably(func() (any, *adminError) { return a.putRule(r, text) })
	case atEntity, atSubscription:
		return a.durably(func() (any, *adminError) { return a.putEntity(r, text) })
	}
	return nil, refuse(http.StatusMethodNotAllowed, "%s cannot be written: name an entity.", r.URL.Path)
}

// delete removes an entity or a rule.
func (a *admin) delete(r *adminRequest) (any, *adminError) {
	if refusal := r.need(entityDelete); refusal != nil {
		return nil, refusal
	}
	if r.to.kind != atEntity && r.to.kind != atSubscription && r.to.kind != atRule {
		return nil, refuse(http.StatusMethodNotAllowed, "%s cannot be deleted: name an entity.", r.URL.Path)
	}
	return a.durably(func() (any, *adminError) {
		e := a.b.at(r.to)
		if e == nil {
			return nil, missing(r.to.path())
		}
		if r.to.kind != atRule {
			a.b.drop(e)
			return done{}, nil
		}
		if !e.removeRule(r.to.rule) {
			return nil, missing(r.to.path() + "/Rules/" + r.to.rule)
		}
		return done{}, nil
	})
}

// durably does something under the lock, and waits until it is on disk.
func (a *admin) durably(do func() (any, *adminError)) (any, *adminError) {
	a.b.mu.Lock()
	document, refusal := do()
	a.b.mu.Unlock()
	if err := a.b.Durable(a.b.Position()); err != nil {
		a.b.log.Error("broker cannot make a change durable", "error", err)
		return nil, refuse(http.StatusInternalServerError, "The change cannot be stored.")
	}
	return document, refusal
}

func (a *admin) putEntity(r *adminRequest, text []byte) (any, *adminError) {
	e := a.b.at(r.to)
	kind, description, refusal := described(r, text)
	if refusal != nil {
		return nil, refusal
	}
	updates := r.Header.Get("If-Match") != ""
	switch {
	case updates && (e == nil || e.Kind != kind):
		return nil, missing(r.to.path())
	case !updates && e != nil:
		return nil, refuse(http.StatusConflict, "SubCode=40900. Conflict. The entity '%s' already exists; send If-Match: * to change it.", e.Path)
	}
	p := a.b.propose(r.to, kind, e)
	if kind == topology.SubscriptionKind && p.Topic == "" && e == nil {
		return nil, missing(r.to.topic)
	}
	if err := p.read(description); err != nil {
		return nil, badRequest(err)
	}
	v := newView(a.b, r.Request)
	if e == nil {
		return a.create(p, v)
	}
	if err := a.b.checkForwards(p.Description, nil); err != nil {
		return nil, badRequest(err)
	}
	e.update(p)
	return v.entity(e), nil
}

func (a *admin) create(p *proposal, v view) (any, *adminError) {
	if err := p.checkName(); err != nil {
		return nil, badRequest(err)
	}
	if err := a.b.checkForwards(p.Description, nil); err != nil {
		return nil, badRequest(err)
	}
	e, err := a.b.create(p)
	if err != nil {
		return nil, badRequest(err)
	}
	return created{v.entity(e)}, nil
}

// described finds out what a body describes.
func described(r *adminRequest, text []byte) (topology.Kind, element, *adminError) {
	kinds := []topology.Kind{topology.QueueKind, topology.TopicKind}
	if r.to.kind == atSubscription {
		kinds = []topology.Kind{topology.SubscriptionKind}
	}
	var fault error
	for _, k := range kinds {
		d, err := readEntry(text, descriptionOf[k].element)
		if err == nil {
			return k, d, nil
		}
		fault = err
	}
	return 0, element{}, badRequest(fault)
}

func (a *admin) putRule(r *adminRequest, text []byte) (any, *adminError) {
	e := a.b.at(r.to)
	if e == nil {
		return nil, missing(r.to.path())
	}
	d, err := readEntry(text, "RuleDescription")
	if err != nil {
		return nil, badRequest(err)
	}
	given, err := readRule(d)
	if err != nil {
		return nil, badRequest(err)
	}
	given.Name = r.to.rule
	v := newView(a.b, r.Request)
	if r.Header.Get("If-Match") != "" {
		if !e.replaceRule(given) {
			return nil, missing(r.to.path() + "/Rules/" + r.to.rule)
		}
		return v.rule(e, given), nil
	}
	if err := e.addRule(given); err != nil {
		if errors.Is(err, errRuleExists) {
			return nil, refuse(http.StatusConflict, "SubCode=40900. Conflict. %v", err)
		}
		return nil, badRequest(err)
	}
	return created{v.rule(e, given)}, nil
}

func badRequest(err error) *adminError {
	text := strings.TrimSuffix(strings.TrimPrefix(err.Error(), topology.ErrConfig.Error()+": "), ".")
	return refuse(http.StatusBadRequest, "SubCode=40000. BadRequest. %s.", text)
}

// created and done are replies whose status is their own.
type (
	created struct{ entry atomEntry }
	done    struct{}
)
