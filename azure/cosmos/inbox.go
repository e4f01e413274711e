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

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// modelDocID is the id of the read model in its partition.
const modelDocID = "model"

const (
	earlyQuery   = "SELECT TOP %d * FROM c WHERE c.earlySince > 0 ORDER BY c.seq"
	fromQuery    = "SELECT * FROM c WHERE c.earlySince > 0 AND c.seq >= @from ORDER BY c.seq"
	waitingQuery = "SELECT c.pk FROM c WHERE c.earlySince < @before"
)

// waitingPage is how many rows a page of Waiting asks for, earlyPage how many events, with their
// data, one of EachEarly.
const (
	waitingPage = 500
	earlyPage   = 100
)

// InboxOptions tunes an Inbox; the zero value works.
type InboxOptions struct {
	// Containers are those of kinds that do not share the one, by kind.
	Containers map[string]string
}

// Inbox is the consumer's container, and those of single kinds. It implements inbox.Store.
type Inbox struct{ rooms rooms }

var _ inbox.Store = (*Inbox)(nil)

// Inbox returns the consumer's view of a container.
func (c *Client) Inbox(database, name string, opts InboxOptions) *Inbox {
	return &Inbox{rooms: c.rooms(database, name, opts.Containers)}
}

// Load is a point read.
func (i *Inbox) Load(ctx context.Context, key string) (inbox.Model, error) {
	what := op{"load the model of", key}
	if err := checkKey(what); err != nil {
		return inbox.Model{}, err
	}
	var d modelDoc
	revision, err := i.rooms.of(key).read(ctx, what, modelDocID, &d)
	switch {
	case err != nil:
		return inbox.Model{}, transient(what, err)
	case revision == "":
		return inbox.Model{Key: key}, nil
	}
	return d.model(key, revision), nil
}

// Commit writes the one document, or a batch if early events come or go.
func (i *Inbox) Commit(ctx context.Context, c inbox.Change) (revision string, err error) {
	key := c.Model.Key
	what := op{"apply events to", key}
	if err := checkKey(what); err != nil {
		return "", err
	}
	if n := c.Operations(); n > maxBatch {
		return "", &outbox.Error{Class: outbox.TooLarge, Op: what.String(), Err: fmt.Errorf("%d operations in a batch, the limit is %d", n, maxBatch)}
	}
	enc := encoder{what: what}
	b := modelBatch{key: key, Change: c, model: enc.with(newModelDoc(&c.Model), "data", c.Model.Data)}
	for n := range c.Add {
		b.add = append(b.add, enc.json(newEarlyDoc(key, &c.Add[n])))
	}
	for n := range c.Refuse {
		d := newEarlyDoc(key, &c.Refuse[n].Early)
		d.Since, d.Refused = 0, c.Refuse[n].Reason
		b.refuse = append(b.refuse, enc.json(d))
	}
	if enc.err != nil {
		return "", enc.err
	}
	room := i.rooms.of(key)
	// A try that was carried out although its answer was lost makes the next one a conflict,
	// and the caller sees what has become of it.
	err = room.do(ctx, what, idempotent, func(ctx context.Context, items *azcosmos.ContainerClient) (err error) {
		if c.Operations() == 1 {
			revision, err = b.single(ctx, room, items)
		} else {
			revision, err = b.batch(ctx, room, items)
		}
		return err
	})
	return revision, transient(what, err)
}

// modelBatch is a Change, encoded once and sent as often as needed.
type modelBatch struct {
	inbox.Change
	key         string
	model       []byte
	add, refuse [][]byte
}

func (b *modelBatch) single(ctx context.Context, room *container, items *azcosmos.ContainerClient) (string, error) {
	pk := azcosmos.NewPartitionKeyString(b.key)
	var r azcosmos.ItemResponse
	var err error
	if b.Model.Revision == "" {
		r, err = items.CreateItem(ctx, pk, b.model, nil)
	} else {
		tag := azcore.ETag(b.Model.Revision)
		r, err = items.ReplaceItem(ctx, pk, modelDocID, b.model, &azcosmos.ItemOptions{IfMatchEtag: &tag})
	}
	if err == nil {
		room.seen(r.RawResponse)
		return string(r.ETag), nil
	}
	if status, _ := statusOf(err); status == http.StatusConflict || status == http.StatusPreconditionFailed || missing(err) {
		room.heed(err)
		return "", verdict{inbox.ErrConflict}
	}
	return "", err
}

