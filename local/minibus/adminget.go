package minibus

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// get reads one thing, or a page of many. A queue or topic that is missing is an empty feed with status 200, whatever
// the claims, and everything else that is missing a 404: so does the service, and its clients know both.
func (a *admin) get(r *adminRequest) (any, *adminError) {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	e, v := a.b.at(r.to), newView(a.b, r.Request)
	if r.to.kind == atRoot || r.to.kind == atEntity && e == nil {
		return v.nothing(), nil
	}
	if refusal := r.need(entityRead); refusal != nil {
		return nil, refusal
	}
	if e == nil && r.to.kind.below() {
		return nil, missing(r.to.path())
	}
	switch r.to.kind {
	case atNamespace:
		return v.namespace(), nil
	case atQueues:
		return page(r, v, "Queues", a.b.ofKind(topology.QueueKind), v.entity)
	case atTopics:
		return page(r, v, "Topics", a.b.ofKind(topology.TopicKind), v.entity)
	case atSubscriptions:
		return page(r, v, "Subscriptions", byPath(slices.Clone(e.subscriptions)), v.entity)
	case atRules:
		return page(r, v, "Rules", e.Rules, func(known rules.Compiled) atomEntry { return v.rule(e, known) })
	case atRule:
		for _, known := range e.Rules {
			if strings.EqualFold(known.Name, r.to.rule) {
				return v.rule(e, known), nil
			}
		}
		return nil, missing(r.to.path() + "/Rules/" + r.to.rule)
	}
	return v.entity(e), nil
}

// kindsAt are the entities that a path may mean.
var kindsAt = map[targetKind][]topology.Kind{
	atEntity: {topology.QueueKind, topology.TopicKind}, atSubscriptions: {topology.TopicKind},
	atSubscription: {topology.SubscriptionKind}, atRules: {topology.SubscriptionKind}, atRule: {topology.SubscriptionKind},
}

// at is the entity that a target is, or is in; nil when it is missing or something else. The caller holds mu.
func (b *broker) at(t target) *entity {
	e := b.entities[strings.ToLower(t.path())]
	if e == nil || !slices.Contains(kindsAt[t.kind], e.Kind) {
		return nil
	}
	return e
}

func (b *broker) ofKind(k topology.Kind) []*entity {
	var all []*entity
	for _, e := range b.entities {
		if e.Kind == k {
			all = append(all, e)
		}
	}
	return byPath(all)
}

// byPath sorts entities, so that pages that are read one after the other fit together.
func byPath(all []*entity) []*entity {
	slices.SortFunc(all, func(a, b *entity) int { return cmp.Compare(a.key, b.key) })
	return all
}

func missing(path string) *adminError {
	return refuse(http.StatusNotFound, "%s", notFound(path).Description)
}

// defaultPage is how much a client gets that does not say $top. More than it asks for is never withheld: some clients
// take a page that is short for the last.
const defaultPage = 100

// page is the part of a list that $skip and $top choose.
func page[T any](r *adminRequest, v view, title string, all []T, show func(T) atomEntry) (any, *adminError) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "The query cannot be read: %v.", err)
	}
	skip, refusal := natural(query, "$skip", 0, 0)
	if refusal != nil {
		return nil, refusal
	}
	top, refusal := natural(query, "$top", 1, defaultPage)
	if refusal != nil {
		return nil, refusal
	}
	all = all[min(skip, len(all)):]
	feed := v.feed(title)
	for _, one := range all[:min(top, len(all))] {
		feed.Entries = append(feed.Entries, show(one))
	}
	return feed, nil
}

// natural reads a number of the query.
func natural(query url.Values, name string, least, otherwise int) (int, *adminError) {
	if !query.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(query.Get(name))
	if err != nil || n < least {
		return 0, refuse(http.StatusBadRequest, "%s is '%s': it must be a whole number, %d or more.", name, query.Get(name), least)
	}
	return n, nil
}
