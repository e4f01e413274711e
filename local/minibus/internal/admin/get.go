package admin

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/relaybox/relaybox/local/minibus/internal/atom"
	"github.com/relaybox/relaybox/local/minibus/internal/broker"
	"github.com/relaybox/relaybox/local/minibus/internal/rules"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// get reads one thing, or a page of many. A queue or topic that is missing is an empty feed with status 200, whatever
// the claims, and everything else that is missing a 404: so does the service, and its clients know both.
func (a *Handler) get(r *adminRequest) (any, *atom.Refusal) {
	a.b.Lock()
	defer a.b.Unlock()
	e, v := a.b.At(r.to), atom.NewView(r.Request, a.b.Now())
	if r.to.Kind == atom.AtRoot || r.to.Kind == atom.AtEntity && e == nil {
		return v.Nothing(), nil
	}
	if refusal := r.need(entityRead); refusal != nil {
		return nil, refusal
	}
	if e == nil && r.to.Kind.Below() {
		return nil, missing(r.to.Path())
	}
	entry := func(e *broker.Entity) atom.Entry { return v.Entity(e.Tell()) }
	switch r.to.Kind {
	case atom.AtNamespace:
		return v.Namespace(a.b.TellTimes(), a.b.Tier()), nil
	case atom.AtQueues:
		return page(r, v, "Queues", a.b.OfKind(topology.QueueKind), entry)
	case atom.AtTopics:
		return page(r, v, "Topics", a.b.OfKind(topology.TopicKind), entry)
	case atom.AtSubscriptions:
		return page(r, v, "Subscriptions", e.Children(), entry)
	case atom.AtRules:
		return page(r, v, "Rules", e.Rules, func(known rules.Compiled) atom.Entry { return v.Rule(e.Path, e.Told(), known) })
	case atom.AtRule:
		for _, known := range e.Rules {
			if strings.EqualFold(known.Name, r.to.Rule) {
				return v.Rule(e.Path, e.Told(), known), nil
			}
		}
		return nil, missing(r.to.Path() + "/Rules/" + r.to.Rule)
	}
	return entry(e), nil
}

func missing(path string) *atom.Refusal {
	return atom.Refuse(http.StatusNotFound, "%s", broker.NotFound(path).Description)
}

// defaultPage is how much a client gets that does not say $top. More than it asks for is never withheld: some clients
// take a page that is short for the last.
const defaultPage = 100

// page is the part of a list that $skip and $top choose.
func page[T any](r *adminRequest, v atom.View, title string, all []T, show func(T) atom.Entry) (any, *atom.Refusal) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, atom.Refuse(http.StatusBadRequest, "The query cannot be read: %v.", err)
	}
	skip, refusal := natural(query, "$skip", 0, 0)
	if refusal != nil {
		return nil, refusal
	}
	top, refusal := natural(query, "$top", 1, defaultPage)
	if refusal != nil {
		return nil, refusal
	}
	rest := all[min(skip, len(all)):]
	feed := v.Feed(title)
	for _, one := range rest[:min(top, len(rest))] {
		feed.Entries = append(feed.Entries, show(one))
	}
	if len(rest) > top {
		v.Continue(feed, skip+top, top)
	}
	return feed, nil
}

// natural reads a number of the query.
func natural(query url.Values, name string, least, otherwise int) (int, *atom.Refusal) {
	if !query.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(query.Get(name))
	if err != nil || n < least {
		return 0, atom.Refuse(http.StatusBadRequest, "%s is '%s': it must be a whole number, %d or more.", name, query.Get(name), least)
	}
	return n, nil
}