func (b *modelBatch) batch(ctx context.Context, room *container, items *azcosmos.ContainerClient) (string, error) {
	t := items.NewTransactionalBatch(azcosmos.NewPartitionKeyString(b.key))
	if b.Model.Revision == "" {
		t.CreateItem(b.model, nil)
	} else {
		tag := azcore.ETag(b.Model.Revision)
		t.ReplaceItem(modelDocID, b.model, &azcosmos.TransactionalBatchItemOptions{IfMatchETag: &tag})
	}
	for _, doc := range b.add {
		t.CreateItem(doc, nil)
	}
	for n := range b.Remove {
		t.DeleteItem(earlyDocID(&b.Remove[n]), nil)
	}
	for n, doc := range b.refuse {
		t.ReplaceItem(earlyDocID(&b.Refuse[n].Early), doc, nil)
	}
	results, err := room.execute(ctx, items, t)
	if e, ok := errors.AsType[*batchError](err); ok {
		switch e.status {
		case http.StatusConflict, http.StatusPreconditionFailed, http.StatusNotFound:
			return "", verdict{inbox.ErrConflict}
		}
	}
	if err != nil {
		return "", err
	}
	return string(results[0].ETag), nil
}

// Early takes one page, the first.
func (i *Inbox) Early(ctx context.Context, key string, limit int) ([]inbox.Early, error) {
	what := op{"read early events of", key}
	if err := checkKey(what); err != nil {
		return nil, err
	}
	r, err := i.rooms.of(key).page(ctx, what, fmt.Sprintf(earlyQuery, limit), azcosmos.NewPartitionKeyString(key), azcosmos.QueryOptions{PageSizeHint: int32(limit)})
	if err != nil {
		return nil, transient(what, err)
	}
	return earlyOf(what, r.Items)
}

// EachEarly visits all early events of a key from a number on, page by page, the lowest numbers
// first. Incarnations may have a number each.
func (i *Inbox) EachEarly(ctx context.Context, key string, from int64, visit func([]inbox.Early) error) error {
	what := op{"read early events of", key}
	if err := checkKey(what); err != nil {
		return err
	}
	q := azcosmos.QueryOptions{PageSizeHint: earlyPage, QueryParameters: []azcosmos.QueryParameter{{Name: "@from", Value: from}}}
	for {
		r, err := i.rooms.of(key).page(ctx, what, fromQuery, azcosmos.NewPartitionKeyString(key), q)
		if err != nil {
			return transient(what, err)
		}
		early, err := earlyOf(what, r.Items)
		if err != nil {
			return err
		}
		if len(early) > 0 {
			if err := visit(early); err != nil {
				return err
			}
		}
		if q.ContinuationToken = r.ContinuationToken; q.ContinuationToken == nil {
			return nil
		}
	}
}

// earlyOf reads a page.
func earlyOf(what op, rows [][]byte) ([]inbox.Early, error) {
	early := make([]inbox.Early, 0, len(rows))
	for _, row := range rows {
		var d earlyDoc
		if err := json.Unmarshal(row, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		early = append(early, inbox.Early{Event: d.Event, Since: time.UnixMilli(d.Since).UTC()})
	}
	return early, nil
}

// Waiting walks through all containers. Its error names all that could not be searched.
func (i *Inbox) Waiting(ctx context.Context, before time.Time, visit func(keys []string) error) error {
	var faults []error
	for _, c := range i.rooms.all {
		ended, err := waitingIn(ctx, c, before, visit)
		if ended {
			return err
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// waitingIn walks through all pages of one container. ended means that visit wants no more.
func waitingIn(ctx context.Context, c *container, before time.Time, visit func(keys []string) error) (ended bool, _ error) {
	what := op{"find early events in", c.name}
	q := azcosmos.QueryOptions{PageSizeHint: waitingPage, QueryParameters: []azcosmos.QueryParameter{{Name: "@before", Value: before.UnixMilli()}}}
	for {
		r, err := c.page(ctx, what, waitingQuery, azcosmos.NewPartitionKey(), q)
		if err != nil {
			return false, transient(what, err)
		}
		var keys []string
		for _, row := range r.Items {
			var d earlyDoc
			if err := json.Unmarshal(row, &d); err != nil {
				return false, fmt.Errorf("%s: %w", what, err)
			}
			keys = append(keys, d.PK)
		}
		if len(keys) > 0 {
			if err := visit(keys); err != nil {
				return true, err
			}
		}
		if q.ContinuationToken = r.ContinuationToken; q.ContinuationToken == nil {
			return false, nil
		}
	}
}

// transient translates the classes into the consumer's terms: only what is wrong with
// the event itself is for ever.
func transient(what op, err error) error {
	e, ok := errors.AsType[*outbox.Error](err)
	if !ok || e.Class.Permanent() {
		return err
	}
	return &inbox.Transient{RetryAfter: e.RetryAfter, Op: what.String(), Err: e.Err}
}
