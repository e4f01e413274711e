package minicosmos

import (
	"encoding/binary"
	"errors"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// defaultIndexing is the index policy of a container that was created without one.
var defaultIndexing = mustParse(`{"indexingMode":"consistent","automatic":true,` +
	`"includedPaths":[{"path":"/*"}],"excludedPaths":[{"path":"/\"_etag\"/?"}]}`)

func mustParse(text string) sql.Value {
	v, err := sql.ParseJSON([]byte(text))
	if err != nil {
		panic(err)
	}
	return v
}

// createContainer stores a new container.
func (a *account) createContainer(dbName string, sent, throughput sql.Value) (*container, *Error) {
	name, bad := validName(sent.Get("id"))
	if bad != nil {
		return nil, bad
	}
	k := &a.catalog
	k.mu.Lock()
	defer k.mu.Unlock()
	db := k.databases[dbName]
	if db == nil {
		return nil, errNotFound
	}
	if db.containers[name] != nil {
		return nil, errConflict
	}
	c, bad := a.defineContainer(db, k.lastNumber+1, sent)
	if bad != nil {
		return nil, bad
	}
	o := a.newOffer(c.number, c.rid, c.self, throughput)
	c.offer.Store(o)
	err := a.store.commit(func(b *pebble.Batch) error {
		return errors.Join(o.put(b), b.Set(key(0, kindNumbers), binary.BigEndian.AppendUint32(nil, c.number), nil),
			b.Set(numberedKey(0, kindContainer, c.number), c.encode(*c.properties.Load(), c.layout.Load()), nil))
	}, nil)
	if err != nil {
		return nil, asError(err)
	}
	k.lastNumber = c.number
	db.containers[name] = c
	return c, nil
}

func (a *account) defineContainer(db *database, number uint32, sent sql.Value) (*container, *Error) {
	if sent.Get("partitionKey").Kind() != sql.Object {
		return nil, badRequest("The required property 'partitionKey' is missing.")
	}
	rid := containerRID(db.number, number)
	properties := a.stamp(withDefaults(sent), rid, db.self+"colls/"+rid+"/")
	c, err := newContainer(db, number, properties)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	c.layout.Store(newLayout(c.pk.Split(a.ranges)))
	return c, nil
}

// withDefaults is what a client sent, with the kind of key and the index policy that it left out.
func withDefaults(sent sql.Value) sql.Value {
	properties := withoutSystem(sent)
	if pk := properties.Get("partitionKey"); !pk.Get("kind").IsDefined() {
		properties = properties.With("partitionKey", pk.With("kind", sql.StringOf(partition.Hash)))
	}
	policy := properties.Get("indexingPolicy")
	if policy.Kind() != sql.Object {
		return properties.With("indexingPolicy", defaultIndexing)
	}
	for i, name := range defaultIndexing.Names() {
		if !policy.Get(name).IsDefined() && !strings.HasSuffix(name, "Paths") {
			policy = policy.With(name, defaultIndexing.Items()[i])
		}
	}
	return properties.With("indexingPolicy", policy)
}

// dropContainer removes a container with its documents.
func (a *account) dropContainer(c *container, ifMatch string) *Error {
	k := &a.catalog
	k.mu.Lock()
	defer k.mu.Unlock()
	c.gate.Lock()
	defer c.gate.Unlock()
	if c.dropped {
		return errNotFound
	}
	if !matches(ifMatch, *c.properties.Load()) {
		return errPrecondition
	}
	if err := a.store.commit(func(b *pebble.Batch) error { return dropContainer(b, c) }, nil); err != nil {
		return asError(err)
	}
	c.dropped = true
	delete(c.database.containers, c.name)
	return nil
}

// replaceContainer changes a container's properties and rebuilds what is stored
// beside its documents when index policy or time to live are others.
func (a *account) replaceContainer(c *container, sent sql.Value, ifMatch string) *Error {
	c.gate.Lock()
	defer c.gate.Unlock()
	old := *c.properties.Load()
	switch id, _ := sent.Get("id").Str(); {
	case c.dropped:
		return errNotFound
	case !matches(ifMatch, old):
		return errPrecondition
	case id != c.name:
		return badRequest("The id %q is not the container's.", id)
	case !sql.Equal(sent.Get("partitionKey").Get("paths"), old.Get("partitionKey").Get("paths")):
		return badRequest("The partition key of a container cannot be changed.")
	case !sql.Equal(uniqueOf(sent), uniqueOf(old)):
		return badRequest("The unique keys of a container cannot be changed.")
	}
	sent = sent.With("partitionKey", old.Get("partitionKey"))
	properties := a.stamp(withDefaults(sent), c.rid, c.self)
	p, err := newPolicy(properties, &c.pk)
	if err != nil {
		return badRequest("%v", err)
	}
	if err := a.rebuild(c, p, properties); err != nil {
		return asError(err)
	}
	c.policy.Store(p)
	c.properties.Store(&properties)
	return nil
}

// uniqueOf are the unique keys of some properties; none is an empty list.
func uniqueOf(properties sql.Value) sql.Value {
	return sql.ArrayOf(properties.Get("uniqueKeyPolicy").Get("uniqueKeys").Items())
}

// rebuild commits new properties with everything that follows from the policy. The
// caller holds the container's gate exclusively, so that the view is the last word.
func (a *account) rebuild(c *container, p *policy, properties sql.Value) (err error) {
	v := a.store.acquire()
	defer func() { err = errors.Join(err, v.release()) }()
	return a.store.commit(func(b *pebble.Batch) error {
		err := b.Set(numberedKey(0, kindContainer, c.number), c.encode(properties, c.layout.Load()), nil)
		for _, kind := range []byte{kindExpiry, kindChange, kindIndex, kindKeyIndex} {
			err = errors.Join(err, b.DeleteRange(key(c.number, kind), successor(key(c.number, kind)), nil))
		}
		return errors.Join(err, v.scan(key(c.number, kindDocument), nil, func(_, stored []byte) (bool, error) {
			r, err := decodeRecord(stored)
			if err != nil {
				return false, err
			}
			doc, err := sql.ParseJSON(r.body)
			r.entries, r.expiry = p.entries(doc), p.expiry(r.modified, r.ttl)
			return true, errors.Join(err, putRecord(b, c.number, r))
		}))
	}, nil)
}
