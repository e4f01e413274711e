package minicosmos

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// database is a named set of containers.
type database struct {
	number     uint32
	name       string
	rid, self  string
	properties sql.Value             // as a client sees them
	containers map[string]*container // owned by catalog.mu
	offer      atomic.Pointer[offer] // what its containers share; nil: nothing
}

// catalog knows the databases and containers by name. What it changes is committed
// while mu is held: definitions change rarely.
type catalog struct {
	mu         sync.RWMutex
	databases  map[string]*database
	lastNumber uint32
}

func newDatabase(number uint32, properties sql.Value) *database {
	name, _ := properties.Get("id").Str()
	rid := databaseRID(number)
	return &database{number: number, name: name, rid: rid, self: "dbs/" + rid + "/",
		properties: properties, containers: map[string]*container{}}
}

// load reads the catalog when the store is opened.
func (k *catalog) load(v *view) error {
	k.databases = map[string]*database{}
	_, err := v.get(key(0, kindNumbers), func(b []byte) error {
		k.lastNumber = binary.BigEndian.Uint32(b)
		return nil
	})
	byNumber := map[uint32]*database{}
	err = errors.Join(err, v.scan(key(0, kindDatabase), nil, func(key, value []byte) (bool, error) {
		properties, err := sql.ParseJSON(value)
		db := newDatabase(binary.BigEndian.Uint32(key[5:]), properties)
		k.databases[db.name], byNumber[db.number] = db, db
		return true, err
	}))
	err = errors.Join(err, v.scan(key(0, kindContainer), nil, func(key, value []byte) (bool, error) {
		return true, k.loadContainer(v, byNumber, binary.BigEndian.Uint32(key[5:]), value)
	}))
	places := map[uint32]*atomic.Pointer[offer]{}
	for _, db := range k.databases {
		places[db.number] = &db.offer
		for _, c := range db.containers {
			places[c.number] = &c.offer
		}
	}
	return errors.Join(err, k.loadOffers(v, places))
}

// loadContainer reads one container: its database's number, its physical ranges, its properties.
func (k *catalog) loadContainer(v *view, byNumber map[uint32]*database, number uint32, value []byte) error {
	if len(value) < 4 || byNumber[binary.BigEndian.Uint32(value)] == nil {
		return errCorrupt
	}
	db := byNumber[binary.BigEndian.Uint32(value)]
	if len(value) < 8 || uint64(len(value)-8) < uint64(binary.BigEndian.Uint32(value[4:])) {
		return errCorrupt
	}
	size := binary.BigEndian.Uint32(value[4:])
	ranges, text := value[8:8+size], value[8+size:]
	l, err := decodeLayout(ranges)
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

func (c *container) encode(properties sql.Value, l *layout) []byte {
	ranges := l.encode()
	b := binary.BigEndian.AppendUint32(nil, c.database.number)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(ranges))), ranges...)
	return properties.AppendJSON(b)
}

func (k *catalog) database(name string) (*database, *Error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if db := k.databases[name]; db != nil {
		return db, nil
	}
	return nil, errNotFound
}

func (k *catalog) container(database, name string) (*container, *Error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if db := k.databases[database]; db != nil && db.containers[name] != nil {
		return db.containers[name], nil
	}
	return nil, errNotFound
}

// listDatabases returns the properties of all databases in order of creation.
func (k *catalog) listDatabases() []sql.Value {
	k.mu.RLock()
	defer k.mu.RUnlock()
	all := slices.SortedFunc(maps.Values(k.databases), func(x, y *database) int { return int(int64(x.number) - int64(y.number)) })
	list := make([]sql.Value, len(all))
	for i, db := range all {
		list[i] = db.properties
	}
	return list
}

// listContainers returns the properties of a database's containers in order of creation.
func (k *catalog) listContainers(db *database) []sql.Value {
	k.mu.RLock()
	defer k.mu.RUnlock()
	all := slices.SortedFunc(maps.Values(db.containers), func(x, y *container) int { return int(int64(x.number) - int64(y.number)) })
	list := make([]sql.Value, len(all))
	for i, c := range all {
		list[i] = *c.properties.Load()
	}
	return list
}

