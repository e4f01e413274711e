package minicosmos

import (
	"net/http"
)

// databaseFeed answers /dbs: list, query, create.
func (s *service) databaseFeed(r *call) (*answer, *Error) {
	switch {
	case r.Method == http.MethodGet:
		return feed("", "Databases", s.account.listDatabases()), nil
	case r.Method != http.MethodPost:
		return nil, notAllowed("The feed of databases knows GET and POST.")
	case r.isQuery():
		return queryDefinitions(r, "", "Databases", s.account.listDatabases())
	}
	sent, bad := r.json()
	if bad != nil {
		return nil, bad
	}
	throughput, bad := r.throughput()
	if bad != nil {
		return nil, bad
	}
	db, bad := s.account.createDatabase(sent, throughput)
	if bad != nil {
		return nil, bad
	}
	return definition(http.StatusCreated, db.properties), nil
}

// databaseResource answers /dbs/{database}: read, delete.
func (s *service) databaseResource(r *call) (*answer, *Error) {
	switch r.Method {
	case http.MethodGet:
		db, bad := s.account.database(r.names[0])
		if bad != nil {
			return nil, bad
		}
		return definition(http.StatusOK, db.properties), nil
	case http.MethodDelete:
		if bad := s.account.dropDatabase(r.names[0], r.Header.Get("If-Match")); bad != nil {
			return nil, bad
		}
		return &answer{status: http.StatusNoContent, charge: chargeDefinition, count: -1}, nil
	}
	return nil, notAllowed("A database knows GET and DELETE.")
}

// containerFeed answers /dbs/{database}/colls: list, query, create.
func (s *service) containerFeed(r *call) (*answer, *Error) {
	db, bad := s.account.database(r.names[0])
	switch {
	case bad != nil:
		return nil, bad
	case r.Method == http.MethodGet:
		return feed(db.rid, "DocumentCollections", s.account.listContainers(db)), nil
	case r.Method != http.MethodPost:
		return nil, notAllowed("The feed of containers knows GET and POST.")
	case r.isQuery():
		return queryDefinitions(r, db.rid, "DocumentCollections", s.account.listContainers(db))
	}
	sent, bad := r.json()
	if bad != nil {
		return nil, bad
	}
	throughput, bad := r.throughput()
	if bad != nil {
		return nil, bad
	}
	c, bad := s.account.createContainer(db.name, sent, throughput)
	if bad != nil {
		return nil, bad
	}
	return definition(http.StatusCreated, c.Properties()), nil
}

// containerResource answers /dbs/{database}/colls/{container}: read, replace, delete.
func (s *service) containerResource(r *call, c *container) (*answer, *Error) {
	ifMatch := r.Header.Get("If-Match")
	switch r.Method {
	case http.MethodGet:
		return definition(http.StatusOK, c.Properties()), nil
	case http.MethodPut:
		sent, bad := r.json()
		if bad != nil {
			return nil, bad
		}
		if bad := s.account.replaceContainer(c, sent, ifMatch); bad != nil {
			return nil, bad
		}
		return definition(http.StatusOK, c.Properties()), nil
	case http.MethodDelete:
		if bad := s.account.dropContainer(c, ifMatch); bad != nil {
			return nil, bad
		}
		return &answer{status: http.StatusNoContent, charge: chargeDefinition, count: -1}, nil
	}
	return nil, notAllowed("A container knows GET, PUT and DELETE.")
}
