package account

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/layout"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// Database is a named set of containers.
type Database struct {
	number     uint32
	Name       string                // its id
	RID, self  string                // "_rid", and "_self": dbs/<rid>/
	Path       string                // dbs/<name>
	Properties sql.Value             // as a client sees them
	containers map[string]*Container // owned by catalog.mu
	offer      atomic.Pointer[Offer] // what its containers share; nil: nothing
}

// catalog knows the databases and containers by name. What it changes is committed
// while mu is held: definitions change rarely.
type catalog struct {
	mu         sync.RWMutex
	databases  map[string]*Database
	lastNumber uint32
}

func newDatabase(number uint32, properties sql.Value) *Database {
	name, _ := properties.Get("id").Str()
	rid := document.DatabaseRID(number)
	return &Database{number: number, Name: name, RID: rid, self: "dbs/" + rid + "/", Path: "dbs/" + name,
		Properties: properties, containers: map[string]*Container{}}
}

// load reads the catalog when the store is opened.
func (k *catalog) load(v *store.View) error {
	k.databases = map[string]*Database{}
	_, err := v.Get(document.Key(0, kindNumbers), func(b []byte) error {
		k.lastNumber = binary.BigEndian.Uint32(b)
		return nil
	})
	byNumber := map[uint32]*Database{}
	err = errors.Join(err, v.Scan(document.Key(0, kindDatabase), nil, func(key, value []byte) (bool, error) {
		properties, err := sql.ParseJSON(value)
		db := newDatabase(binary.BigEndian.Uint32(key[5:]), properties)
		k.databases[db.Name], byNumber[db.number] = db, db
		return true, err
	}))
	err = errors.Join(err, v.Scan(document.Key(0, kindContainer), nil, func(key, value []byte) (bool, error) {
		return true, k.loadContainer(v, byNumber, binary.BigEndian.Uint32(key[5:]), value)
	}))
	places := map[uint32]*atomic.Pointer[Offer]{}
	for _, db := range k.databases {
		places[db.number] = &db.offer
		for _, c := range db.containers {
			places[c.Number] = &c.offer
		}
	}
	return errors.Join(err, k.loadOffers(v, places))
}

// loadContainer reads one container: its database's number, its physical ranges, its properties.
func (k *catalog) loadContainer(v *store.View, byNumber map[uint32]*Database, number uint32, value []byte) error {
	if len(value) < 4 || byNumber[binary.BigEndian.Uint32(value)] == nil {
		return document.ErrCorrupt
	}
	db := byNumber[binary.BigEndian.Uint32(value)]
	if len(value) < 8 || uint64(len(value)-8) < uint64(binary.BigEndian.Uint32(value[4:])) {
		return document.ErrCorrupt
	}
	size := binary.BigEndian.Uint32(value[4:])
	ranges, text := value[8:8+size], value[8+size:]
	l, err := layout.Decode(ranges)
	if err != nil {
		return err
	}
	properties, err := sql.ParseJSON(text)
	if err != nil {
		return err
	}
	c, err := newContainer(db, number, properties)
	if err != nil {
		return err
	}
	c.layout.Store(l)
	db.containers[c.name] = c
	return c.loadCounters(v)
}

func (c *Container) encode(properties sql.Value, l *layout.Layout) []byte {
	ranges := l.Encode()
	b := binary.BigEndian.AppendUint32(nil, c.Database.number)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(ranges))), ranges...)
	return properties.AppendJSON(b)
}

// Database returns a database by name.
func (k *catalog) Database(name string) (*Database, *refusal.Error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if db := k.databases[name]; db != nil {
		return db, nil
	}
	return nil, refusal.NotFound
}

// Container returns a container by its names.
func (k *catalog) Container(database, name string) (*Container, *refusal.Error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if db := k.databases[database]; db != nil && db.containers[name] != nil {
		return db.containers[name], nil
	}
	return nil, refusal.NotFound
}

// ListDatabases returns the properties of all databases in order of creation.
func (k *catalog) ListDatabases() []sql.Value {
	k.mu.RLock()
	defer k.mu.RUnlock()
	all := slices.SortedFunc(maps.Values(k.databases), func(x, y *Database) int { return int(int64(x.number) - int64(y.number)) })
	list := make([]sql.Value, len(all))
	for i, db := range all {
		list[i] = db.Properties
	}
	return list
}

// ListContainers returns the properties of a database's containers in order of creation.
func (k *catalog) ListContainers(db *Database) []sql.Value {
	k.mu.RLock()
	defer k.mu.RUnlock()
	all := slices.SortedFunc(maps.Values(db.containers), func(x, y *Container) int { return int(int64(x.Number) - int64(y.Number)) })
	list := make([]sql.Value, len(all))
	for i, c := range all {
		list[i] = *c.properties.Load()
	}
	return list
}