func (k *catalog) allContainers() []*container {
	k.mu.RLock()
	defer k.mu.RUnlock()
	var all []*container
	for _, db := range k.databases {
		all = slices.AppendSeq(all, maps.Values(db.containers))
	}
	return all
}

// validName tells whether an id may name a database or container.
func validName(id sql.Value) (string, *Error) {
	name, ok := id.Str()
	switch {
	case !ok || name == "":
		return "", badRequest("The required property 'id' is missing or not a string.")
	case len(name) > 255 || strings.ContainsAny(name, "/\\?#") || strings.HasSuffix(name, " ") || hasControl(name):
		return "", badRequest("The id %q is invalid: at most 255 bytes, none of / \\ ? #, no control character, no space at the end.", name)
	}
	return name, nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f })
}

// stamp returns properties with the system properties of a new version.
func (a *account) stamp(properties sql.Value, rid, self string) sql.Value {
	return properties.With("_rid", sql.StringOf(rid)).With("_self", sql.StringOf(self)).
		With("_etag", sql.StringOf((&record{epoch: a.epoch, version: a.version.Add(1)}).etag())).
		With("_ts", sql.NumberOf(float64(time.Now().Unix())))
}

// createDatabase stores a new database.
func (a *account) createDatabase(sent, throughput sql.Value) (*database, *Error) {
	name, bad := validName(sent.Get("id"))
	if bad != nil {
		return nil, bad
	}
	k := &a.catalog
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.databases[name] != nil {
		return nil, errConflict
	}
	number := k.lastNumber + 1
	properties := sql.ObjectOf([]string{"id", "_colls", "_users"},
		[]sql.Value{sql.StringOf(name), sql.StringOf("colls/"), sql.StringOf("users/")})
	db := newDatabase(number, a.stamp(properties, databaseRID(number), "dbs/"+databaseRID(number)+"/"))
	o := a.newOffer(number, db.rid, db.self, throughput)
	db.offer.Store(o)
	err := a.store.commit(func(b *pebble.Batch) error {
		return errors.Join(o.put(b), b.Set(key(0, kindNumbers), binary.BigEndian.AppendUint32(nil, number), nil),
			b.Set(numberedKey(0, kindDatabase, number), db.properties.AppendJSON(nil), nil))
	}, nil)
	if err != nil {
		return nil, asError(err)
	}
	k.lastNumber = number
	k.databases[name] = db
	return db, nil
}

// dropDatabase removes a database with its containers.
func (a *account) dropDatabase(name, ifMatch string) *Error {
	k := &a.catalog
	k.mu.Lock()
	defer k.mu.Unlock()
	db := k.databases[name]
	if db == nil {
		return errNotFound
	}
	if !matches(ifMatch, db.properties) {
		return errPrecondition
	}
	var containers []*container
	for _, c := range db.containers {
		c.gate.Lock()
		defer c.gate.Unlock()
		containers = append(containers, c)
	}
	err := a.store.commit(func(b *pebble.Batch) error {
		err := errors.Join(b.Delete(numberedKey(0, kindDatabase, db.number), nil), b.Delete(numberedKey(0, kindOffer, db.number), nil))
		for _, c := range containers {
			err = errors.Join(err, dropContainer(b, c))
		}
		return err
	}, nil)
	if err != nil {
		return asError(err)
	}
	for _, c := range containers {
		c.dropped = true
	}
	delete(k.databases, name)
	return nil
}

func dropContainer(b *pebble.Batch, c *container) error {
	return errors.Join(b.Delete(numberedKey(0, kindContainer, c.number), nil), b.Delete(numberedKey(0, kindOffer, c.number), nil),
		b.DeleteRange(numberedKey(c.number, 0, 0)[:4], successor(numberedKey(c.number, 0, 0)[:4]), nil))
}

// matches tells whether If-Match ("" or "*" for any) names the properties' version.
func matches(ifMatch string, properties sql.Value) bool {
	etag, _ := properties.Get("_etag").Str()
	return ifMatch == "" || ifMatch == "*" || ifMatch == etag
}
