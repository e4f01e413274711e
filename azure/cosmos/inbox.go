package cosmos

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
	"golang.org/x/sync/errgroup"
)

// modelDocID is the id of the read model in its partition.
const modelDocID = "model"

// InboxOptions tunes an Inbox; the zero value works.
type InboxOptions struct {
	// ReceiptTTL is how long an applied event is remembered; default 7 days. It must
	// exceed the time that the broker may hold a message.
	ReceiptTTL time.Duration
	// Containers are those of kinds that do not share the one, by kind.
	Containers map[string]string
}

// Inbox is the consumer's container, and those of single kinds. It implements inbox.Store.
type Inbox struct {
	rooms rooms
	opts  InboxOptions
}

var _ inbox.Store = (*Inbox)(nil)

// Inbox returns the consumer's view of a container.
func (c *Client) Inbox(database, name string, opts InboxOptions) *Inbox {
	if opts.ReceiptTTL <= 0 {
		opts.ReceiptTTL = 7 * 24 * time.Hour
	}
	return &Inbox{rooms: c.rooms(database, name, opts.Containers), opts: opts}
}

// Load makes two point reads at the same time, 1 RU each: any query costs more.
func (i *Inbox) Load(ctx context.Context, key, eventID string) (m inbox.Model, seen bool, err error) {
	what := op{"load the model of", key}
	if err := checkKey(what); err != nil {
		return inbox.Model{}, false, err
	}
	c := i.rooms.of(key)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		var d inboxReceiptDoc
		revision, err := c.read(gctx, what, inboxDocID(eventID), &d)
		seen = revision != ""
		return err
	})
	m = inbox.Model{Key: key}
	g.Go(func() error {
		var d modelDoc
		revision, err := c.read(gctx, what, modelDocID, &d)
		if revision != "" {
			m = inbox.Model{
				Key: key, LastSeq: d.LastSeq, Incarnation: d.Incarnation, Gaps: d.Gaps, Data: d.Data, Revision: revision,
			}
		}
		return err
	})
	if err := g.Wait(); err != nil {
		return inbox.Model{}, false, transient(what, err)
	}
	return m, seen, nil
}

// Apply stores receipt and model in one batch. The receipt comes first in it, so it
// decides: that makes repeating an Apply safe whose answer was lost.
func (i *Inbox) Apply(ctx context.Context, m inbox.Model, eventID string) error {
	what := op{"apply an event to", m.Key}
	if err := checkKey(what); err != nil {
		return err
	}
	enc := encoder{what: what}
	receipt := enc.json(inboxReceiptDoc{ID: inboxDocID(eventID), PK: m.Key, Kind: "receipt", TTL: seconds(i.opts.ReceiptTTL)})
	model := enc.json(modelDoc{
		ID: modelDocID, PK: m.Key, Kind: "model", LastSeq: m.LastSeq, Incarnation: m.Incarnation, Gaps: m.Gaps, Data: m.Data,
	})
	if enc.err != nil {
		return enc.err
	}
	c := i.rooms.of(m.Key)
	err := c.do(ctx, what, idempotent, func(ctx context.Context, items *azcosmos.ContainerClient) error {
		t := items.NewTransactionalBatch(azcosmos.NewPartitionKeyString(m.Key))
		t.CreateItem(receipt, nil)
		if m.Revision == "" {
			t.CreateItem(model, nil)
		} else {
			tag := azcore.ETag(m.Revision)
			t.ReplaceItem(modelDocID, model, &azcosmos.TransactionalBatchItemOptions{IfMatchETag: &tag})
		}
		_, err := c.execute(ctx, items, t)
		return applied(err)
	})
	return transient(what, err)
}

func applied(err error) error {
	e, ok := errors.AsType[*batchError](err)
	switch {
	case !ok:
	case e.status != http.StatusConflict && e.status != http.StatusPreconditionFailed && e.status != http.StatusNotFound:
	case e.op == 0:
		return verdict{inbox.ErrDuplicate}
	default:
		return verdict{inbox.ErrConflict}
	}
	return err
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

// inboxDocID is the id of an event's receipt. An event id that can't stand in a
// document id is hashed: it comes from whoever sent the event.
func inboxDocID(eventID string) string {
	if eventID != "" && len(eventID) <= 200 && strings.IndexFunc(eventID, unsafe) < 0 {
		return "in-" + eventID
	}
	sum := sha256.Sum256([]byte(eventID))
	return "in-sha256-" + hex.EncodeToString(sum[:])
}

func unsafe(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("-_.:", r)
}
