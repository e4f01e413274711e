package cosmos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/replay"
)

var _ replay.Store = (*Outbox)(nil)

const (
	// entitiesQuery takes a kind by its keys: they are indexed, and so is an id.
	entitiesQuery = "SELECT c.pk, c.version, c.deleted, c.replay FROM c WHERE c.id = 'entity' AND c.pk >= @from AND c.pk < @to"
	entitiesPage  = 100 // unless OutboxOptions.FindPage is less
	// backlogQuery has as short rows as can be: the gateway counts nothing across partitions.
	backlogQuery = "SELECT VALUE 1 FROM c WHERE c.pending = true"
)

// Entities is one page of a query over the kind's container; next is the query's continuation.
func (o *Outbox) Entities(ctx context.Context, kind, from string) (page []replay.Found, next string, err error) {
	first := outbox.Key(kind, "")
	what := op{"find the entities of", kind}
	q := azcosmos.QueryOptions{PageSizeHint: min(entitiesPage, o.opts.FindPage), QueryParameters: []azcosmos.QueryParameter{
		{Name: "@from", Value: first}, {Name: "@to", Value: kind + string(first[len(kind)]+1)},
	}}
	if from != "" {
		q.ContinuationToken = &from
	}
	r, err := o.rooms.of(first).page(ctx, what, entitiesQuery, azcosmos.NewPartitionKey(), q)
	if err != nil {
		return nil, "", err
	}
	for _, row := range r.Items {
		var d entityDoc // what the query has asked for of it
		if err := json.Unmarshal(row, &d); err != nil {
			return nil, "", fmt.Errorf("%s: %w", what, err)
		}
		if d.Version > 0 { // or it is an empty tombstone
			page = append(page, replay.Found{Key: d.PK, Gone: d.Deleted, Replay: d.Replay})
		}
	}
	if r.ContinuationToken != nil {
		next = *r.ContinuationToken
	}
	return page, next, nil
}

// Backlog looks at one container after another.
func (o *Outbox) Backlog(ctx context.Context, most int) (int, error) {
	n := 0
	for _, c := range o.rooms.all {
		var next *string
		for n < most {
			r, err := c.page(ctx, op{"count events in", c.name}, backlogQuery, azcosmos.NewPartitionKey(), azcosmos.QueryOptions{PageSizeHint: o.opts.FindPage, ContinuationToken: next})
			if err != nil {
				return 0, err
			}
			n += len(r.Items)
			if next = r.ContinuationToken; next == nil {
				break
			}
		}
	}
	return min(n, most), nil
}

// replayDoc says how far a replay has come, in the control partition.
type replayDoc struct {
	ID   string     `json:"id"`
	PK   string     `json:"pk"`
	Kind string     `json:"kind"`
	Run  replay.Run `json:"run"`
}

// replayDocID has two dots, which no kind has.
func replayDocID(kind, subscription string) string { return "replay." + kind + "." + subscription }

// Replay is a point read of the control partition.
func (o *Outbox) Replay(ctx context.Context, kind, subscription string) (replay.Run, error) {
	var d replayDoc
	revision, err := o.rooms.of(controlKey).read(ctx, op{"read a replay of", controlKey}, replayDocID(kind, subscription), &d)
	d.Run.Revision = revision
	return d.Run, err
}

// KeepReplay is a create or a conditional replace in the control partition.
func (o *Outbox) KeepReplay(ctx context.Context, r replay.Run) (revision string, err error) {
	what := op{"keep the replay of", r.Kind}
	id := replayDocID(r.Kind, r.Subscription)
	enc := encoder{what: what}
	doc := enc.json(replayDoc{ID: id, PK: controlKey, Kind: "replay", Run: r})
	if enc.err != nil {
		return "", enc.err
	}
	room, pk := o.rooms.of(controlKey), azcosmos.NewPartitionKeyString(controlKey)
	err = room.do(ctx, what, once, func(ctx context.Context, items *azcosmos.ContainerClient) error {
		var made azcosmos.ItemResponse
		var err error
		if r.Revision == "" {
			made, err = items.CreateItem(ctx, pk, doc, nil)
		} else {
			tag := azcore.ETag(r.Revision)
			made, err = items.ReplaceItem(ctx, pk, id, doc, &azcosmos.ItemOptions{IfMatchEtag: &tag})
		}
		if status, _ := statusOf(err); status == http.StatusConflict || changed(err) {
			room.heed(err)
			return verdict{outbox.ErrConflict}
		}
		if err == nil {
			room.seen(made.RawResponse)
			revision = string(made.ETag)
		}
		return err
	})
	return revision, err
}
