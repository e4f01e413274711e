package minicosmos

import (
	"net/http"
)

// databaseFeed answers /dbs: list, query, create.
func (s *Server) databaseFeed(r *request) (*answer, *Error) {
	switch {
	case r.Method == http.MethodGet:
		return feed("", "Databases", s.catalog.listDatabases()), nil
	case r.Method != http.MethodPost:
		return nil, notAllowed("The feed of databases knows GET and POST.")
	case r.isQuery():
		return queryDefinitions(r, "", "Databases", s.catalog.listDatabases())
	}
	sent, bad := r.json()
	if bad != nil {
		return nil, bad
	}
	throughput, bad := r.offerContent()
	if bad != nil {
		return nil, bad
	}
	db, bad := s.createDatabase(sent, throughput)
	if bad != nil {
		return nil, bad
	}
	return definition(http.StatusCreated, db.properties), nil
}

// databaseResource answers /dbs/{database}: read, delete.
func (s *Server) databaseResource(r *request) (*answer, *Error) {
	switch r.Method {
	case http.MethodGet:
		db, bad := s.catalog.database(r.names[0])
		if bad != nil {
			return nil, bad
		}
		return definition(http.StatusOK, db.properties), nil
	case http.MethodDelete:
		if bad := s.dropDatabase(r.names[0], r.Header.Get("If-Match")); bad != nil {
			return nil, bad
		}
		return &answer{status: http.StatusNoContent, charge: chargeDefinition, count: -1}, nil
	}
	return nil, notAllowed("A database knows GET and DELETE.")
}

// containerFeed answers /dbs/{database}/colls: list, query, create.
func (s *Server) containerFeed(r *request) (*answer, *Error) {
	db, bad := s.catalog.database(r.names[0])
	switch {
	case bad != nil:
		return nil, bad
	case r.Method == http.MethodGet:
		return feed(db.rid, "DocumentCollections", s.catalog.listContainers(db)), nil
	case r.Method != http.MethodPost:
		return nil, notAllowed("The feed of containers knows GET and POST.")
	case r.isQuery():
		return queryDefinitions(r, db.rid, "DocumentCollections", s.catalog.listContainers(db))
	}
	sent, bad := r.json()
	if bad != nil {
		return nil, bad
	}
	throughput, bad := r.offerContent()
	if bad != nil {
		return nil, bad
	}
	c, bad := s.createContainer(db.name, sent, throughput)
	if bad != nil {
		return nil, bad
	}
	return definition(http.StatusCreated, *c.properties.Load()), nil
}

// containerResource answers /dbs/{database}/colls/{container}: read, replace, delete.
func (s *Server) containerResource(r *request, c *container) (*answer, *Error) {
	ifMatch := r.Header.Get("If-Match")
	switch r.Method {
	case http.MethodGet:
		return definition(http.StatusOK, *c.properties.Load()), nil
	case http.MethodPut:
		sent, bad := r.json()
		if bad != nil {
			return nil, bad
		}
		if bad := s.replaceContainer(c, sent, ifMatch); bad != nil {
			return nil, bad
		}
		return definition(http.StatusOK, *c.properties.Load()), nil
	case http.MethodDelete:
		if bad := s.dropContainer(c, ifMatch); bad != nil {
			return nil, bad
		}
		return &answer{status: http.StatusNoContent, charge: chargeDefinition, count: -1}, nil
	}
	return nil, notAllowed("A container knows GET, PUT and DELETE.")
}
