package cosmos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/relaybox/relaybox/outbox"
)

var _ outbox.Desk = (*Outbox)(nil)

// controlKey is the partition of what operators do, in the container that kinds share. No
// entity has it: a kind begins with a letter.
const controlKey = "$control"

const (
	// deskQuery leaves out what is large.
	deskQuery = "SELECT c.pk, c.seq, c.type, c.source, c.incarnation, c.eventId, c.traceparent, c.tracestate, c.createdAt, c.pending, c.parked, c.fault, c._etag FROM c WHERE c.%s = true"
	// historyQuery goes by seq, the moment of the act in microseconds, because that is indexed.
	historyQuery = "SELECT * FROM c WHERE c.seq > 0 ORDER BY c.seq DESC"
	historyPage  = 50
)

// Waiting walks like Find.
func (o *Outbox) Waiting(ctx context.Context, parked bool, visit func([]outbox.Event) error) error {
	state := "pending"
	if parked {
		state = "parked"
	}
	return o.everywhere(ctx, fmt.Sprintf(deskQuery, state), func(c *container, what op, rows [][]byte) (strays, err error) {
		events := make([]outbox.Event, 0, len(rows))
		for _, row := range rows {
			var d eventDoc // what the query has asked for of it
			if err := json.Unmarshal(row, &d); err != nil {
				return nil, fmt.Errorf("%s: %w", what, err)
			}
			if stray := o.stray(d.PK, c); stray != nil {
				strays = stray
				continue
			}
			events = append(events, d.outline())
		}
		if len(events) == 0 {
			return strays, nil
		}
		return strays, ended(visit(events))
	})
}

// outline is the event without its envelope.
func (d *eventDoc) outline() outbox.Event {
	e := outbox.Event{
		Key: d.PK, Seq: d.Seq, Incarnation: d.Incarnation.ID, ID: d.EventID, Type: d.Type,
		Trace: outbox.Trace{Parent: d.TraceID, State: d.TraceState}, CreatedAt: d.CreatedAt, Revision: d.ETag, Fault: d.fault(),
	}
	if e.ID == "" {
		e.ID = outbox.EventID(d.Source, e.Key, e.Incarnation, e.Seq)
	}
	return e
}

// Release is conditional on the revision, and no answer that was lost is taken for a failure:
// what it may have done is Ambiguous. Who comes second meets the change of the first.
func (o *Outbox) Release(ctx context.Context, e outbox.Event) error {
	var patch azcosmos.PatchOperations
	patch.SetCondition("from c where c.parked = true")
	patch.AppendSet("/pending", true)
	patch.AppendRemove("/parked")
	patch.AppendSet("/fault", 0) // there may be none, and what is not there cannot be removed
	patch.AppendRemove("/fault")
	what := op{"put back an event of", e.Key}
	return o.swap(ctx, what, e, func(now outbox.Event) bool { return now.ID == e.ID && !now.Parked() },
		func(ctx context.Context, items *azcosmos.ContainerClient, opts *azcosmos.ItemOptions) (azcosmos.ItemResponse, error) {
			return items.PatchItem(ctx, azcosmos.NewPartitionKeyString(e.Key), outbox.EventDocID(e.Seq), patch, opts)
		})
}

// Replace is conditional like Release.
func (o *Outbox) Replace(ctx context.Context, e, marker outbox.Event) error {
	what := op{"skip an event of", e.Key}
	enc := encoder{what: what}
	doc := enc.event(e.Key, &marker)
	if enc.err != nil {
		return enc.err
	}
	return o.swap(ctx, what, e, func(now outbox.Event) bool { return now.ID == marker.ID },
		func(ctx context.Context, items *azcosmos.ContainerClient, opts *azcosmos.ItemOptions) (azcosmos.ItemResponse, error) {
			return items.ReplaceItem(ctx, azcosmos.NewPartitionKeyString(e.Key), outbox.EventDocID(e.Seq), doc, opts)
		})
}

// swap changes the document of e under its revision. When that is another one by now, done says
// whether the document is already as it should be.
func (o *Outbox) swap(ctx context.Context, what op, e outbox.Event, done func(now outbox.Event) bool,
	write func(ctx context.Context, items *azcosmos.ContainerClient, opts *azcosmos.ItemOptions) (azcosmos.ItemResponse, error),
) error {
	if err := checkKey(what); err != nil {
		return err
	}
	tag := azcore.ETag(e.Revision)
	room := o.rooms.of(e.Key)
	stale := false
	err := room.do(ctx, what, once, func(ctx context.Context, items *azcosmos.ContainerClient) error {
		r, err := write(ctx, items, &azcosmos.ItemOptions{IfMatchEtag: &tag})
		if stale = changed(err); stale {
			room.heed(err)
			return nil
		}
		if err == nil {
			room.seen(r.RawResponse)
		}
		return err
	})
	if err != nil || !stale {
		return err
	}
	var d eventDoc
	revision, err := room.read(ctx, what, outbox.EventDocID(e.Seq), &d)
	if err != nil {
		return err
	}
	if revision == "" || !done(d.outline()) {
		return outbox.ErrConflict
	}
	return nil
}

