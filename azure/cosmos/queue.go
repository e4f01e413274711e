package cosmos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/relaybox/relaybox/outbox"
)

const (
	// findQuery and parkedQuery filter and project, nothing else: that is all the gateway
	// serves across partitions.
	findQuery    = "SELECT c.pk, c.createdAt FROM c WHERE c.pending = true"
	parkedQuery  = "SELECT c.pk, c.createdAt, c.parked, c.fault FROM c WHERE c.parked = true"
	pendingQuery = "SELECT TOP %d * FROM c WHERE (c.pending = true OR c.parked = true) AND c.seq > @after ORDER BY c.seq"
	leftQuery    = "SELECT c.seq, c.incarnation, c._etag FROM c WHERE (c.pending = true OR c.parked = true) AND c.seq >= @first AND c.seq <= @last ORDER BY c.seq"
)

// Find walks through all containers, from another one each time: a backlog in one does not
// hide the others, and neither does one that cannot be searched. Its error names all that
// could not.
func (o *Outbox) Find(ctx context.Context, visit func([]outbox.Head) error) error {
	once := distinct{}
	return o.findAll(ctx, findQuery, func(heads []outbox.Head) error { return visit(once.of(heads)) })
}

// distinctKeys bounds the keys that one Find remembers. Those behind them are named once a page.
const distinctKeys = 10_000

// distinct are the keys that a Find has named, with the time of the oldest event that it has
// told of: the query has a row for each event, because the gateway groups nothing across
// partitions.
type distinct map[string]time.Time

// of leaves one head of each key, the oldest, unless an older one was told before.
func (d distinct) of(heads []outbox.Head) []outbox.Head {
	at := make(map[string]int, len(heads))
	fresh := heads[:0]
	for _, h := range heads {
		i, ok := at[h.Key]
		told, before := d[h.Key]
		switch {
		case ok:
			if h.CreatedAt.Before(fresh[i].CreatedAt) {
				fresh[i] = h
			}
		case !before || h.CreatedAt.Before(told):
			at[h.Key] = len(fresh)
			fresh = append(fresh, h)
		}
	}
	for _, h := range fresh {
		if _, ok := d[h.Key]; ok || len(d) < distinctKeys {
			d[h.Key] = h.CreatedAt
		}
	}
	return fresh
}

// Parked walks like Find. There is no index on the time when an event is due: who asks
// counts all of them anyway.
func (o *Outbox) Parked(ctx context.Context, visit func([]outbox.Head) error) error {
	return o.findAll(ctx, parkedQuery, visit)
}

func (o *Outbox) findAll(ctx context.Context, query string, visit func([]outbox.Head) error) error {
	return o.everywhere(ctx, query, func(c *container, what op, rows [][]byte) (strays, err error) {
		heads, err := headsOf(what, rows)
		if err != nil {
			return nil, err
		}
		heads = slices.DeleteFunc(heads, func(h outbox.Head) bool {
			stray := o.stray(h.Key, c)
			if stray != nil {
				strays = stray
			}
			return stray != nil
		})
		if len(heads) == 0 {
			return strays, nil
		}
		return strays, ended(visit(heads))
	})
}

// stray says that an event lies in another container than its kind's.
func (o *Outbox) stray(key string, in *container) error {
	if belongs := o.rooms.of(key); belongs != in {
		return &strayError{key: key, in: in.name, belongs: belongs.name}
	}
	return nil
}

// endedError is what a visitor has ended a search with.
type endedError struct{ err error }

func (e *endedError) Error() string { return e.err.Error() }

func ended(err error) error {
	if err == nil {
		return nil
	}
	return &endedError{err}
}

