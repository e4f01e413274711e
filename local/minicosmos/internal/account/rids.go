package account

import (
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
)

// Named returns the names on a path whose parts are resource ids. With either, a part that is a name stays, and so does what
// comes behind the name of a container: it is one. What is not there stays as it is: it is not there by that name either.
func (a *Account) Named(path []string, either bool) ([]string, error) {
	names := append([]string(nil), path...)
	a.mu.RLock()
	db := a.databases[path[0]]
	if db == nil || !either {
		db = a.databaseOf(path[0])
	}
	var c *Container
	byName := false
	if db != nil {
		names[0] = db.Name
		if len(path) > 1 {
			c = db.containers[path[1]]
			if byName = c != nil && either; !byName {
				c = db.containerOf(path[1])
			}
		}
	}
	a.mu.RUnlock()
	if c == nil {
		return names, nil
	}
	names[1] = c.name
	if len(path) < 3 || byName {
		return names, nil
	}
	number, ok := c.DocumentNumber(path[2])
	if !ok {
		return names, nil
	}
	v := a.Acquire()
	r, err := document.Load(v, c.Number, number)
	if r != nil {
		names[2] = r.ID
	}
	if released := v.Release(); err == nil {
		err = released
	}
	return names, err
}

// databaseOf returns the database with that resource id; the caller holds mu.
func (k *catalog) databaseOf(rid string) *Database {
	for _, db := range k.databases {
		if db.RID == rid {
			return db
		}
	}
	return nil
}

// containerOf returns the container with that resource id; the caller holds catalog.mu.
func (db *Database) containerOf(rid string) *Container {
	for _, c := range db.containers {
		if c.RID == rid {
			return c
		}
	}
	return nil
}
