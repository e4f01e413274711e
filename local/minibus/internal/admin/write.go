package admin

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/relaybox/relaybox/local/minibus/internal/atom"
	"github.com/relaybox/relaybox/local/minibus/internal/broker"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// put creates an entity or a rule, or changes an entity if the client says that it exists (If-Match).
func (a *Handler) put(r *adminRequest) (any, *atom.Refusal) {
	if refusal := r.need(entityWrite); refusal != nil {
		return nil, refusal
	}
	if err := a.b.Room(); err != nil {
		return nil, atom.Refuse(http.StatusInsufficientStorage, "Nothing was stored: %v.", err)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			return nil, atom.Refuse(http.StatusRequestEntityTooLarge, "The body has more than %d bytes.", adminMaxBody)
		}
		return nil, atom.Refuse(http.StatusBadRequest, "The body cannot be read: %v.", err)
	}
	switch r.to.Kind {
	case atom.AtRule:
		return a.durably(func() (any, *atom.Refusal) { return a.putRule(r, text) })
	case atom.AtEntity, atom.AtSubscription:
		return a.durably(func() (any, *atom.Refusal) { return a.putEntity(r, text) })
	}
	return nil, atom.Refuse(http.StatusMethodNotAllowed, "%s cannot be written: name an entity.", r.URL.Path)
}

// delete removes an entity or a rule.
func (a *Handler) delete(r *adminRequest) (any, *atom.Refusal) {
	if refusal := r.need(entityDelete); refusal != nil {
		return nil, refusal
	}
	if r.to.Kind != atom.AtEntity && r.to.Kind != atom.AtSubscription && r.to.Kind != atom.AtRule {
		return nil, atom.Refuse(http.StatusMethodNotAllowed, "%s cannot be deleted: name an entity.", r.URL.Path)
	}
	return a.durably(func() (any, *atom.Refusal) {
		e := a.b.At(r.to)
		if e == nil {
			return nil, missing(r.to.Path())
		}
		if r.to.Kind != atom.AtRule {
			a.b.Drop(e)
			return atom.Done{}, nil
		}
		if !e.RemoveRule(r.to.Rule) {
			return nil, missing(r.to.Path() + "/Rules/" + r.to.Rule)
		}
		return atom.Done{}, nil
	})
}

// durably does something under the lock, and waits until it is on disk.
func (a *Handler) durably(do func() (any, *atom.Refusal)) (any, *atom.Refusal) {
	a.b.Lock()
	document, refusal := do()
	a.b.Unlock()
	if err := a.b.Durable(a.b.Position()); err != nil {
		a.log.Error("broker cannot make a change durable", "error", err)
		return nil, atom.Refuse(http.StatusInternalServerError, "The change cannot be stored.")
	}
	return document, refusal
}

func (a *Handler) putEntity(r *adminRequest, text []byte) (any, *atom.Refusal) {
	e := a.b.At(r.to)
	kind, description, refusal := described(r, text)
	if refusal != nil {
		return nil, refusal
	}
	updates := r.Header.Get("If-Match") != ""
	switch {
	case updates && (e == nil || e.Kind != kind):
		return nil, missing(r.to.Path())
	case !updates && e != nil:
		return nil, atom.Refuse(http.StatusConflict, "SubCode=40900. Conflict. The entity '%s' already exists; send If-Match: * to change it.", e.Path)
	}
	p := a.b.Propose(r.to, kind, e)
	if kind == topology.SubscriptionKind && p.Topic == "" && e == nil {
		return nil, missing(r.to.Topic)
	}
	if err := p.Read(description); err != nil {
		return nil, badRequest(err)
	}
	v := atom.NewView(r.Request, a.b.Now())
	if e == nil {
		return a.create(p, v)
	}
	if err := a.b.CheckForwards(p.Description, e); err != nil {
		return nil, badRequest(err)
	}
	e.Update(p)
	return v.Entity(e.Tell()), nil
}

func (a *Handler) create(p *atom.Proposal, v atom.View) (any, *atom.Refusal) {
	if err := p.CheckName(); err != nil {
		return nil, badRequest(err)
	}
	if err := a.b.CheckForwards(p.Description, nil); err != nil {
		return nil, badRequest(err)
	}
	e, err := a.b.Create(p)
	if err != nil {
		return nil, badRequest(err)
	}
	return atom.Created{Entry: v.Entity(e.Tell())}, nil
}

// described finds out what a body describes.
func described(r *adminRequest, text []byte) (topology.Kind, atom.Element, *atom.Refusal) {
	kinds := []topology.Kind{topology.QueueKind, topology.TopicKind}
	if r.to.Kind == atom.AtSubscription {
		kinds = []topology.Kind{topology.SubscriptionKind}
	}
	kind, d, err := atom.ReadDescription(text, kinds...)
	if err != nil {
		return 0, atom.Element{}, badRequest(err)
	}
	return kind, d, nil
}

func (a *Handler) putRule(r *adminRequest, text []byte) (any, *atom.Refusal) {
	e := a.b.At(r.to)
	if e == nil {
		return nil, missing(r.to.Path())
	}
	given, err := atom.ReadRuleEntry(text)
	if err != nil {
		return nil, badRequest(err)
	}
	given.Name = r.to.Rule
	v := atom.NewView(r.Request, a.b.Now())
	if r.Header.Get("If-Match") != "" {
		switch err := e.ReplaceRule(given); {
		case errors.Is(err, broker.ErrNoRule):
			return nil, missing(r.to.Path() + "/Rules/" + r.to.Rule)
		case err != nil:
			return nil, badRequest(err)
		}
		return v.Rule(e.Path, e.Told(), given), nil
	}
	if err := e.AddRule(given); err != nil {
		if errors.Is(err, broker.ErrRuleExists) {
			return nil, atom.Refuse(http.StatusConflict, "SubCode=40900. Conflict. %v", err)
		}
		return nil, badRequest(err)
	}
	return atom.Created{Entry: v.Rule(e.Path, e.Told(), given)}, nil
}

func badRequest(err error) *atom.Refusal {
	text := strings.TrimSuffix(strings.TrimPrefix(err.Error(), topology.ErrConfig.Error()+": "), ".")
	return atom.Refuse(http.StatusBadRequest, "SubCode=40000. BadRequest. %s.", text)
}