// actDoc is the record of an act. Seq is when it was, so that it can be asked for in order.
type actDoc struct {
	ID   string     `json:"id"`
	PK   string     `json:"pk"`
	Kind string     `json:"kind"`
	Seq  int64      `json:"seq"`
	Act  outbox.Act `json:"act"`
}

func newActDoc(a outbox.Act) actDoc {
	return actDoc{ID: "act-" + a.ID, PK: controlKey, Kind: "act", Seq: a.At.UnixMicro(), Act: a}
}

// haltsDocID is the id of the one document of all pauses: a point read tells them.
const haltsDocID = "pauses"

type haltsDoc struct {
	ID   string        `json:"id"`
	PK   string        `json:"pk"`
	Kind string        `json:"kind"`
	List []outbox.Halt `json:"list"`
}

// Halts is a point read of the control partition.
func (o *Outbox) Halts(ctx context.Context) (outbox.Halts, error) {
	var d haltsDoc
	revision, err := o.rooms.of(controlKey).read(ctx, op{"read the pauses of", controlKey}, haltsDocID, &d)
	return outbox.Halts{List: d.List, Revision: revision}, err
}

// SetHalts is one batch in the control partition.
func (o *Outbox) SetHalts(ctx context.Context, h outbox.Halts, a outbox.Act) error {
	what := op{"set the pauses of", controlKey}
	enc := encoder{what: what}
	list := enc.json(haltsDoc{ID: haltsDocID, PK: controlKey, Kind: haltsDocID, List: h.List})
	act := enc.json(newActDoc(a))
	if enc.err != nil {
		return enc.err
	}
	room := o.rooms.of(controlKey)
	return room.do(ctx, what, once, func(ctx context.Context, items *azcosmos.ContainerClient) error {
		t := items.NewTransactionalBatch(azcosmos.NewPartitionKeyString(controlKey))
		if h.Revision == "" {
			t.CreateItem(list, nil)
		} else {
			tag := azcore.ETag(h.Revision)
			t.ReplaceItem(haltsDocID, list, &azcosmos.TransactionalBatchItemOptions{IfMatchETag: &tag})
		}
		t.CreateItem(act, nil)
		_, err := room.execute(ctx, items, t)
		if e, ok := errors.AsType[*batchError](err); ok && (e.status == http.StatusConflict || e.status == http.StatusPreconditionFailed || e.status == http.StatusNotFound) {
			return verdict{outbox.ErrConflict}
		}
		return err
	})
}

// Record writes to the control partition of the container that kinds share.
func (o *Outbox) Record(ctx context.Context, a outbox.Act) error {
	what := op{"record an act in", controlKey}
	enc := encoder{what: what}
	doc := enc.json(newActDoc(a))
	if enc.err != nil {
		return enc.err
	}
	room := o.rooms.of(controlKey)
	return room.do(ctx, what, idempotent, func(ctx context.Context, items *azcosmos.ContainerClient) error {
		r, err := items.UpsertItem(ctx, azcosmos.NewPartitionKeyString(controlKey), doc, nil)
		if err == nil {
			room.seen(r.RawResponse)
		}
		return err
	})
}

// History walks through the control partition, the newest first.
func (o *Outbox) History(ctx context.Context, visit func([]outbox.Act) error) error {
	what := op{"read the records of", controlKey}
	var next *string
	for {
		r, err := o.rooms.of(controlKey).page(ctx, what, historyQuery, azcosmos.NewPartitionKeyString(controlKey), azcosmos.QueryOptions{PageSizeHint: historyPage, ContinuationToken: next})
		if err != nil {
			return err
		}
		acts := make([]outbox.Act, 0, len(r.Items))
		for _, row := range r.Items {
			var d actDoc
			if err := json.Unmarshal(row, &d); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			acts = append(acts, d.Act)
		}
		if len(acts) > 0 {
			if err := visit(acts); err != nil {
				return err
			}
		}
		if next = r.ContinuationToken; next == nil {
			return nil
		}
	}
}
