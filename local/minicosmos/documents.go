package minicosmos

import (
	"errors"
	"net/http"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/partition"
)

// documentFeed answers /docs: create, upsert, batch, query, list.
func (s *service) documentFeed(r *call, c *container) (*answer, *Error) {
	switch {
	case r.Method == http.MethodGet:
		return s.list(r, c)
	case r.Method != http.MethodPost:
		return nil, notAllowed("The feed of documents knows GET and POST.")
	case r.flag("X-Ms-Cosmos-Is-Batch-Request"):
		return s.batch(r, c)
	case r.isQuery():
		return s.query(r, c)
	}
	pk, bad := r.partitionKey(c)
	if bad != nil {
		return nil, bad
	}
	doc, bad := r.json()
	if bad != nil {
		return nil, bad
	}
	return s.single(r, c, pk, func(t *transaction) (outcome, *Error) {
		if r.flag("X-Ms-Documentdb-Is-Upsert") {
			return t.upsert(doc, r.Header.Get("If-Match"))
		}
		return t.create(doc)
	})
}

// documentResource answers /docs/{id}: read, replace, patch, delete.
func (s *service) documentResource(r *call, c *container) (*answer, *Error) {
	pk, bad := r.partitionKey(c)
	if bad != nil {
		return nil, bad
	}
	id, ifMatch := r.names[2], r.Header.Get("If-Match")
	switch r.Method {
	case http.MethodGet:
		return s.read(r, c, pk, id)
	case http.MethodDelete:
		return s.single(r, c, pk, func(t *transaction) (outcome, *Error) { return t.remove(id, ifMatch) })
	case http.MethodPut, http.MethodPatch:
	default:
		return nil, notAllowed("A document knows GET, PUT, PATCH and DELETE.")
	}
	sent, bad := r.json()
	if bad != nil {
		return nil, bad
	}
	if r.Method == http.MethodPut {
		return s.single(r, c, pk, func(t *transaction) (outcome, *Error) { return t.replace(id, sent, ifMatch) })
	}
	p, bad := parsePatch(sent)
	if bad != nil {
		return nil, bad
	}
	return s.single(r, c, pk, func(t *transaction) (outcome, *Error) { return t.patch(id, p, ifMatch) })
}

// partitionKey reads the header that every operation on documents but a query needs.
func (r *call) partitionKey(c *container) (partition.Key, *Error) {
	header := r.Header.Get("X-Ms-Documentdb-Partitionkey")
	if header == "" {
		return nil, badRequest("The header x-ms-documentdb-partitionkey is missing.")
	}
	pk, err := partition.ParseHeader(header)
	if err != nil {
		return nil, badRequest("%v", err)
	}
	if len(pk) != len(c.pk.Paths) {
		return nil, badRequest("Partition key provided either doesn't correspond to definition in the collection or doesn't match partition key field values specified in the document: %d values for %d paths.", len(pk), len(c.pk.Paths))
	}
	return pk, nil
}

// read answers a point read from the newest view, without a lock.
func (s *service) read(r *call, c *container, pk partition.Key, id string) (a *answer, bad *Error) {
	at, bad := s.see(r, c)
	if bad != nil {
		return nil, bad
	}
	rec, err := findRecord(at.view, c.number, pk.AppendStorage(nil), id)
	if err = errors.Join(err, at.release()); err != nil {
		return nil, internal(err)
	}
	if rec == nil || rec.expired(time.Now().Unix()) {
		return nil, errNotFound
	}
	in := at.layout.ofKey(&c.pk, pk)
	a = &answer{status: http.StatusOK, etag: rec.etag(), charge: chargeRead(len(rec.body)), count: -1}
	if r.Header.Get("If-None-Match") == a.etag {
		a.status = http.StatusNotModified
	} else {
		a.body = rec.appendJSON(make([]byte, 0, len(rec.body)+256), &c.home)
	}
	a.seen(in, at.token(in))
	return a, nil
}

// single runs a transaction of one write.
func (s *service) single(r *call, c *container, pk partition.Key, write func(*transaction) (outcome, *Error)) (*answer, *Error) {
	t, bad := s.account.begin(c, pk)
	if bad != nil {
		return nil, bad
	}
	defer t.end()
	o, bad := write(t)
	if bad != nil {
		return nil, bad
	}
	if err := t.commit(); err != nil {
		return nil, asError(err)
	}
	a := &answer{status: o.status, charge: cost(o), count: -1}
	if o.record != nil {
		a.etag = o.record.etag()
		if !r.minimal() {
			a.body = o.record.appendJSON(nil, &c.home)
		}
	}
	a.seen(t.reached())
	return a, nil
}

// cost is what an operation of a transaction costs.
func cost(o outcome) float64 {
	switch {
	case o.read:
		return chargeRead(len(o.record.body))
	case o.record == nil:
		return chargeChange(len(o.removed.body), len(o.removed.entries))
	case o.status == http.StatusCreated:
		return chargeCreate(len(o.record.body), len(o.record.entries))
	}
	return chargeChange(len(o.record.body), len(o.record.entries))
}
