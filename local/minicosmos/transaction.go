package minicosmos

import (
	"errors"
	"net/http"

	"github.com/cockroachdb/pebble/v2"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
	"github.com/relaybox/relaybox/local/minicosmos/sql"
)

// maxDocument is the largest document in bytes, as JSON without system properties.
const maxDocument = 2 << 20

// maxID is the longest document id in bytes.
const maxID = 1023

// transaction is a unit of reads and writes in one logical partition. begin locks the
// partition key; commit makes the writes durable and visible at once; end unlocks.
// A point write is a transaction of one operation.
type transaction struct {
	a      *account
	c      *container
	pk     partition.Key
	stored []byte // pk in stored form
	in     *physical
	view   *view
	now    int64
	slots  map[string]*slot
	order  []*slot // in order of first use
	unlock func()
	seen   uint64 // LSN that the view has at least
	lsn    uint64 // after commit
}

// slot is a document under way: what the store has and what it will have.
type slot struct {
	before  *record // as stored, perhaps expired; nil if there is none
	current *record // nil: absent
}

// overwrites tells whether the stored document stays and gets another version.
func (s *slot) overwrites() bool {
	return s.before != nil && s.current != nil && s.current.number == s.before.number
}

// outcome is what an operation answers. The document is rendered after the commit,
// which numbers it.
type outcome struct {
	status  int
	record  *record // nil for a deletion
	removed *record // by a deletion
	read    bool    // nothing was written
}

// shown tells whether the answer holds the document when the client asked for little.
func (o outcome) shown(minimal bool) bool { return o.read || !minimal }

// begin starts a transaction; the caller ends it.
func (a *account) begin(c *container, pk partition.Key) (*transaction, *Error) {
	t := &transaction{a: a, c: c, pk: pk, stored: pk.AppendStorage(nil), slots: map[string]*slot{}}
	t.unlock = c.lock(t.stored)
	if c.dropped {
		t.unlock()
		return nil, errNotFound
	}
	t.in = c.layout.Load().ofKey(&c.pk, pk) // it stays while the gate is held
	t.seen = t.in.durableLSN.Load()
	t.view, t.now = a.store.acquire(), now()
	return t, nil
}

// end releases what begin took; without a commit nothing has happened.
func (t *transaction) end() {
	_ = t.view.release() // the store keeps the newest view open itself
	t.unlock()
}

// commit makes the staged writes durable. All of them share one LSN.
func (t *transaction) commit() error {
	if !t.changed() {
		return nil
	}
	return t.a.store.commit(t.stage, func() { t.in.durableLSN.Store(t.lsn) })
}

// reached is what a client has seen now: an LSN of the physical range.
func (t *transaction) reached() (in *physical, lsn uint64) {
	if t.lsn == 0 { // nothing was written
		return t.in, t.seen
	}
	return t.in, t.lsn
}

func (t *transaction) changed() bool {
	for _, s := range t.order {
		if s.current != s.before {
			return true
		}
	}
	return false
}

// stage numbers the writes and adds them to the group; the store calls it under its lock.
func (t *transaction) stage(b *pebble.Batch) error {
	*t.in.lastLSN++
	t.lsn = *t.in.lastLSN
	var err error
	for _, s := range t.order { // all of them before what is put: a unique key may pass from one to another
		switch {
		case s.current == s.before || s.before == nil:
		case s.overwrites():
			err = errors.Join(err, removeSides(b, t.c.number, s.before))
		default:
			err = errors.Join(err, removeRecord(b, t.c.number, s.before))
		}
	}
	for _, s := range t.order {
		r := s.current
		if r == nil || r == s.before {
			continue
		}
		put := putRecord
		if s.overwrites() {
			put = putVersion
		} else {
			t.c.lastNumber++
			r.number = t.c.lastNumber
		}
		r.lsn = t.lsn
		err = errors.Join(err, put(b, t.c.number, r))
	}
	return errors.Join(err, b.Set(key(t.c.number, kindNumbers), t.c.encodeCounters(t.c.layout.Load()), nil))
}

// slot returns the state of an id as the transaction sees it.
func (t *transaction) slot(id string) (*slot, *Error) {
	if s := t.slots[id]; s != nil {
		return s, nil
	}
	before, err := findRecord(t.view, t.c.number, t.stored, id)
	if err != nil {
		return nil, internal(err)
	}
	s := &slot{before: before}
	if before != nil && !before.expired(t.now) {
		s.current = before
	}
	t.slots[id] = s
	t.order = append(t.order, s)
	return s, nil
}

