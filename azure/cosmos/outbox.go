package cosmos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/relaybox/relaybox/outbox"
)

// maxBatch is the service's limit of operations in one batch.
const maxBatch = 100

// OutboxOptions tunes an Outbox; the zero value works.
type OutboxOptions struct {
	// ReceiptTTL is how long an Idempotency-Key is remembered; default 24 h.
	ReceiptTTL time.Duration
	// FindPage is how many keys a page of Find asks for; default 500.
	FindPage int32
	// Containers are those of kinds that do not share the one, by kind.
	Containers map[string]string
	// SettleBatch is how many events one batch deletes; default 50, at most 100. A batch
	// is charged as a whole: on a container of 400 RU/s take 25.
	SettleBatch int
}

// Outbox is the write side's container, and those of single kinds. It implements
// outbox.Store and outbox.Queue.
type Outbox struct {
	rooms rooms
	opts  OutboxOptions
}

var (
	_ outbox.Store = (*Outbox)(nil)
	_ outbox.Queue = (*Outbox)(nil)
)

// Outbox returns the write side's view of a container.
func (c *Client) Outbox(database, name string, opts OutboxOptions) *Outbox {
	if opts.ReceiptTTL <= 0 {
		opts.ReceiptTTL = 24 * time.Hour
	}
	if opts.FindPage <= 0 {
		opts.FindPage = 500
	}
	if opts.SettleBatch <= 0 {
		opts.SettleBatch = 50
	}
	opts.SettleBatch = min(opts.SettleBatch, maxBatch)
	return &Outbox{rooms: c.rooms(database, name, opts.Containers), opts: opts}
}

// Load reads the entity.
func (o *Outbox) Load(ctx context.Context, key string) (outbox.Entity, error) {
	what := op{"load", key}
	if err := checkKey(what); err != nil {
		return outbox.Entity{}, err
	}
	return o.entity(ctx, what)
}

// Receipt reads a receipt.
func (o *Outbox) Receipt(ctx context.Context, key, id string) (*outbox.Receipt, error) {
	what := op{"read a receipt of", key}
	if err := checkKey(what); err != nil {
		return nil, err
	}
	return o.receipt(ctx, what, id)
}

// Barrier writes a marker into the key's partition. The token in the answer is at least as
// new as every write before it, and reads under it see them all. That is what the service
// documents of session consistency.
func (o *Outbox) Barrier(ctx context.Context, key string) error {
	what := op{"write a marker for", key}
	if err := checkKey(what); err != nil {
		return err
	}
	enc := encoder{what: what}
	doc := enc.json(barrierDoc{ID: barrierDocID, PK: key, Kind: barrierDocID, TTL: barrierTTL})
	if enc.err != nil {
		return enc.err
	}
	room := o.rooms.of(key)
	return room.do(ctx, what, idempotent, func(ctx context.Context, items *azcosmos.ContainerClient) error {
		r, err := items.UpsertItem(ctx, azcosmos.NewPartitionKeyString(key), doc, nil)
		if err == nil {
			room.seen(r.RawResponse)
		}
		return err
	})
}

func (o *Outbox) entity(ctx context.Context, what op) (outbox.Entity, error) {
	var d entityDoc
	c := o.rooms.of(what.what)
	revision, err := c.read(ctx, what, entityDocID, &d)
	if err != nil || revision == "" {
		return outbox.Entity{Key: what.what}, err
	}
	e := d.entity(revision)
	rid := containerRID(d.RID)
	c.place.seen(rid)
	c.heard(rid)
	return e, nil
}

// Place reads what the account says about the key's container, seldom.
func (o *Outbox) Place(ctx context.Context, key string) (outbox.Place, error) {
	what := op{"read the container of", key}
	if err := checkKey(what); err != nil {
		return outbox.Place{}, err
	}
	return o.rooms.of(key).whereabouts(ctx, what)
}

func (o *Outbox) receipt(ctx context.Context, what op, id string) (*outbox.Receipt, error) {
	var d receiptDoc
	revision, err := o.rooms.of(what.what).read(ctx, what, id, &d)
	if err != nil || revision == "" {
		return nil, err
	}
	return &outbox.Receipt{ID: d.ID, RequestHash: d.RequestHash, Batch: d.Batch, Answer: d.Answer}, nil
}

// read is a point read. A missing document is no error: its revision is "".
func (k *container) read(ctx context.Context, what op, id string, into any) (revision string, err error) {
	err = k.do(ctx, what, idempotent, func(ctx context.Context, items *azcosmos.ContainerClient) error {
		r, err := items.ReadItem(ctx, azcosmos.NewPartitionKeyString(what.what), id, k.itemOptions())
		if missing(err) {
			k.heed(err)
			return nil
		}
		if err != nil {
			return err
		}
		k.seen(r.RawResponse)
		if err := json.Unmarshal(r.Value, into); err != nil {
			return verdict{fmt.Errorf("%s: document %q: %w", what, id, err)}
		}
		revision = string(r.ETag)
		return nil
	})
	return revision, err
}

// missing tells a missing document from a missing container (substatus 1003) and from
// a replica that lags behind the session token (1002).
func missing(err error) bool {
	status, sub := statusOf(err)
	return status == http.StatusNotFound && (sub == "" || sub == "0")
}

func (k *container) itemOptions() *azcosmos.ItemOptions {
	if token := k.tokens.get(); token != "" {
		return &azcosmos.ItemOptions{SessionToken: &token}
	}
	return nil
}

