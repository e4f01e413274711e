package rest

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/relaybox/relaybox/local/minicosmos/internal/query"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// Place is a container, for a person who looks around.
type Place struct {
	Database   string          `json:"database"`
	Container  string          `json:"container"`
	Definition json.RawMessage `json:"definition"`
}

// Places lists all containers.
func (s *Service) Places() []Place {
	places := []Place{}
	if !s.Account.Enter() {
		return places
	}
	defer s.Account.Leave()
	for _, d := range s.Account.ListDatabases() {
		name, _ := d.Get("id").Str()
		db, bad := s.Account.Database(name)
		if bad != nil {
			continue // dropped meanwhile
		}
		for _, c := range s.Account.ListContainers(db) {
			id, _ := c.Get("id").Str()
			places = append(places, Place{name, id, c.AppendJSON(nil)})
		}
	}
	return places
}

// Asked is a page of answers to a person's query.
type Asked struct {
	Rows         []string `json:"rows"`           // texts, indented: a browser would round large numbers
	Next         string   `json:"next,omitempty"` // where the next page starts
	Looked       int      `json:"looked"`         // documents looked at
	RequestUnits float64  `json:"requestUnits"`   // what a client that asked all ranges at once would be charged
}

// askRows is how many answers a person sees at once.
const askRows = 100

// Ask runs a query over all of a container: what a client puts together from its ranges is answered in one.
func (s *Service) Ask(ctx context.Context, database, container, text, from string) (asked *Asked, bad *refusal.Error) {
	if !s.Account.Enter() {
		return nil, refusal.Closed
	}
	defer s.Account.Leave()
	c, bad := s.Account.Container(database, container)
	if bad != nil {
		return nil, bad
	}
	q, err := s.parsed.of(c)(text)
	if err != nil {
		return nil, refusal.BadRequest("%v", err)
	}
	if err := c.Policy().CanOrder(q.OrderPaths()); err != nil {
		return nil, refusal.BadRequest("%v", err)
	}
	cursor, err := query.DecodeCursor(from, q)
	if err != nil {
		return nil, refusal.BadRequest("%v", err)
	}
	at, bad := query.See(s.Account, c, nil, nil)
	if bad != nil {
		return nil, bad
	}
	defer func() {
		if err := at.Release(); err != nil && bad == nil {
			bad = refusal.Internal(err)
		}
	}()
	scope := query.Scope{Key: query.PinnedKey(c, q, nil), Part: query.Part{ID: -1}}
	ranges, bad := at.Asked(c, scope)
	if bad != nil {
		return nil, bad
	}
	access, err := query.Reach(at, c, q, nil, scope, cursor)
	if err != nil {
		return nil, refusal.Internal(err)
	}
	page, err := q.Run(ctx, nil, access.Documents, cursor, sql.Limits{Rows: askRows, Bytes: pageBytes, Looked: pageLooked})
	if err != nil {
		return nil, queryError(err)
	}
	asked = &Asked{Rows: make([]string, len(page.Rows)), Next: query.EncodeCursor(page.Next, q), Looked: page.Looked}
	size := 0
	for i, row := range page.Rows {
		text := row.AppendJSON(nil)
		size += len(text)
		var indented bytes.Buffer
		if err := json.Indent(&indented, text, "", "  "); err != nil {
			return nil, refusal.Internal(err)
		}
		asked.Rows[i] = indented.String()
	}
	asked.RequestUnits = wire.ChargeQuery(len(ranges), page.Looked, size)
	return asked, nil
}