// existing returns the slot of a document that must exist and carry the ETag.
func (t *transaction) existing(id, ifMatch string) (*slot, *Error) {
	s, bad := t.slot(id)
	switch {
	case bad != nil:
		return nil, bad
	case s.current == nil:
		return nil, errNotFound
	case ifMatch != "" && ifMatch != "*" && ifMatch != s.current.etag():
		return nil, errPrecondition
	}
	return s, nil
}

func (t *transaction) read(id string) (outcome, *Error) {
	s, bad := t.existing(id, "")
	if bad != nil {
		return outcome{}, bad
	}
	return outcome{status: http.StatusOK, record: s.current, read: true}, nil
}

func (t *transaction) create(doc sql.Value) (outcome, *Error) {
	r, bad := t.draft(doc)
	if bad != nil {
		return outcome{}, bad
	}
	s, bad := t.slot(r.id)
	if bad != nil {
		return outcome{}, bad
	}
	if s.current != nil {
		return outcome{}, errConflict
	}
	if bad := t.claim(r); bad != nil {
		return outcome{}, bad
	}
	s.current = r
	return outcome{status: http.StatusCreated, record: r}, nil
}

func (t *transaction) upsert(doc sql.Value, ifMatch string) (outcome, *Error) {
	id, _ := doc.Get("id").Str()
	if s, bad := t.slot(id); bad != nil || s.current != nil {
		if bad != nil {
			return outcome{}, bad
		}
		return t.replace(id, doc, ifMatch)
	}
	if ifMatch != "" {
		return outcome{}, errPrecondition
	}
	return t.create(doc)
}

func (t *transaction) replace(id string, doc sql.Value, ifMatch string) (outcome, *Error) {
	r, bad := t.draft(doc)
	if bad != nil {
		return outcome{}, bad
	}
	if r.id != id {
		return outcome{}, badRequest("The id %q in the document is not the addressed one.", r.id)
	}
	s, bad := t.existing(id, ifMatch)
	if bad != nil {
		return outcome{}, bad
	}
	return t.overwrite(s, r)
}

// overwrite stages the next version of a document that exists.
func (t *transaction) overwrite(s *slot, r *record) (outcome, *Error) {
	if bad := t.claim(r); bad != nil {
		return outcome{}, bad
	}
	r.number = s.current.number
	s.current = r
	return outcome{status: http.StatusOK, record: r}, nil
}

func (t *transaction) remove(id, ifMatch string) (outcome, *Error) {
	s, bad := t.existing(id, ifMatch)
	if bad != nil {
		return outcome{}, bad
	}
	removed := s.current
	s.current = nil
	return outcome{status: http.StatusNoContent, removed: removed}, nil
}

func (t *transaction) patch(id string, p *patch, ifMatch string) (outcome, *Error) {
	s, bad := t.existing(id, ifMatch)
	if bad != nil {
		return outcome{}, bad
	}
	doc, err := s.current.value(&t.c.home)
	if err != nil {
		return outcome{}, internal(err)
	}
	if doc, bad = p.apply(doc, &t.c.pk); bad != nil {
		return outcome{}, bad
	}
	r, bad := t.draft(doc)
	if bad != nil {
		return outcome{}, bad
	}
	return t.overwrite(s, r)
}

// draft checks a document and builds its next version.
func (t *transaction) draft(doc sql.Value) (*record, *Error) {
	if bad := checkDocument(doc); bad != nil {
		return nil, bad
	}
	pk, err := t.c.pk.Extract(doc)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	if !pk.Equal(t.pk) {
		return nil, errKeyMismatch
	}
	ttl, err := documentTTL(doc)
	if err != nil {
		return nil, badRequest("The document's ttl %v.", err)
	}
	p := t.c.policy.Load()
	r := &record{rng: uint16(t.in.id), modified: t.now, epoch: t.a.epoch, version: t.a.version.Add(1), ttl: ttl,
		expiry: p.expiry(t.now, ttl)}
	r.fill(p, withoutSystem(doc), pk)
	if len(r.body) > maxDocument {
		return nil, errTooLarge
	}
	return r, nil
}

// checkDocument refuses what is not an object with a valid id.
func checkDocument(doc sql.Value) *Error {
	if doc.Kind() != sql.Object {
		return badRequest("A document must be a JSON object.")
	}
	id, ok := doc.Get("id").Str()
	switch {
	case !ok || id == "":
		return badRequest("The required property 'id' is missing or not a string.")
	case len(id) > maxID:
		return badRequest("The id is %d bytes long; the limit is %d.", len(id), maxID)
	}
	return nil
}
