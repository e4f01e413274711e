package minicosmos

import (
	"net/http"
	"slices"

	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// throughput reads the headers of a creation; undefined if there are none.
func (r *call) throughput() (sql.Value, *Error) {
	return readThroughput(r.Header.Get("X-Ms-Offer-Throughput"), r.Header.Get("X-Ms-Cosmos-Offer-Autopilot-Settings"))
}

// offers answers /offers and /offers/{id}: list, query, read, replace.
func (s *service) offers(r *call) (*answer, *Error) {
	all := s.account.offers()
	if r.offer == "" {
		list := make([]sql.Value, len(all))
		for i, o := range all {
			list[i] = o.properties
		}
		switch {
		case r.Method == http.MethodGet:
			return feed("", "Offers", list), nil
		case r.Method == http.MethodPost && r.isQuery():
			return queryDefinitions(r, "", "Offers", list)
		}
		return nil, notAllowed("The feed of offers knows GET, and POST with a query.")
	}
	i := slices.IndexFunc(all, func(o *offer) bool { return o.id == r.offer })
	switch {
	case i < 0:
		return nil, errNotFound
	case r.Method == http.MethodGet:
		return offerAnswer(all[i]), nil
	case r.Method != http.MethodPut:
		return nil, notAllowed("An offer knows GET and PUT.")
	}
	sent, bad := r.json()
	if bad != nil {
		return nil, bad
	}
	o, bad := s.account.replaceOffer(r.offer, sent, r.Header.Get("If-Match"))
	if bad != nil {
		return nil, bad
	}
	return offerAnswer(o), nil
}

func offerAnswer(o *offer) *answer {
	a := definition(http.StatusOK, o.properties)
	a.minThroughput = minThroughput
	return a
}
