package account

import (
	"errors"
	"net/http"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/layout"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/store"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// maxDocument is the largest document in bytes, as JSON without system properties.
const maxDocument = 2 << 20

// maxID is the longest document id in bytes.
const maxID = 1023

// Transaction is a unit of reads and writes in one logical partition. Begin locks the
// partition key; Commit makes the writes durable and visible at once; End unlocks.
// A point write is a transaction of one operation.
type Transaction struct {
	a      *Account
	c      *Container
	pk     partition.Key
	stored []byte // pk in stored form
	in     *layout.Physical
	view   *store.View
	now    int64
	order  []*slot // in order of first use
	stripe *stripe
	unlock func()
	place  document.Place // of pk, where terms are kept
	seen   uint64         // LSN that the view has at least
	lsn    uint64         // after commit
}

// slot is a document under way: what the store has and what it will have.
type slot struct {
	id      string
	before  *document.Record // as stored, perhaps expired; nil if there is none
	current *document.Record // nil: absent
}

// overwrites tells whether the stored document stays and gets another version.
func (s *slot) overwrites() bool {
	return s.before != nil && s.current != nil && s.current.Number == s.before.Number
}

// Outcome is what an operation answers. The document is rendered after the commit,
// which numbers it.
type Outcome struct {
	Status  int              // of HTTP
	Record  *document.Record // nil for a deletion
	Removed *document.Record // by a deletion
	Read    bool             // nothing was written
}

// Shown tells whether the answer holds the document when the client asked for little.
func (o Outcome) Shown(minimal bool) bool {
	return o.Status != http.StatusNotModified && (o.Read || !minimal)
}

// Begin starts a transaction; the caller ends it.
func (a *Account) Begin(c *Container, pk partition.Key) (*Transaction, *refusal.Error) {
	t := &Transaction{a: a, c: c, pk: pk, stored: pk.AppendStorage(nil)}
	t.stripe, t.unlock = c.lock(t.stored)
	if c.dropped {
		t.unlock()
		return nil, refusal.NotFound
	}
	t.in = c.layout.Load().OfKey(&c.PK, pk) // it stays while the gate is held
	t.seen = t.in.DurableLSN.Load()
	t.view, t.now = a.store.Acquire(), now()
	return t, nil
}

// End releases what Begin took; without a commit nothing has happened.
func (t *Transaction) End() {
	_ = t.view.Release() // the store keeps the newest view open itself
	t.unlock()
}

// Commit makes the staged writes durable. All of them share one LSN.
func (t *Transaction) Commit() error {
	if !t.changed() {
		return nil
	}
	if err := t.index(); err != nil {
		return err
	}
	err := t.a.store.Commit(t.stage, func() { t.in.DurableLSN.Store(t.lsn) })
	for _, s := range t.order {
		if s.before != nil {
			t.stripe.forget(s.before.Number)
		}
		if s.current != nil && err == nil {
			t.stripe.keep(s.current)
		}
	}
	return err
}

// index finds out which terms the writes take and give, where there are any beside those of named paths.
func (t *Transaction) index() error {
	if t.c.policy.Load().Wild() == nil {
		return nil
	}
	t.place = document.PlaceOf(t.c.PK.EPK(t.pk))
	for _, s := range t.order {
		if s.current == s.before {
			continue
		}
		if s.before != nil {
			if err := t.a.storedTerms(t.c, s.before); err != nil {
				return err
			}
		}
		if s.current != nil {
			if err := t.a.setForm(t.c, s.current, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// Reached is what a client has seen now: an LSN of the physical range.
func (t *Transaction) Reached() (in *layout.Physical, lsn uint64) {
	if t.lsn == 0 { // nothing was written
		return t.in, t.seen
	}
	return t.in, t.lsn
}

func (t *Transaction) changed() bool {
	for _, s := range t.order {
		if s.current != s.before {
			return true
		}
	}
	return false
}

// stage numbers the writes and adds them to the group; the store calls it under its lock.
func (t *Transaction) stage(b *pebble.Batch) error {
	*t.in.LastLSN++
	t.lsn = *t.in.LastLSN
	var err error
	for _, s := range t.order { // all of them before what is put: a unique key may pass from one to another
		switch {
		case s.current == s.before || s.before == nil:
		case s.overwrites():
			err = errors.Join(err, document.RemoveVersion(b, t.c.Number, s.before, s.current))
		default:
			err = errors.Join(err, document.Remove(b, t.c.Number, s.before), document.ReplaceTerms(b, t.c.Number, s.before.Number, t.place, s.before.Terms, nil))
		}
	}
	for _, s := range t.order {
		r := s.current
		if r == nil || r == s.before {
			continue
		}
		r.LSN = t.lsn
		if s.overwrites() {
			err = errors.Join(err, document.PutVersion(b, t.c.Number, r, s.before), document.ReplaceTerms(b, t.c.Number, r.Number, t.place, s.before.Terms, r.Terms))
			continue
		}
		t.c.lastNumber++
		r.Number = t.c.lastNumber
		err = errors.Join(err, document.Put(b, t.c.Number, r), document.ReplaceTerms(b, t.c.Number, r.Number, t.place, nil, r.Terms))
	}
	return errors.Join(err, b.Set(document.Key(t.c.Number, kindNumbers), t.c.encodeCounters(t.c.layout.Load()), nil))
}

// slot returns the state of an id as the transaction sees it.
func (t *Transaction) slot(id string) (*slot, *refusal.Error) {
	if i := slices.IndexFunc(t.order, func(s *slot) bool { return s.id == id }); i >= 0 {
		return t.order[i], nil
	}
	before := t.stripe.find(t.stored, id)
	if before == nil {
		var err error
		if before, err = document.Find(t.view, t.c.Number, t.stored, id); err != nil {
			return nil, refusal.Internal(err)
		}
	}
	s := &slot{id: id, before: before}
	if before != nil && !before.Expired(t.now) {
		s.current = before
	}
	t.order = append(t.order, s)
	return s, nil
}

// existing returns the slot of a document that must exist and carry the ETag.
func (t *Transaction) existing(id, ifMatch string) (*slot, *refusal.Error) {
	s, bad := t.slot(id)
	switch {
	case bad != nil:
		return nil, bad
	case s.current == nil:
		return nil, refusal.NotFound
	case ifMatch != "" && ifMatch != "*" && ifMatch != s.current.ETag():
		return nil, refusal.Precondition
	}
	return s, nil
}

// Read reads a document.
func (t *Transaction) Read(id string) (Outcome, *refusal.Error) {
	s, bad := t.existing(id, "")
	if bad != nil {
		return Outcome{}, bad
	}
	return Outcome{Status: http.StatusOK, Record: s.current, Read: true}, nil
}

// Create stages a document whose id must be free.
func (t *Transaction) Create(doc sql.Value) (Outcome, *refusal.Error) {
	r, bad := t.draft(doc)
	if bad != nil {
		return Outcome{}, bad
	}
	s, bad := t.slot(r.ID)
	if bad != nil {
		return Outcome{}, bad
	}
	if s.current != nil {
		return Outcome{}, refusal.Conflict
	}
	if bad := t.claim(r); bad != nil {
		return Outcome{}, bad
	}
	s.current = r
	return Outcome{Status: http.StatusCreated, Record: r}, nil
}

// Upsert stages a document whether its id is free or not; ifMatch "" or "*" is any version.
func (t *Transaction) Upsert(doc sql.Value, ifMatch string) (Outcome, *refusal.Error) {
	id, _ := doc.Get("id").Str()
	if s, bad := t.slot(id); bad != nil || s.current != nil {
		if bad != nil {
			return Outcome{}, bad
		}
		return t.Replace(id, doc, ifMatch)
	}
	if ifMatch != "" {
		return Outcome{}, refusal.Precondition
	}
	return t.Create(doc)
}

// Replace stages the next version of a document; ifMatch "" or "*" is any version.
func (t *Transaction) Replace(id string, doc sql.Value, ifMatch string) (Outcome, *refusal.Error) {
	r, bad := t.draft(doc)
	if bad != nil {
		return Outcome{}, bad
	}
	if r.ID != id {
		return Outcome{}, refusal.BadRequest("The id %q in the document is not the addressed one.", r.ID)
	}
	s, bad := t.existing(id, ifMatch)
	if bad != nil {
		return Outcome{}, bad
	}
	return t.overwrite(s, r)
}

// overwrite stages the next version of a document that exists.
func (t *Transaction) overwrite(s *slot, r *document.Record) (Outcome, *refusal.Error) {
	if bad := t.claim(r); bad != nil {
		return Outcome{}, bad
	}
	r.Number = s.current.Number
	s.current = r
	return Outcome{Status: http.StatusOK, Record: r}, nil
}

// Remove stages the removal of a document; ifMatch "" or "*" is any version.
func (t *Transaction) Remove(id, ifMatch string) (Outcome, *refusal.Error) {
	s, bad := t.existing(id, ifMatch)
	if bad != nil {
		return Outcome{}, bad
	}
	removed := s.current
	s.current = nil
	return Outcome{Status: http.StatusNoContent, Removed: removed}, nil
}

// Patch stages what a patch makes of a document; ifMatch "" or "*" is any version.
func (t *Transaction) Patch(id string, p *document.Patch, ifMatch string) (Outcome, *refusal.Error) {
	s, bad := t.existing(id, ifMatch)
	if bad != nil {
		return Outcome{}, bad
	}
	doc, err := s.current.Value(&t.c.Home)
	if err != nil {
		return Outcome{}, refusal.Internal(err)
	}
	if doc, bad = p.Apply(doc, &t.c.PK); bad != nil {
		return Outcome{}, bad
	}
	r, bad := t.draft(doc)
	if bad != nil {
		return Outcome{}, bad
	}
	return t.overwrite(s, r)
}

// draft checks a document and builds its next version.
func (t *Transaction) draft(doc sql.Value) (*document.Record, *refusal.Error) {
	if bad := checkDocument(doc); bad != nil {
		return nil, bad
	}
	pk, err := t.c.PK.Extract(doc)
	if err != nil {
		return nil, refusal.BadRequest("%v", err)
	}
	if !pk.Equal(t.pk) {
		return nil, refusal.KeyMismatch
	}
	ttl, err := document.TTL(doc)
	if err != nil {
		return nil, refusal.BadRequest("The document's ttl %v.", err)
	}
	p := t.c.policy.Load()
	r := &document.Record{Range: uint16(t.in.ID), Modified: t.now, Epoch: t.a.epoch, Version: t.a.version.Add(1), TTL: ttl,
		Expiry: p.Expiry(t.now, ttl)}
	r.Fill(p, document.WithoutSystem(doc), pk)
	if len(r.Body) > maxDocument {
		return nil, refusal.TooLarge
	}
	return r, nil
}

// checkDocument refuses what is not an object with a valid id.
func checkDocument(doc sql.Value) *refusal.Error {
	if doc.Kind() != sql.Object {
		return refusal.BadRequest("A document must be a JSON object.")
	}
	id, ok := doc.Get("id").Str()
	switch {
	case !ok || id == "":
		return refusal.BadRequest("The required property 'id' is missing or not a string.")
	case len(id) > maxID:
		return refusal.BadRequest("The id is %d bytes long; the limit is %d.", len(id), maxID)
	}
	return nil
}
