package rest

import (
	"net/http"
	"slices"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// throughput reads the headers of a creation; undefined if there are none.
func (s *Service) throughput(r *call) (sql.Value, *refusal.Error) {
	throughput, bad := account.ReadThroughput(r.Header.Get("X-Ms-Offer-Throughput"), r.Header.Get("X-Ms-Cosmos-Offer-Autopilot-Settings"))
	if bad == nil && throughput.IsDefined() && s.Account.Serverless {
		return sql.Value{}, refusal.BadRequest("Setting offer throughput or autopilot is not supported for serverless accounts.")
	}
	return throughput, bad
}

// offers answers /offers and /offers/{id}: list, query, read, replace.
func (s *Service) offers(r *call) (*wire.Answer, *refusal.Error) {
	if s.Account.Serverless {
		return nil, refusal.BadRequest("Reading or replacing offers is not supported for serverless accounts.")
	}
	all := s.Account.Offers()
	if r.Offer == "" {
		list := make([]sql.Value, len(all))
		for i, o := range all {
			list[i] = o.Properties
		}
		switch {
		case r.Method == http.MethodGet, r.Method == http.MethodPost && r.IsQuery():
			return queryDefinitions(r, "", "Offers", list)
		}
		return nil, refusal.NotAllowed("The feed of offers knows GET, and POST with a query.")
	}
	i := slices.IndexFunc(all, func(o *account.Offer) bool { return o.ID == r.Offer })
	switch {
	case i < 0:
		return nil, refusal.NotFound
	case r.Method == http.MethodGet:
		return offerAnswer(all[i]), nil
	case r.Method != http.MethodPut:
		return nil, refusal.NotAllowed("An offer knows GET and PUT.")
	}
	sent, bad := r.JSON()
	if bad != nil {
		return nil, bad
	}
	o, bad := s.Account.ReplaceOffer(r.Offer, sent, r.Header.Get("If-Match"))
	if bad != nil {
		return nil, bad
	}
	return offerAnswer(o), nil
}

func offerAnswer(o *account.Offer) *wire.Answer {
	a := wire.Definition(http.StatusOK, o.Properties)
	a.MinThroughput = account.MinThroughput
	return a
}
