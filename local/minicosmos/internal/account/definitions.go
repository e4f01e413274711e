package account

import (
	"encoding/binary"
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/layout"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

func mustParse(text string) sql.Value {
	v, err := sql.ParseJSON([]byte(text))
	if err != nil {
		panic(err)
	}
	return v
}

// CreateContainer stores a new container.
func (a *Account) CreateContainer(dbName string, sent, throughput sql.Value) (*Container, *refusal.Error) {
	name, bad := validName(sent.Get("id"))
	if bad != nil {
		return nil, bad
	}
	k := &a.catalog
	k.mu.Lock()
	defer k.mu.Unlock()
	db := k.databases[dbName]
	if db == nil {
		return nil, refusal.NotFound
	}
	if db.containers[name] != nil {
		return nil, refusal.Conflict
	}
	c, bad := a.defineContainer(db, k.lastNumber+1, sent)
	if bad != nil {
		return nil, bad
	}
	if !throughput.IsDefined() && !a.Serverless && db.offer.Load() == nil {
		throughput = usualThroughput
	}
	o := a.newOffer(c.Number, c.RID, c.Self, throughput)
	c.offer.Store(o)
	err := a.store.Commit(func(b *pebble.Batch) error {
		return errors.Join(o.put(b), b.Set(document.Key(0, kindNumbers), binary.BigEndian.AppendUint32(nil, c.Number), nil),
			b.Set(numberedKey(0, kindContainer, c.Number), c.encode(*c.properties.Load(), c.layout.Load()), nil),
			c.putFreshIndex(b, c.policy.Load(), 0))
	}, nil)
	if err != nil {
		return nil, refusal.Of(err)
	}
	k.lastNumber = c.Number
	db.containers[name] = c
	return c, nil
}

func (a *Account) defineContainer(db *Database, number uint32, sent sql.Value) (*Container, *refusal.Error) {
	if sent.Get("partitionKey").Kind() != sql.Object {
		return nil, refusal.BadRequest("The required property 'partitionKey' is missing.")
	}
	rid := document.ContainerRID(db.number, number)
	settings, bad := settled(sent, sql.Value{})
	if bad != nil {
		return nil, bad
	}
	properties := a.stamp(settings, rid, db.self+"colls/"+rid+"/")
	c, err := newContainer(db, number, properties)
	if err != nil {
		return nil, refusal.BadRequest("%v", err)
	}
	c.layout.Store(layout.New(c.PK.Split(a.ranges)))
	return c, nil
}

// DropContainer removes a container with its documents.
func (a *Account) DropContainer(c *Container, ifMatch string) *refusal.Error {
	k := &a.catalog
	k.mu.Lock()
	defer k.mu.Unlock()
	c.gate.Lock()
	defer c.gate.Unlock()
	if c.dropped {
		return refusal.NotFound
	}
	if !matches(ifMatch, *c.properties.Load()) {
		return refusal.Precondition
	}
	if err := a.store.Commit(func(b *pebble.Batch) error { return dropContainer(b, c) }, nil); err != nil {
		return refusal.Of(err)
	}
	c.dropped = true
	delete(c.Database.containers, c.name)
	return nil
}

// ReplaceContainer changes a container's properties and rebuilds what is stored
// beside its documents when index policy or time to live are others.
func (a *Account) ReplaceContainer(c *Container, sent sql.Value, ifMatch string) *refusal.Error {
	c.gate.Lock()
	defer c.gate.Unlock()
	old := *c.properties.Load()
	switch id, _ := sent.Get("id").Str(); {
	case c.dropped:
		return refusal.NotFound
	case !matches(ifMatch, old):
		return refusal.Precondition
	case id != c.name:
		return refusal.BadRequest("The id %q is not the container's.", id)
	case !sql.Equal(sent.Get("partitionKey").Get("paths"), old.Get("partitionKey").Get("paths")):
		return refusal.BadRequest("The partition key of a container cannot be changed.")
	case !sql.Equal(uniqueOf(sent), uniqueOf(old)):
		return refusal.BadRequest("The unique keys of a container cannot be changed.")
	}
	sent = sent.With("partitionKey", old.Get("partitionKey"))
	settings, bad := settled(sent, document.WithoutSystem(old))
	if bad != nil {
		return bad
	}
	properties := a.stamp(settings, c.RID, c.Self)
	p, err := document.NewPolicy(properties, &c.PK)
	if err != nil {
		return refusal.BadRequest("%v", err)
	}
	c.forget() // entries and expiries become others
	if err := a.rebuild(c, p, properties); err != nil {
		return refusal.Of(err)
	}
	if c.policy.Swap(p).FreshIndex(0) != p.FreshIndex(0) {
		c.forms.known.Store(nil)
		a.startIndex(c)
	}
	c.properties.Store(&properties)
	return nil
}

// uniqueOf are the unique keys of some properties; none is an empty list.
func uniqueOf(properties sql.Value) sql.Value {
	return sql.ArrayOf(properties.Get("uniqueKeyPolicy").Get("uniqueKeys").Items())
}

// rebuild commits new properties with everything that follows from the policy. The
// caller holds the container's gate exclusively, so that the view is the last word, and
// all is put together before the commit, which others wait for.
func (a *Account) rebuild(c *Container, p *document.Policy, properties sql.Value) (err error) {
	b := a.store.Draft()
	err = errors.Join(b.Set(numberedKey(0, kindContainer, c.Number), c.encode(properties, c.layout.Load()), nil), a.stageRebuilt(b, c, p))
	if err == nil {
		err = a.store.Commit(func(group *pebble.Batch) error { return group.Apply(b, nil) }, nil)
	}
	return errors.Join(err, b.Close())
}

// stageRebuilt adds what is stored beside a container's documents under another policy.
func (a *Account) stageRebuilt(b *pebble.Batch, c *Container, p *document.Policy) (err error) {
	v := a.store.Acquire()
	defer func() { err = errors.Join(err, v.Release()) }()
	if c.policy.Load().FreshIndex(0) != p.FreshIndex(0) {
		err = c.putFreshIndex(b, p, c.lastNumber)
	}
	for _, kind := range []byte{document.KindExpiry, document.KindChange, document.KindIndex, document.KindKeyIndex} {
		err = errors.Join(err, b.DeleteRange(document.Key(c.Number, kind), store.Successor(document.Key(c.Number, kind)), nil))
	}
	return errors.Join(err, v.Scan(document.Key(c.Number, document.KindDocument), nil, func(_, stored []byte) (bool, error) {
		r, err := document.Decode(stored)
		if err != nil {
			return false, err
		}
		doc, err := sql.ParseJSON(r.Body)
		r.Entries, r.Expiry = p.Entries(doc), p.Expiry(r.Modified, r.TTL)
		return true, errors.Join(err, document.Put(b, c.Number, r))
	}))
}
