package rest

import (
	"fmt"
	"net/http"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
)

// databaseFeed answers /dbs: list, query, create.
func (s *Service) databaseFeed(r *call) (*wire.Answer, *refusal.Error) {
	switch {
	case r.Method == http.MethodGet || r.Method == http.MethodPost && r.IsQuery():
		return queryDefinitions(r, "", "Databases", s.Account.ListDatabases())
	case r.Method != http.MethodPost:
		return nil, refusal.NotAllowed("The feed of databases knows GET and POST.")
	}
	sent, bad := r.JSON()
	if bad != nil {
		return nil, bad
	}
	throughput, bad := s.throughput(r)
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
	case r.Method == http.MethodGet || r.Method == http.MethodPost && r.IsQuery():
		return within(db.RID, db.Path)(queryDefinitions(r, db.RID, "DocumentCollections", s.Account.ListContainers(db)))
	case r.Method != http.MethodPost:
		return nil, refusal.NotAllowed("The feed of containers knows GET and POST.")
	}
	sent, bad := r.JSON()
	if bad != nil {
		return nil, bad
	}
	throughput, bad := s.throughput(r)
	if bad != nil {
		return nil, bad
	}
	c, bad := s.Account.CreateContainer(db.Name, sent, throughput)
	if bad != nil {
		return nil, bad
	}
	return within(db.RID, db.Path)(wire.Definition(http.StatusCreated, c.Properties()), nil)
}

// containerResource answers /dbs/{database}/colls/{container}: read, replace, delete.
func (s *Service) containerResource(r *call, c *account.Container) (*wire.Answer, *refusal.Error) {
	ifMatch := r.Header.Get("If-Match")
	switch r.Method {
	case http.MethodGet:
		return s.readContainer(r, c)
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

// readContainer answers with a container's properties and, where it is asked for, what it holds and may hold.
func (s *Service) readContainer(r *call, c *account.Container) (*wire.Answer, *refusal.Error) {
	a := wire.Definition(http.StatusOK, c.Properties())
	if !r.Flag("X-Ms-Documentdb-Populatequotainfo") {
		return a, nil
	}
	documents, size, err := s.Account.Usage(c)
	if err != nil {
		return nil, refusal.Internal(err)
	}
	a.Quota = "documentSize=10240;documentsSize=10485760;documentsCount=-1;collectionSize=10485760;"
	a.Usage = fmt.Sprintf("documentSize=0;documentsSize=%[1]d;documentsCount=%[2]d;collectionSize=%[1]d;", kilobytes(size), documents)
	return a, nil
}

// kilobytes rounds up.
func kilobytes(size int) int { return (size + 1023) / 1024 }