// everywhere runs a cross-partition query in all containers, page by page, from another
// container each time. Its error names all that could not be searched, unless the visitor has
// ended it.
func (o *Outbox) everywhere(ctx context.Context, query string, visit func(c *container, what op, rows [][]byte) (strays, err error)) error {
	var faults []error
	first := int(o.rooms.turn.Add(1))
	for i := range o.rooms.all {
		c := o.rooms.all[(first+i)%len(o.rooms.all)]
		err := o.find(ctx, c, query, visit)
		if e, ok := errors.AsType[*endedError](err); ok {
			return e.err
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// find walks through all pages of the cross-partition query, empty ones included.
func (o *Outbox) find(ctx context.Context, c *container, query string, visit func(c *container, what op, rows [][]byte) (strays, err error)) error {
	what := op{"find events in", c.name}
	var next *string
	var strays error
	for {
		r, err := c.page(ctx, what, query, azcosmos.NewPartitionKey(), azcosmos.QueryOptions{PageSizeHint: o.opts.FindPage, ContinuationToken: next})
		if err != nil {
			return err
		}
		stray, err := visit(c, what, r.Items)
		if err != nil {
			return err
		}
		if stray != nil {
			strays = stray
		}
		if next = r.ContinuationToken; next == nil {
			return strays
		}
	}
}

func headsOf(what op, rows [][]byte) ([]outbox.Head, error) {
	heads := make([]outbox.Head, 0, len(rows))
	for _, row := range rows {
		var d eventDoc // what the query has asked for of it
		if err := json.Unmarshal(row, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		h := outbox.Head{Key: d.PK, CreatedAt: d.CreatedAt}
		if f := d.fault(); f != nil {
			h.Due = f.Due()
		}
		heads = append(heads, h)
	}
	return heads, nil
}

// Pending takes the first page and no other: one page comes from one replica and so is
// a prefix of what was written, two pages need not be (design §4.5).
func (o *Outbox) Pending(ctx context.Context, key string, after int64, limit int) ([]outbox.Event, error) {
	what := op{"read events of", key}
	if err := checkKey(what); err != nil {
		return nil, err
	}
	c := o.rooms.of(key)
	r, err := c.page(ctx, what, fmt.Sprintf(pendingQuery, limit), azcosmos.NewPartitionKeyString(key), azcosmos.QueryOptions{
		PageSizeHint: int32(limit), QueryParameters: []azcosmos.QueryParameter{{Name: "@after", Value: after}},
	})
	if err != nil {
		return nil, err
	}
	events := make([]outbox.Event, 0, len(r.Items))
	for _, row := range r.Items {
		var d eventDoc
		if err := json.Unmarshal(row, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		c.place.seen(containerRID(d.RID))
		e, err := d.event()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		events = append(events, e)
	}
	return prefix(events), nil
}

// prefix cuts events where order or contiguity ends. A gap behind a parked event is no
// gap: where parked events are skipped, its followers were sent and settled.
func prefix(events []outbox.Event) []outbox.Event {
	for i := 1; i < len(events); i++ {
		last, e := events[i-1], events[i]
		if e.Seq != last.Seq+1 && (e.Seq <= last.Seq || !last.Parked()) {
			return events[:i]
		}
	}
	return events
}

// page runs a query and returns one page of it.
func (k *container) page(ctx context.Context, what op, query string, pk azcosmos.PartitionKey, q azcosmos.QueryOptions) (r azcosmos.QueryItemsResponse, err error) {
	err = k.do(ctx, what, idempotent, func(ctx context.Context, items *azcosmos.ContainerClient) error {
		if token := k.tokens.get(); token != "" {
			q.SessionToken = &token
		} else {
			q.SessionToken = nil
		}
		var err error
		if r, err = items.NewQueryItemsPager(query, pk, &q).NextPage(ctx); err == nil {
			k.seen(r.RawResponse)
		}
		return err
	})
	return r, err
}

// Settle deletes acknowledged events, the oldest first, so that what is left after a
// crash is a suffix.
func (o *Outbox) Settle(ctx context.Context, key string, events []outbox.Event) error {
	what := op{"settle events of", key}
	if err := checkKey(what); err != nil {
		return err
	}
	for len(events) > 0 {
		n := min(len(events), o.opts.SettleBatch)
		if err := o.settle(ctx, what, events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	return nil
}

func (o *Outbox) settle(ctx context.Context, what op, events []outbox.Event) error {
	gone, err := o.deleteAll(ctx, what, events)
	if err != nil || !gone {
		return err
	}
	// Somebody else settled some of them, most likely all, or parked one. What a lagging
	// replica hides from this query stays pending and goes out once more, which is harmless.
	if events, err = o.left(ctx, what, events); err != nil {
		return err
	}
	if gone, err = o.deleteAll(ctx, what, events); err != nil || !gone {
		return err
	}
	for i := range events {
		if _, err := o.deleteAll(ctx, what, events[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// revisionOf is the condition of a deletion: what stands under the event's number may be the
// event of a container that was made anew since.
func revisionOf(e outbox.Event) *azcore.ETag {
	if e.Revision == "" {
		return nil
	}
	tag := azcore.ETag(e.Revision)
	return &tag
}

// deleteAll deletes the events in one batch. gone means that nothing was deleted, because
// one of several was not there, or not as it was read.
func (o *Outbox) deleteAll(ctx context.Context, what op, events []outbox.Event) (gone bool, err error) {
	pk, c := azcosmos.NewPartitionKeyString(what.what), o.rooms.of(what.what)
	err = c.do(ctx, what, idempotent, func(ctx context.Context, items *azcosmos.ContainerClient) error {
		gone = false
		switch len(events) {
		case 0:
			return nil
		case 1:
			r, err := items.DeleteItem(ctx, pk, outbox.EventDocID(events[0].Seq), &azcosmos.ItemOptions{IfMatchEtag: revisionOf(events[0])})
			if changed(err) {
				c.heed(err)
				gone = !missing(err)
				return nil
			}
			c.seen(r.RawResponse)
			return err
		}
		t := items.NewTransactionalBatch(pk)
		for i := range events {
			t.DeleteItem(outbox.EventDocID(events[i].Seq), &azcosmos.TransactionalBatchItemOptions{IfMatchETag: revisionOf(events[i])})
		}
		_, err := c.execute(ctx, items, t)
		if e, ok := errors.AsType[*batchError](err); ok && (e.status == http.StatusNotFound || e.status == http.StatusPreconditionFailed) {
			gone = true
			return nil
		}
		return err
	})
	return gone, err
}

// left returns those of the events that are still stored, as they are now.
func (o *Outbox) left(ctx context.Context, what op, events []outbox.Event) ([]outbox.Event, error) {
	r, err := o.rooms.of(what.what).page(ctx, what, leftQuery, azcosmos.NewPartitionKeyString(what.what), azcosmos.QueryOptions{
		PageSizeHint: int32(len(events)),
		QueryParameters: []azcosmos.QueryParameter{
			{Name: "@first", Value: events[0].Seq}, {Name: "@last", Value: events[len(events)-1].Seq},
		},
	})
	if err != nil {
		return nil, err
	}
	type number struct {
		life string
		seq  int64
	}
	stored := make(map[number]string, len(r.Items)) // their revisions
	for _, row := range r.Items {
		var d eventDoc
		if err := json.Unmarshal(row, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		stored[number{d.Incarnation.ID, d.Seq}] = d.ETag
	}
	var left []outbox.Event
	for _, e := range events {
		if revision, ok := stored[number{e.Incarnation, e.Seq}]; ok {
			e.Revision = revision // it may have been parked since
			left = append(left, e)
		}
	}
	return left, nil
}

// Park is conditional twice: on the state, and on the revision that was read. A retry
// after a lost answer meets its own change, and knows it by the fault.
func (o *Outbox) Park(ctx context.Context, e outbox.Event, f outbox.Fault) error {
	what := op{"park an event of", e.Key}
	if err := checkKey(what); err != nil {
		return err
	}
	var patch azcosmos.PatchOperations
	if e.Parked() {
		patch.SetCondition("from c where c.parked = true")
	} else {
		patch.SetCondition("from c where c.pending = true")
		patch.AppendRemove("/pending")
		patch.AppendSet("/parked", true)
	}
	patch.AppendSet("/fault", f)
	opts := &azcosmos.ItemOptions{}
	if e.Revision != "" {
		tag := azcore.ETag(e.Revision)
		opts.IfMatchEtag = &tag
	}
	c := o.rooms.of(e.Key)
	moved := false
	err := c.do(ctx, what, idempotent, func(ctx context.Context, items *azcosmos.ContainerClient) error {
		r, err := items.PatchItem(ctx, azcosmos.NewPartitionKeyString(e.Key), outbox.EventDocID(e.Seq), patch, opts)
		if moved = changed(err); moved {
			c.heed(err)
			return nil
		}
		c.seen(r.RawResponse)
		return err
	})
	if err != nil || !moved {
		return err
	}
	var d eventDoc
	if _, err := c.read(ctx, what, outbox.EventDocID(e.Seq), &d); err != nil {
		return err
	}
	if now := d.fault(); now == nil || !sameFault(*now, f) { // or it is gone
		return outbox.ErrConflict
	}
	return nil
}

func sameFault(a, b outbox.Fault) bool {
	same := a.At.Equal(b.At) && a.Next.Equal(b.Next)
	a.At, a.Next = b.At, b.Next
	return same && a == b
}

// changed says whether a document is not as the condition of a write wants it, or gone.
func changed(err error) bool {
	status, _ := statusOf(err)
	return status == http.StatusPreconditionFailed || missing(err)
}
