package rest

import (
	"errors"
	"net/http"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos/internal/account"
	"github.com/relaybox/relaybox/local/minicosmos/internal/document"
	"github.com/relaybox/relaybox/local/minicosmos/internal/refusal"
	"github.com/relaybox/relaybox/local/minicosmos/internal/wire"
	"github.com/relaybox/relaybox/local/minicosmos/partition"
)

// documentFeed answers /docs: create, upsert, batch, query, its plan, list.
func (s *Service) documentFeed(r *call, c *account.Container) (*wire.Answer, *refusal.Error) {
	switch {
	case r.on == wire.OpPlan:
		return s.plan(r, c)
	case r.Method == http.MethodGet:
		return s.list(r, c)
	case r.Method != http.MethodPost:
		return nil, refusal.NotAllowed("The feed of documents knows GET and POST.")
	case r.Flag("X-Ms-Cosmos-Is-Batch-Request"):
		return s.batch(r, c)
	case r.IsQuery():
		return s.query(r, c)
	}
	pk, bad := r.partitionKey(c)
	if bad != nil {
		return nil, bad
	}
	doc, bad := r.JSON()
	if bad != nil {
		return nil, bad
	}
	return s.single(c, pk, r.Minimal(), func(t *account.Transaction) (account.Outcome, *refusal.Error) {
		if r.Flag("X-Ms-Documentdb-Is-Upsert") {
			return t.Upsert(doc, r.Header.Get("If-Match"))
		}
		return t.Create(doc)
	})
}

// documentResource answers /docs/{id}: read, replace, patch, delete.
func (s *Service) documentResource(r *call, c *account.Container) (*wire.Answer, *refusal.Error) {
	pk, bad := r.partitionKey(c)
	if bad != nil {
		return nil, bad
	}
	id, ifMatch := r.Names[2], r.Header.Get("If-Match")
	switch r.Method {
	case http.MethodGet:
		return s.read(r, c, pk, id)
	case http.MethodDelete:
		return s.single(c, pk, r.Minimal(), func(t *account.Transaction) (account.Outcome, *refusal.Error) { return t.Remove(id, ifMatch) })
	case http.MethodPut, http.MethodPatch:
	default:
		return nil, refusal.NotAllowed("A document knows GET, PUT, PATCH and DELETE.")
	}
	sent, bad := r.JSON()
	if bad != nil {
		return nil, bad
	}
	if r.Method == http.MethodPut {
		return s.single(c, pk, r.Minimal(), func(t *account.Transaction) (account.Outcome, *refusal.Error) { return t.Replace(id, sent, ifMatch) })
	}
	p, bad := document.ParsePatch(sent)
	if bad != nil {
		return nil, bad
	}
	return s.single(c, pk, r.Minimal(), func(t *account.Transaction) (account.Outcome, *refusal.Error) { return t.Patch(id, p, ifMatch) })
}

// partitionKey reads the header that every operation on documents but a query needs.
func (r *call) partitionKey(c *account.Container) (partition.Key, *refusal.Error) {
	header := r.Header.Get("X-Ms-Documentdb-Partitionkey")
	if header == "" {
		return nil, refusal.BadRequest("The header x-ms-documentdb-partitionkey is missing.")
	}
	pk, err := partition.ParseHeader(header)
	if err != nil {
		return nil, refusal.BadRequest("%v", err)
	}
	if len(pk) != len(c.PK.Paths) {
		return nil, refusal.BadRequest("Partition key provided either doesn't correspond to definition in the collection or doesn't match partition key field values specified in the document: %d values for %d paths.", len(pk), len(c.PK.Paths))
	}
	return pk, nil
}

// read answers a point read from the newest view, without a lock.
func (s *Service) read(r *call, c *account.Container, pk partition.Key, id string) (a *wire.Answer, bad *refusal.Error) {
	at, bad := s.see(r, c)
	if bad != nil {
		return nil, bad
	}
	rec, err := document.Find(at.View, c.Number, pk.AppendStorage(nil), id)
	if err = errors.Join(err, at.Release()); err != nil {
		return nil, refusal.Internal(err)
	}
	if rec == nil || rec.Expired(time.Now().Unix()) {
		return nil, refusal.NotFound
	}
	in := at.Layout.OfKey(&c.PK, pk)
	a = &wire.Answer{Status: http.StatusOK, ETag: rec.ETag(), Charge: wire.ChargeRead(len(rec.Body)), Count: -1}
	if r.Header.Get("If-None-Match") == a.ETag {
		a.Status = http.StatusNotModified
	} else {
		a.Body = rec.AppendJSON(make([]byte, 0, len(rec.Body)+256), &c.Home)
	}
	a.Seen(in, at.Token(in))
	return a, nil
}

// single runs a transaction of one operation.
func (s *Service) single(c *account.Container, pk partition.Key, minimal bool, write func(*account.Transaction) (account.Outcome, *refusal.Error)) (*wire.Answer, *refusal.Error) {
	t, bad := s.Account.Begin(c, pk)
	if bad != nil {
		return nil, bad
	}
	defer t.End()
	o, bad := write(t)
	if bad != nil {
		return nil, bad
	}
	if err := t.Commit(); err != nil {
		return nil, refusal.Of(err)
	}
	a := &wire.Answer{Status: o.Status, Charge: cost(o), Count: -1}
	if o.Record != nil {
		a.ETag = o.Record.ETag()
		if o.Shown(minimal) {
			a.Body = o.Record.AppendJSON(nil, &c.Home)
		}
	}
	a.Seen(t.Reached())
	return a, nil
}

// cost is what an operation of a transaction costs.
func cost(o account.Outcome) float64 {
	switch {
	case o.Read:
		return wire.ChargeRead(len(o.Record.Body))
	case o.Record == nil:
		return wire.ChargeChange(len(o.Removed.Body), o.Removed.Indexed())
	case o.Status == http.StatusCreated:
		return wire.ChargeCreate(len(o.Record.Body), o.Record.Indexed())
	}
	return wire.ChargeChange(len(o.Record.Body), o.Record.Indexed())
}
