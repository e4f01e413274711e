package account

import (
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
)

// Backup is what a container held at one moment.
type Backup struct {
	home    document.Home
	records []*document.Record
}

// Documents are those of the backup as a client saw them, in order of creation.
func (b *Backup) Documents() []json.RawMessage {
	var list []json.RawMessage
	if b == nil {
		return nil
	}
	for _, r := range b.records {
		list = append(list, r.AppendJSON(nil, &b.home))
	}
	return list
}

// Backup reads all documents of a container.
func (a *Account) Backup(database, container string) (*Backup, error) {
	if !a.Enter() {
		return nil, refusal.Closed
	}
	defer a.Leave()
	c, bad := a.Container(database, container)
	if bad != nil {
		return nil, bad
	}
	return a.backup(c)
}

func (a *Account) backup(c *Container) (b *Backup, err error) {
	v, now := a.store.Acquire(), now()
	defer func() { err = errors.Join(err, v.Release()) }()
	b = &Backup{home: c.Home}
	return b, v.Scan(document.Key(c.Number, document.KindDocument), nil, func(_, stored []byte) (bool, error) {
		r, err := document.Decode(stored)
		if err == nil && !r.Expired(now) {
			b.records = append(b.records, r)
		}
		return true, err
	})
}

// Restore puts another container in a container's place, with its properties and the
// documents of a backup under the revisions that they had; nil is none. It returns what the
// old one held in the end: each write is in that or in the new one.
func (a *Account) Restore(database, container string, from *Backup) (left *Backup, err error) {
	if !a.Enter() {
		return nil, refusal.Closed
	}
	defer a.Leave()
	k := &a.catalog
	k.mu.Lock()
	defer k.mu.Unlock()
	db := k.databases[database]
	if db == nil || db.containers[container] == nil {
		return nil, refusal.NotFound
	}
	old := db.containers[container]
	old.gate.Lock()
	defer old.gate.Unlock()
	if left, err = a.backup(old); err != nil {
		return nil, err
	}
	next, bad := a.defineContainer(db, k.lastNumber+1, *old.properties.Load())
	if bad != nil {
		return nil, bad
	}
	if o := old.offer.Load(); o != nil {
		next.offer.Store(a.newOffer(next.Number, next.RID, next.Self, o.Properties.Get("content")))
	}
	records, err := next.adopt(from)
	if err != nil {
		return nil, err
	}
	b := a.store.Draft()
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := errors.Join(dropContainer(b, old), next.stage(b, records)); err != nil {
		return nil, err
	}
	err = a.store.Commit(func(group *pebble.Batch) error { return group.Apply(b, nil) }, func() {
		for _, in := range next.layout.Load().All {
			in.DurableLSN.Store(*in.LastLSN)
		}
	})
	if err != nil {
		return nil, err
	}
	old.dropped = true
	k.lastNumber = next.Number
	db.containers[container] = next
	return left, nil
}

// stage adds a container that nobody has seen yet, with its documents.
func (c *Container) stage(b *pebble.Batch, records []*document.Record) error {
	err := errors.Join(c.offer.Load().put(b),
		b.Set(document.Key(0, kindNumbers), binary.BigEndian.AppendUint32(nil, c.Number), nil),
		b.Set(numberedKey(0, kindContainer, c.Number), c.encode(*c.properties.Load(), c.layout.Load()), nil),
		c.putFreshIndex(b, c.policy.Load(), 0))
	for _, r := range records {
		in := c.layout.Load().All[r.Range]
		*in.LastLSN++
		c.lastNumber++
		r.LSN, r.Number = *in.LastLSN, c.lastNumber
		err = errors.Join(err, document.Put(b, c.Number, r), c.putTerms(b, r))
	}
	return errors.Join(err, b.Set(document.Key(c.Number, kindNumbers), c.encodeCounters(c.layout.Load()), nil))
}

// adopt are the records of a backup in the ranges of c, not numbered yet.
func (c *Container) adopt(from *Backup) (records []*document.Record, err error) {
	if from == nil {
		return nil, nil
	}
	for _, seen := range from.records {
		r := *seen
		pk, err := r.PartitionKey(&c.PK)
		if err != nil {
			return nil, err
		}
		r.Range = uint16(c.layout.Load().OfKey(&c.PK, pk).ID)
		records = append(records, &r)
	}
	return records, nil
}

// putTerms stages the terms of a record of a container that nobody has seen yet.
func (c *Container) putTerms(b *pebble.Batch, r *document.Record) error {
	at, err := c.place(r)
	if err = errors.Join(err, c.policy.Load().Index(r)); err != nil || r.Terms == nil {
		return err
	}
	r.Terms.FormID, err = c.forms.id(r.Terms, func(sum uint64, paths []byte) error { return b.Set(formKey(c.Number, sum), paths, nil) })
	return errors.Join(err, document.ReplaceTerms(b, c.Number, r.Number, at, nil, r.Terms))
}
