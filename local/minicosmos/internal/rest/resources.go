package rest

import (
	"net/http"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
)

// databaseFeed answers /dbs: list, query, create.
func (s *Service) databaseFeed(r *call) (*wire.Answer, *refusal.Error) {
	switch {
	case r.Method == http.MethodGet:
		return wire.Feed("", "Databases", s.Account.ListDatabases()), nil
	case r.Method != http.MethodPost:
		return nil, refusal.NotAllowed("The feed of databases knows GET and POST.")
	case r.IsQuery():
		return queryDefinitions(r, "", "Databases", s.Account.ListDatabases())
	}
	sent, bad := r.JSON()
	if bad != nil {
		return nil, bad
	}
	throughput, bad := r.throughput()
	if bad != nil {
		return nil, bad
	}
	db, bad := s.Account.CreateDatabase(sent, throughput)
	if bad != nil {
		return nil, bad
	}
	return wire.Definition(http.StatusCreated, db.Properties), nil
}

// databaseResource answers /dbs/{database}: read, delete.
func (s *Service) databaseResource(r *call) (*wire.Answer, *refusal.Error) {
	switch r.Method {
	case http.MethodGet:
		db, bad := s.Account.Database(r.Names[0])
		if bad != nil {
			return nil, bad
		}
		return wire.Definition(http.StatusOK, db.Properties), nil
	case http.MethodDelete:
		if bad := s.Account.DropDatabase(r.Names[0], r.Header.Get("If-Match")); bad != nil {
			return nil, bad
		}
		return &wire.Answer{Status: http.StatusNoContent, Charge: wire.ChargeDefinition, Count: -1}, nil
	}
	return nil, refusal.NotAllowed("A database knows GET and DELETE.")
}

// containerFeed answers /dbs/{database}/colls: list, query, create.
func (s *Service) containerFeed(r *call) (*wire.Answer, *refusal.Error) {
	db, bad := s.Account.Database(r.Names[0])
	switch {
	case bad != nil:
		return nil, bad
	case r.Method == http.MethodGet:
		return wire.Feed(db.RID, "DocumentCollections", s.Account.ListContainers(db)), nil
	case r.Method != http.MethodPost:
		return nil, refusal.NotAllowed("The feed of containers knows GET and POST.")
	case r.IsQuery():
		return queryDefinitions(r, db.RID, "DocumentCollections", s.Account.ListContainers(db))
	}
	sent, bad := r.JSON()
	if bad != nil {
		return nil, bad
	}
	throughput, bad := r.throughput()
	if bad != nil {
		return nil, bad
	}
	c, bad := s.Account.CreateContainer(db.Name, sent, throughput)
	if bad != nil {
		return nil, bad
	}
	return wire.Definition(http.StatusCreated, c.Properties()), nil
}

// containerResource answers /dbs/{database}/colls/{container}: read, replace, delete.
func (s *Service) containerResource(r *call, c *account.Container) (*wire.Answer, *refusal.Error) {
	ifMatch := r.Header.Get("If-Match")
	switch r.Method {
	case http.MethodGet:
		return wire.Definition(http.StatusOK, c.Properties()), nil
	case http.MethodPut:
		sent, bad := r.JSON()
		if bad != nil {
			return nil, bad
		}
		if bad := s.Account.ReplaceContainer(c, sent, ifMatch); bad != nil {
			return nil, bad
		}
		return wire.Definition(http.StatusOK, c.Properties()), nil
	case http.MethodDelete:
		if bad := s.Account.DropContainer(c, ifMatch); bad != nil {
			return nil, bad
		}
		return &wire.Answer{Status: http.StatusNoContent, Charge: wire.ChargeDefinition, Count: -1}, nil
	}
	return nil, refusal.NotAllowed("A container knows GET, PUT and DELETE.")
}
