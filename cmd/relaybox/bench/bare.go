package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"

	"github.com/relaybox/relaybox/azure/cosmos"
)

// Containers of the ceiling, with the product's index policy.
const (
	bareDatabase = "bare"
	bareOutbox   = "bare-outbox"
	bareInbox    = "bare-inbox"
)

// bareWorkers send, drain, receive or apply at the same time, as many as the product's.
const bareWorkers = 16

// bare is the protocol without its logic: the requests that cannot be saved, one after
// another, by the SDKs as they are. Nothing is kept, nothing is put together, nobody waits
// for anybody; a conflict is tried again.
type bare struct {
	outbox, inbox *azcosmos.ContainerClient
	bus           *azservicebus.Client
	sender        *azservicebus.Sender
	receiver      *azservicebus.Receiver
}

// bareDoc is an entity, an event or a model: documents of the product's size.
type bareDoc struct {
	ID      string          `json:"id"`
	PK      string          `json:"pk"`
	Kind    string          `json:"kind"`
	Pending bool            `json:"pending,omitempty"`
	Seq     int64           `json:"seq,omitempty"`
	LastSeq int64           `json:"lastSeq,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
	Rest    string          `json:"rest,omitempty"` // as much as the product has beside this
}

// Sizes of the product's documents for a profile of profileBytes, and of what an envelope
// has beside the profile.
const (
	entityBytes   = 800
	eventBytes    = 920
	modelBytes    = 760
	envelopeBytes = 580
)

// sized is the document's text, filled up to a size.
func (d bareDoc) sized(bytes int) []byte {
	const member = len(`,"rest":""`)
	d.Rest = strings.Repeat("r", max(0, bytes-len(encode(d))-member))
	return encode(d)
}

func newBare(ctx context.Context, r *rig) (_ *bare, err error) {
	connection, b := r.settings["COSMOS_CONNECTION"], &bare{}
	making := cosmos.Open(cosmos.Connection{ConnectionString: connection}, cosmos.Options{})
	defer making.Close()
	if err := making.EnsureContainers(ctx, bareDatabase, bareOutbox, bareInbox); err != nil {
		return nil, err
	}
	pool := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 128, IdleConnTimeout: time.Minute}}
	client, err := azcosmos.NewClientFromConnectionString(connection, &azcosmos.ClientOptions{ClientOptions: policy.ClientOptions{Transport: pool}})
	if err != nil {
		return nil, err
	}
	if b.outbox, err = client.NewContainer(bareDatabase, bareOutbox); err != nil {
		return nil, err
	}
	if b.inbox, err = client.NewContainer(bareDatabase, bareInbox); err != nil {
		return nil, err
	}
	if b.bus, err = azservicebus.NewClientFromConnectionString(r.settings["SERVICEBUS_CONNECTION"], nil); err != nil {
		return nil, err
	}
	if b.sender, err = b.bus.NewSender(bareTopic, nil); err != nil {
		return nil, err
	}
	b.receiver, err = b.bus.NewReceiverForSubscription(bareTopic, bareReaders, nil)
	return b, err
}

func (b *bare) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = b.bus.Close(ctx) // the broker goes next
}

// again says whether somebody else was faster.
func again(err error) bool {
	refused, ok := errors.AsType[*azcore.ResponseError](err)
	return ok && (refused.StatusCode == http.StatusConflict || refused.StatusCode == http.StatusPreconditionFailed)
}

func absent(err error) bool {
	refused, ok := errors.AsType[*azcore.ResponseError](err)
	return ok && refused.StatusCode == http.StatusNotFound
}

// write is a point read, and one batch of the entity and its event.
func (b *bare) write(ctx context.Context, key string, n int) (event bareDoc, err error) {
	for {
		entity := bareDoc{ID: "entity", PK: key, Kind: "entity"}
		got, err := b.outbox.ReadItem(ctx, azcosmos.NewPartitionKeyString(key), entity.ID, nil)
		if err != nil && !absent(err) {
			return event, err
		}
		if err == nil {
			if err := json.Unmarshal(got.Value, &entity); err != nil {
				return event, err
			}
		}
		entity.LastSeq, entity.Data, entity.Rest = entity.LastSeq+1, json.RawMessage(body(n)), ""
		event = bareDoc{ID: fmt.Sprintf("ob-%020d", entity.LastSeq), PK: key, Kind: "event", Pending: true, Seq: entity.LastSeq, Data: bareData(key, entity)}
		batch := b.outbox.NewTransactionalBatch(azcosmos.NewPartitionKeyString(key))
		if text := entity.sized(entityBytes); got.ETag == "" {
			batch.CreateItem(text, nil)
		} else {
			batch.ReplaceItem(entity.ID, text, &azcosmos.TransactionalBatchItemOptions{IfMatchETag: &got.ETag})
		}
		batch.CreateItem(event.sized(eventBytes), nil)
		answer, err := b.outbox.ExecuteTransactionalBatch(ctx, batch, nil)
		switch {
		case again(err) || err == nil && !answer.Success:
			continue
		default:
			return event, err
		}
	}
}

func bareData(key string, entity bareDoc) json.RawMessage {
	return encode(map[string]any{"id": key, "state": entity.Data})
}

// bareEnvelope is as large as the product's.
func bareEnvelope(e bareDoc) json.RawMessage {
	return encode(map[string]any{
		"specversion": "1.0", "type": "relaybox.profile.updated", "subject": e.PK, "datacontenttype": "application/json",
		"sequence": fmt.Sprintf("%020d", e.Seq), "rest": strings.Repeat("r", envelopeBytes-200), "data": e.Data,
	})
}

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers only
	}
	return text
}

func bareMessage(e bareDoc) *azservicebus.Message {
	id, kind := e.PK+e.ID, "application/json"
	return &azservicebus.Message{MessageID: &id, SessionID: &e.PK, ContentType: &kind, Body: bareEnvelope(e)}
}

// apply is a read of the model and its replacement.
func (b *bare) apply(ctx context.Context, m *azservicebus.ReceivedMessage) error {
	key, pk := *m.SessionID, azcosmos.NewPartitionKeyString(*m.SessionID)
	var envelope struct {
		Data struct{ State json.RawMessage } `json:"data"`
	}
	if err := json.Unmarshal(m.Body, &envelope); err != nil {
		return err
	}
	for {
		model := bareDoc{ID: "model", PK: key, Kind: "model"}
		got, err := b.inbox.ReadItem(ctx, pk, model.ID, nil)
		if err != nil && !absent(err) {
			return err
		}
		if err == nil {
			if err := json.Unmarshal(got.Value, &model); err != nil {
				return err
			}
		}
		model.LastSeq, model.Data, model.Rest = model.LastSeq+1, envelope.Data.State, ""
		if got.ETag == "" {
			_, err = b.inbox.CreateItem(ctx, pk, model.sized(modelBytes), nil)
		} else {
			_, err = b.inbox.ReplaceItem(ctx, pk, model.ID, model.sized(modelBytes), &azcosmos.ItemOptions{IfMatchEtag: &got.ETag})
		}
		if !again(err) {
			return err
		}
	}
}

// bareWrite is the ceiling of writing.
func bareWrite(keys []string) func(context.Context, *trial) (Figures, error) {
	return func(ctx context.Context, t *trial) (f Figures, err error) {
		b, err := newBare(ctx, t.rig)
		if err != nil {
			return f, err
		}
		defer b.close()
		m, err := meterOf(ctx, t.rig)
		if err != nil {
			return f, err
		}
		var took durations
		err = firstFault(func(fail func(error)) {
			closedLoop(ctx, bareWorkers, len(keys), func(n int) {
				began := time.Now()
				_, err := b.write(ctx, keys[n], n)
				fail(err)
				took.add(time.Since(began))
			})
		})
		f.Events = len(keys)
		err = errors.Join(err, m.stop(ctx, &f, time.Now()))
		f.Answer = spread(took.list)
		return f, err
	}
}

// bareSend is the ceiling of the writing side: write, send, delete.
func bareSend(keys []string) func(context.Context, *trial) (Figures, error) {
	return func(ctx context.Context, t *trial) (f Figures, err error) {
		b, err := newBare(ctx, t.rig)
		if err != nil {
			return f, err
		}
		defer b.close()
		m, err := meterOf(ctx, t.rig)
		if err != nil {
			return f, err
		}
		p := &path{bare: b, due: map[string]time.Time{}}
		err = firstFault(func(fail func(error)) {
			closedLoop(ctx, bareWorkers, len(keys), func(n int) { fail(p.write(ctx, keys[n], n, time.Now())) })
		})
		f.Events = len(keys)
		err = errors.Join(err, m.stop(ctx, &f, time.Now()))
		f.Answer = spread(p.answers.list)
		return f, err
	}
}

// bareThrough is the ceiling of the whole path: write, send, delete, receive, apply, complete.
// No more are at work than there are keys: they would only be in each other's way.
func bareThrough(keys []string, clients int, every time.Duration) func(context.Context, *trial) (Figures, error) {
	return func(ctx context.Context, t *trial) (f Figures, err error) {
		b, err := newBare(ctx, t.rig)
		if err != nil {
			return f, err
		}
		defer b.close()
		if err := t.rig.countSends(ctx); err != nil {
			return f, err
		}
		m, err := meterOf(ctx, t.rig)
		if err != nil {
			return f, err
		}
		p := &path{bare: b, due: map[string]time.Time{}}
		own := len(distinct(keys))
		f.Events = len(keys)
		err = firstFault(func(fail func(error)) {
			var receiving sync.WaitGroup
			receiving.Go(func() { fail(p.receive(ctx, len(keys), min(bareWorkers, own))) })
			if every > 0 {
				openLoop(ctx, every, len(keys), func(n int, due time.Time) { fail(p.write(ctx, keys[n], n, due)) })
			} else {
				closedLoop(ctx, min(clients, own), len(keys), func(n int) { fail(p.write(ctx, keys[n], n, time.Now())) })
			}
			receiving.Wait()
		})
		err = errors.Join(err, m.stop(ctx, &f, time.Now()))
		f.Answer, f.Effect = spread(p.answers.list), spread(p.effects.list)
		return f, err
	}
}

// path is the ceiling's whole path under way.
type path struct {
	*bare
	answers, effects durations

	mu  sync.Mutex // guards due
	due map[string]time.Time
}

func (p *path) write(ctx context.Context, key string, n int, due time.Time) error {
	event, err := p.bare.write(ctx, key, n)
	if err != nil {
		return err
	}
	p.answers.add(time.Since(due))
	m := bareMessage(event)
	p.mu.Lock()
	p.due[*m.MessageID] = due
	p.mu.Unlock()
	if err := p.sender.SendMessage(ctx, m, nil); err != nil {
		return err
	}
	_, err = p.outbox.DeleteItem(ctx, azcosmos.NewPartitionKeyString(key), event.ID, nil)
	return err
}

// receive has workers apply n messages.
func (p *path) receive(ctx context.Context, n, workers int) error {
	return firstFault(func(fail func(error)) {
		messages := make(chan *azservicebus.ReceivedMessage)
		var applying sync.WaitGroup
		for range workers {
			applying.Go(func() {
				for m := range messages {
					fail(p.consume(ctx, m))
				}
			})
		}
		for received := 0; received < n && ctx.Err() == nil; {
			page, err := p.receiver.ReceiveMessages(ctx, 4*bareWorkers, nil)
			fail(err)
			for _, m := range page {
				messages <- m
			}
			received += len(page)
		}
		close(messages)
		applying.Wait()
	})
}

func (p *path) consume(ctx context.Context, m *azservicebus.ReceivedMessage) error {
	if err := p.apply(ctx, m); err != nil {
		return err
	}
	p.mu.Lock()
	due := p.due[m.MessageID]
	p.mu.Unlock()
	p.effects.add(time.Since(due))
	return p.receiver.CompleteMessage(ctx, m, nil)
}

// drainPage is how many events one page, one message batch and one batch of deletions take.
const drainPage = 50

// bareDrain is the ceiling of a backlog: a page, one send of all that is on it, one batch of
// deletions. In bulk, many events are written at once.
func bareDrain(keys []string, bulk bool) func(context.Context, *trial) (Figures, error) {
	return func(ctx context.Context, t *trial) (f Figures, err error) {
		b, err := newBare(ctx, t.rig)
		if err != nil {
			return f, err
		}
		defer b.close()
		fill := b.fill
		if bulk {
			fill = b.fillInBulk
		}
		if err := fill(ctx, t, keys); err != nil {
			return f, err
		}
		if err := t.rig.countSends(ctx); err != nil {
			return f, err
		}
		m, err := meterOf(ctx, t.rig)
		if err != nil {
			return f, err
		}
		own, want := distinct(keys), len(keys)
		if bulk {
			want = len(keys) / len(own) * len(own)
		}
		var drained atomic.Int64
		err = firstFault(func(fail func(error)) {
			closedLoop(ctx, bareWorkers, len(own), func(n int) {
				for {
					some, err := b.drain(ctx, own[n])
					fail(err)
					if drained.Add(int64(some)); some < drainPage {
						return
					}
				}
			})
		})
		if f.Events = int(drained.Load()); err == nil && f.Events != want {
			err = fmt.Errorf("%d of %d events were drained", f.Events, want)
		}
		return f, errors.Join(err, m.stop(ctx, &f, time.Now()))
	}
}

// fill writes the backlog as it comes, an event at a time.
func (b *bare) fill(ctx context.Context, t *trial, keys []string) error {
	return firstFault(func(fail func(error)) {
		closedLoop(ctx, bareWorkers, len(keys), func(n int) {
			_, err := b.write(ctx, keys[n], n)
			fail(err)
			t.progress("%d of %d written", n, len(keys))
		})
	})
}

// fillInBulk writes as many events as there are keys, as evenly spread over them as the product's.
func (b *bare) fillInBulk(ctx context.Context, t *trial, keys []string) error {
	own := distinct(keys)
	var written atomic.Int64
	return firstFault(func(fail func(error)) {
		closedLoop(ctx, bareWorkers, len(own), func(n int) {
			for seq, last := 0, len(keys)/len(own); seq < last && ctx.Err() == nil; {
				batch := b.outbox.NewTransactionalBatch(azcosmos.NewPartitionKeyString(own[n]))
				entity := bareDoc{ID: "entity", PK: own[n], Kind: "entity", Data: json.RawMessage(body(n))}
				for range min(last-seq, bulkEvents) {
					seq++
					event := bareDoc{ID: fmt.Sprintf("ob-%020d", seq), PK: own[n], Kind: "event", Pending: true, Seq: int64(seq), Data: bareData(own[n], entity)}
					batch.CreateItem(event.sized(eventBytes), nil)
				}
				entity.LastSeq = int64(seq)
				batch.UpsertItem(entity.sized(entityBytes), nil)
				answer, err := b.outbox.ExecuteTransactionalBatch(ctx, batch, nil)
				if err == nil && !answer.Success {
					err = errors.New("a batch of the backlog was refused")
				}
				fail(err)
				t.progress("%d of %d written", written.Add(int64(len(answer.OperationResults)-1)), len(keys))
			}
		})
	})
}

func (b *bare) drain(ctx context.Context, key string) (n int, err error) {
	pk := azcosmos.NewPartitionKeyString(key)
	page, err := b.outbox.NewQueryItemsPager("SELECT * FROM c WHERE c.pending = true AND c.seq > 0 ORDER BY c.seq", pk, &azcosmos.QueryOptions{PageSizeHint: drainPage}).NextPage(ctx)
	if err != nil || len(page.Items) == 0 {
		return 0, err
	}
	messages, err := b.sender.NewMessageBatch(ctx, nil)
	if err != nil {
		return 0, err
	}
	settled := b.outbox.NewTransactionalBatch(pk)
	for _, text := range page.Items {
		var event bareDoc
		if err := json.Unmarshal(text, &event); err != nil {
			return 0, err
		}
		if err := messages.AddMessage(bareMessage(event), nil); err != nil {
			return 0, err
		}
		settled.DeleteItem(event.ID, nil)
	}
	if err := b.sender.SendMessageBatch(ctx, messages, nil); err != nil {
		return 0, err
	}
	answer, err := b.outbox.ExecuteTransactionalBatch(ctx, settled, nil)
	if err == nil && !answer.Success {
		err = errors.New("a batch of deletions was refused")
	}
	return len(page.Items), err
}
