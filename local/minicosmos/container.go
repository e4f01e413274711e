package minicosmos

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// lockStripes is the number of locks that the partition keys of a container share.
const lockStripes = 1024

// container is the running half of a container.
type container struct {
	number   uint32 // unique per incarnation, never used again
	name     string
	database *database
	rid      string // "_rid", from both numbers
	self     string // "_self": dbs/<rid>/colls/<rid>/
	pk       partition.Definition
	layout   atomic.Pointer[layout] // replaced by a split

	policy     atomic.Pointer[policy]
	offer      atomic.Pointer[offer]     // nil: none of its own
	properties atomic.Pointer[sql.Value] // as a client sees them

	// gate is held shared by every writer from its check to its acknowledgement, and
	// exclusively by what replaces or drops the container.
	gate    sync.RWMutex
	dropped bool // owned by gate

	seed  maphash.Seed
	locks [lockStripes]sync.Mutex // by partition key

	lastNumber uint64 // of a document; owned by store.mu
}

// rids are little resource ids: a database's four bytes, a container's eight, a
// document's sixteen, in the service's variant of base64.
var ridEncoding = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-")

func databaseRID(number uint32) string {
	return ridEncoding.EncodeToString(binary.LittleEndian.AppendUint32(nil, number))
}

func containerRID(database, number uint32) string {
	b := binary.LittleEndian.AppendUint32(nil, database)
	return ridEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, number|1<<31))
}

func (c *container) documentRID(number uint64) string {
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, 16), c.database.number)
	b = binary.BigEndian.AppendUint32(b, c.number|1<<31)
	return ridEncoding.EncodeToString(binary.LittleEndian.AppendUint64(b, number))
}

// newContainer builds a container from its stored properties.
func newContainer(db *database, number uint32, properties sql.Value) (*container, error) {
	name, _ := properties.Get("id").Str()
	c := &container{number: number, name: name, database: db, rid: containerRID(db.number, number), seed: maphash.MakeSeed()}
	c.self = "dbs/" + db.rid + "/colls/" + c.rid + "/"
	if err := c.pk.UnmarshalJSON(properties.Get("partitionKey").AppendJSON(nil)); err != nil {
		return nil, err
	}
	p, err := newPolicy(properties, &c.pk)
	if err != nil {
		return nil, err
	}
	c.policy.Store(p)
	c.properties.Store(&properties)
	return c, nil
}

// lock holds the container's gate and the stripe of a partition key for a writer.
func (c *container) lock(pk []byte) (unlock func()) {
	stripe := &c.locks[maphash.Bytes(c.seed, pk)%lockStripes]
	c.gate.RLock()
	stripe.Lock()
	return func() {
		stripe.Unlock()
		c.gate.RUnlock()
	}
}

// putRecord stages everything that is stored for a document.
func putRecord(b *pebble.Batch, c *container, r *record) error {
	number := binary.BigEndian.AppendUint64(nil, r.number)
	return errors.Join(b.Set(locatorKey(c.number, r.pk, r.id), number, nil), putVersion(b, c, r))
}

// putVersion stages a version of a document that is there already: all but its locator, once the last version's side
// keys are gone.
func putVersion(b *pebble.Batch, c *container, r *record) error {
	number := binary.BigEndian.AppendUint64(nil, r.number)
	err := errors.Join(b.Set(documentKey(c.number, r.number), r.encode(), nil),
		b.Set(changeKey(c.number, r.rng, r.lsn, r.number), binary.BigEndian.AppendUint64(nil, uint64(r.modified)), nil))
	for _, e := range r.unique {
		err = errors.Join(err, b.Set(uniqueKey(c.number, r.pk, e), number, nil))
	}
	return errors.Join(err, r.eachSideKey(c, func(k []byte) error { return b.Set(k, nil, nil) }))
}

// removeRecord stages the removal of everything that is stored for a document.
func removeRecord(b *pebble.Batch, c *container, r *record) error {
	return errors.Join(b.Delete(documentKey(c.number, r.number), nil),
		b.Delete(locatorKey(c.number, r.pk, r.id), nil), removeSides(b, c, r))
}

// removeSides stages the removal of what points at a version of a document.
func removeSides(b *pebble.Batch, c *container, r *record) error {
	err := b.Delete(changeKey(c.number, r.rng, r.lsn, r.number), nil)
	for _, e := range r.unique {
		err = errors.Join(err, b.Delete(uniqueKey(c.number, r.pk, e), nil))
	}
	return errors.Join(err, r.eachSideKey(c, func(k []byte) error { return b.Delete(k, nil) }))
}

// eachSideKey visits the keys that only point at the document.
func (r *record) eachSideKey(c *container, visit func([]byte) error) error {
	var err error
	for _, e := range r.entries {
		err = errors.Join(err,
			visit(binary.BigEndian.AppendUint64(indexPrefix(c.number, nil, e), r.number)),
			visit(binary.BigEndian.AppendUint64(indexPrefix(c.number, r.pk, e), r.number)))
	}
	if r.expiry != 0 {
		err = errors.Join(err, visit(expiryKey(c.number, r.expiry, r.number)))
	}
	return err
}
