package account

import (
	"cmp"
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/layout"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// lockStripes is the number of locks that the partition keys of a container share.
const lockStripes = 1024

// Container is the running half of a container.
type Container struct {
	document.Home
	name     string
	Database *Database
	Path     string // dbs/<name>/colls/<name>

	layout     atomic.Pointer[layout.Layout] // replaced by a split
	policy     atomic.Pointer[document.Policy]
	offer      atomic.Pointer[Offer]     // nil: none of its own
	properties atomic.Pointer[sql.Value] // as a client sees them

	// gate is held shared by every writer from its check to its acknowledgement, and
	// exclusively by what replaces or drops the container.
	gate     sync.RWMutex
	dropped  bool // owned by gate
	indexing bool // its index is being built; owned by gate

	seed  maphash.Seed
	locks [lockStripes]stripe // by partition key

	forms forms // of its documents

	lastNumber uint64 // of a document; owned by Store.mu
}

// newContainer builds a container from its stored properties.
func newContainer(db *Database, number uint32, properties sql.Value) (*Container, error) {
	name, _ := properties.Get("id").Str()
	properties = properties.With("indexingPolicy", indexing(properties.Get("indexingPolicy"))) // one of a version before has what was sent
	c := &Container{name: name, Database: db, Path: db.Path + "/colls/" + name, seed: maphash.MakeSeed()}
	c.Home = document.NewHome(db.number, number)
	if err := c.PK.UnmarshalJSON(properties.Get("partitionKey").AppendJSON(nil)); err != nil {
		return nil, err
	}
	p, err := document.NewPolicy(properties, &c.PK)
	if err != nil {
		return nil, err
	}
	c.policy.Store(p)
	c.properties.Store(&properties)
	return c, nil
}

// Layout is the container's physical ranges as they are now.
func (c *Container) Layout() *layout.Layout { return c.layout.Load() }

// Policy is what the container stores beside its documents.
func (c *Container) Policy() *document.Policy { return c.policy.Load() }

// Properties are the container's as a client sees them.
func (c *Container) Properties() sql.Value { return *c.properties.Load() }

// Indexing tells whether documents get their terms: until then queries look at all of them.
func (c *Container) Indexing() bool {
	c.gate.RLock()
	defer c.gate.RUnlock()
	return c.indexing
}

// serverlessUnits is what a serverless container has in a second, whatever its number of ranges up to five.
const serverlessUnits = 5000

// Rate is what each physical range has in a second, in request units: its share of the container's offer, or of its database's.
func (c *Container) Rate() float64 {
	units := float64(serverlessUnits)
	if o := cmp.Or(c.offer.Load(), c.Database.offer.Load()); o != nil {
		units = float64(o.units())
	}
	return units / float64(len(c.Layout().Live))
}

// lock holds the container's gate and the stripe of a partition key for a writer.
func (c *Container) lock(pk []byte) (*stripe, func()) {
	s := &c.locks[maphash.Bytes(c.seed, pk)%lockStripes]
	c.gate.RLock()
	s.Lock()
	return s, func() {
		s.Unlock()
		c.gate.RUnlock()
	}
}

// forget drops what is kept of documents. The caller holds the gate exclusively.
func (c *Container) forget() {
	for i := range c.locks {
		c.locks[i].recent = [recentDocuments]*document.Record{}
	}
}