func (k *catalog) allContainers() []*Container {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var all []*Container
	for _, db := range k.databases {
		all = slices.AppendSeq(all, maps.Values(db.containers))
	}
	return all
}

// validName tells whether an id may name a database or container.
func validName(id sql.Value) (string, *refusal.Error) {
	name, ok := id.Str()
	switch {
	case !ok || name == "":
		return "", refusal.BadRequest("The required property 'id' is missing or not a string.")
	case len(name) > 255 || strings.ContainsAny(name, "/\\?#") || strings.HasSuffix(name, " ") || hasControl(name):
		return "", refusal.BadRequest("The id %q is invalid: at most 255 bytes, none of / \\ ? #, no control character, no space at the end.", name)
	}
	return name, nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// stamp returns properties with the system properties of a new version.
func (a *Account) stamp(properties sql.Value, rid, self string) sql.Value {
	return properties.With("_rid", sql.StringOf(rid)).With("_self", sql.StringOf(self)).
		With("_etag", sql.StringOf((&document.Record{Epoch: a.epoch, Version: a.version.Add(1)}).ETag())).
		With("_ts", sql.NumberOf(float64(time.Now().Unix())))
}

// CreateDatabase stores a new database.
func (a *Account) CreateDatabase(sent, throughput sql.Value) (*Database, *refusal.Error) {
	name, bad := validName(sent.Get("id"))
	if bad != nil {
		return nil, bad
	}
	k := &a.catalog
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.databases[name] != nil {
		return nil, refusal.Conflict
	}
	number := k.lastNumber + 1
	properties := sql.ObjectOf([]string{"id", "_colls", "_users"},
		[]sql.Value{sql.StringOf(name), sql.StringOf("colls/"), sql.StringOf("users/")})
	db := newDatabase(number, a.stamp(properties, document.DatabaseRID(number), "dbs/"+document.DatabaseRID(number)+"/"))
	o := a.newOffer(number, db.RID, db.self, throughput)
	db.offer.Store(o)
	err := a.store.Commit(func(b *pebble.Batch) error {
		return errors.Join(o.put(b), b.Set(document.Key(0, kindNumbers), binary.BigEndian.AppendUint32(nil, number), nil),
			b.Set(numberedKey(0, kindDatabase, number), db.Properties.AppendJSON(nil), nil))
	}, nil)
	if err != nil {
		return nil, refusal.Of(err)
	}
	k.lastNumber = number
	k.databases[name] = db
	return db, nil
}

// DropDatabase removes a database with its containers.
func (a *Account) DropDatabase(name, ifMatch string) *refusal.Error {
	k := &a.catalog
	k.mu.Lock()
	defer k.mu.Unlock()
	db := k.databases[name]
	if db == nil {
		return refusal.NotFound
	}
	if !matches(ifMatch, db.Properties) {
		return refusal.Precondition
	}
	var containers []*Container
	for _, c := range db.containers {
		c.gate.Lock()
		defer c.gate.Unlock()
		containers = append(containers, c)
	}
	err := a.store.Commit(func(b *pebble.Batch) error {
		err := errors.Join(b.Delete(numberedKey(0, kindDatabase, db.number), nil), b.Delete(numberedKey(0, kindOffer, db.number), nil))
		for _, c := range containers {
			err = errors.Join(err, dropContainer(b, c))
		}
		return err
	}, nil)
	if err != nil {
		return refusal.Of(err)
	}
	for _, c := range containers {
		c.dropped = true
	}
	delete(k.databases, name)
	return nil
}

func dropContainer(b *pebble.Batch, c *Container) error {
	return errors.Join(b.Delete(numberedKey(0, kindContainer, c.Number), nil), b.Delete(numberedKey(0, kindOffer, c.Number), nil),
		b.DeleteRange(numberedKey(c.Number, 0, 0)[:4], store.Successor(numberedKey(c.Number, 0, 0)[:4]), nil))
}

// matches tells whether If-Match ("" or "*" for any) names the properties' version.
func matches(ifMatch string, properties sql.Value) bool {
	etag, _ := properties.Get("_etag").Str()
	return ifMatch == "" || ifMatch == "*" || ifMatch == etag
}

// There says why a database or a container is not there; either name may be "" for any.
func (k *catalog) There(database, container string) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if database != "" && k.databases[database] == nil {
		return fmt.Errorf("database is %q: there is none of that name; there are [%s]", database, strings.Join(slices.Sorted(maps.Keys(k.databases)), ", "))
	}
	if container == "" {
		return nil
	}
	var names []string
	for name, db := range k.databases {
		if database != "" && name != database {
			continue
		}
		if db.containers[container] != nil {
			return nil
		}
		names = slices.AppendSeq(names, maps.Keys(db.containers))
	}
	slices.Sort(names)
	return fmt.Errorf("container is %q: there is none of that name; there are [%s]", container, strings.Join(slices.Compact(names), ", "))
}