// Commit stores the batch. The receipts come first in it, so that a twin of a
// request is told as such and not as a conflict.
func (o *Outbox) Commit(ctx context.Context, c outbox.Commit) (made outbox.Revisions, err error) {
	what := op{"commit", c.Key}
	b, err := o.batch(what, c)
	if err != nil {
		return made, err
	}
	room := o.rooms.of(c.Key)
	err = room.do(ctx, what, once, func(ctx context.Context, items *azcosmos.ContainerClient) error {
		results, err := room.execute(ctx, items, b.sdk(items, c.Key))
		if e, ok := errors.AsType[*batchError](err); ok {
			return b.verdict(e)
		}
		if err != nil {
			return err
		}
		if len(results) != len(b.receipts)+1+len(b.events) {
			return errNotAtomic
		}
		made = revisions(results[len(b.receipts):])
		return nil
	})
	return made, err
}

// revisions are those of an entity and the events behind it.
func revisions(results []azcosmos.TransactionalBatchResult) outbox.Revisions {
	made := outbox.Revisions{Entity: string(results[0].ETag)}
	for _, r := range results[1:] {
		made.Events = append(made.Events, string(r.ETag))
	}
	return made
}

// batch is a Commit, encoded once and sent as often as needed: the receipts, the entity,
// the events.
type batch struct {
	ids      []string // of receipts
	receipts [][]byte
	entity   []byte
	ifMatch  *azcore.ETag
	events   [][]byte
}

func (o *Outbox) batch(what op, c outbox.Commit) (*batch, error) {
	if err := checkKey(what); err != nil {
		return nil, err
	}
	if n := len(c.Receipts) + 1 + len(c.Events); n > maxBatch {
		return nil, &outbox.Error{Class: outbox.TooLarge, Op: what.String(), Err: fmt.Errorf("%d operations in a batch, the limit is %d", n, maxBatch)}
	}
	b := &batch{}
	enc := encoder{what: what}
	for _, r := range c.Receipts {
		b.ids = append(b.ids, r.ID)
		b.receipts = append(b.receipts, enc.json(receiptDoc{ID: r.ID, PK: c.Key, Kind: "receipt", RequestHash: r.RequestHash, Batch: r.Batch, Answer: r.Answer, TTL: seconds(o.opts.ReceiptTTL)}))
	}
	b.entity = enc.with(newEntityDoc(c.Key, &c.Entity), "data", c.Entity.Data)
	if c.Entity.Revision != "" {
		tag := azcore.ETag(c.Entity.Revision)
		b.ifMatch = &tag
	}
	for i := range c.Events {
		b.events = append(b.events, enc.event(c.Key, &c.Events[i]))
	}
	return b, enc.err
}

func (b *batch) sdk(items *azcosmos.ContainerClient, key string) azcosmos.TransactionalBatch {
	t := items.NewTransactionalBatch(azcosmos.NewPartitionKeyString(key))
	for _, r := range b.receipts {
		t.CreateItem(r, nil)
	}
	if b.ifMatch == nil {
		t.CreateItem(b.entity, nil)
	} else {
		t.ReplaceItem(entityDocID, b.entity, &azcosmos.TransactionalBatchItemOptions{IfMatchETag: b.ifMatch})
	}
	for _, e := range b.events {
		t.CreateItem(e, nil)
	}
	return t
}

// verdict turns the failed operation of a rolled-back batch into the port's errors.
func (b *batch) verdict(e *batchError) error {
	switch e.status {
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusNotFound:
		if e.op < len(b.ids) {
			return verdict{&outbox.ReceiptExistsError{ID: b.ids[e.op]}}
		}
		return verdict{outbox.ErrConflict}
	}
	return e
}

// execute sends a batch and returns one result for each operation, or *batchError when
// it was rolled back.
func (k *container) execute(ctx context.Context, items *azcosmos.ContainerClient, t azcosmos.TransactionalBatch) ([]azcosmos.TransactionalBatchResult, error) {
	r, err := items.ExecuteTransactionalBatch(ctx, t, nil)
	if err != nil {
		return nil, err
	}
	k.seen(r.RawResponse)
	for i, result := range r.OperationResults {
		switch {
		case result.StatusCode < 400 || result.StatusCode == http.StatusFailedDependency:
		case r.Success:
			return nil, errNotAtomic
		default:
			return nil, &batchError{op: i, status: int(result.StatusCode)}
		}
	}
	if !r.Success || len(r.OperationResults) == 0 {
		return nil, errNotAtomic
	}
	return r.OperationResults, nil
}

// encoder encodes documents and keeps the first error.
type encoder struct {
	what op
	err  error
}

func (e *encoder) json(doc any) []byte {
	text, err := json.Marshal(doc)
	e.note(err)
	return text
}

func (e *encoder) note(err error) {
	if err != nil && e.err == nil {
		e.err = &outbox.Error{Class: outbox.Rejected, Op: e.what.String(), Err: err}
	}
}

// with encodes doc with one more member at its end, unless that is empty. The member is most
// of the document and JSON already: encoding/json would write it anew.
func (e *encoder) with(doc any, name string, member json.RawMessage) []byte {
	text := e.json(doc)
	if len(member) == 0 || e.err != nil {
		return text
	}
	if !json.Valid(member) {
		var nothing json.RawMessage
		e.note(fmt.Errorf("%s: %w", name, json.Unmarshal(member, &nothing))) // says where
		return nil
	}
	whole := make([]byte, 0, len(text)+len(name)+len(member)+4)
	whole = append(append(append(whole, text[:len(text)-1]...), `,"`...), name...)
	return append(append(append(whole, `":`...), member...), '}')
}
