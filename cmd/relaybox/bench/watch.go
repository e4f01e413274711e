package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	sbadmin "github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus/admin"

	"github.com/relaybox/relaybox/azure/servicebus/admin"
)

const (
	// lookEvery is how often the bus is asked how far it is; feedEvery how often the store is
	// asked for new read models while effects are timed: effects are known no finer.
	lookEvery = 50 * time.Millisecond
	feedEvery = 5 * time.Millisecond
	// patience is how long nothing may move before a run is given up.
	patience = time.Minute
)

// watcher looks at store and bus by their own protocols, behind the app's back.
type watcher struct {
	rig   *rig
	admin *sbadmin.Client
	store *azcosmos.Client
}

func (r *rig) watch() (*watcher, error) {
	client, err := sbadmin.NewClientFromConnectionString(r.settings["SERVICEBUS_CONNECTION"], &sbadmin.ClientOptions{
		ClientOptions: azcore.ClientOptions{Transport: admin.PlainHTTP(r.admin, http.DefaultClient)},
	})
	if err != nil {
		return nil, err
	}
	store, err := azcosmos.NewClientFromConnectionString(r.settings["COSMOS_CONNECTION"], nil)
	return &watcher{r, client, store}, err
}

func (w *watcher) container(setting string) (*azcosmos.ContainerClient, error) {
	return w.store.NewContainer(w.rig.settings["COSMOS_DATABASE"], w.rig.settings[setting])
}

// standing is how far the events are.
type standing struct{ sent, waiting, dead int }

func (w *watcher) standing(ctx context.Context) (s standing, err error) {
	pager := w.admin.NewListSubscriptionsRuntimePropertiesPager(w.rig.settings["EVENTS_TOPIC"], nil)
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return s, fmt.Errorf("ask the bus for its subscriptions: %w", err)
		}
		for _, sub := range page.SubscriptionRuntimeProperties {
			if sub.SubscriptionName == watchName {
				s.sent = int(sub.ActiveMessageCount)
			} else {
				s.waiting, s.dead = int(sub.ActiveMessageCount), int(sub.DeadLetterMessageCount)
			}
		}
	}
	return s, nil
}

// errStuck: nothing has moved for patience.
var errStuck = errors.New("nothing moves any more")

// until waits for a standing; progress hears of each. It is given up when nothing moves: what
// is missing is found by whoever counts.
func (w *watcher) until(ctx context.Context, progress func(standing), done func(standing) bool) (time.Time, error) {
	last, moved := standing{}, time.Now()
	for {
		s, err := w.standing(ctx)
		if err != nil {
			return time.Now(), err
		}
		if s != last {
			last, moved = s, time.Now()
		}
		progress(s)
		if done(s) {
			return time.Now(), nil
		}
		if time.Since(moved) > patience {
			return moved, fmt.Errorf("%w: %d events on the topic, %d waiting, %d dead-lettered", errStuck, s.sent, s.waiting, s.dead)
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return time.Now(), ctx.Err()
		}
	}
}

// peekPage is how many messages one peek asks for.
const peekPage = 250

// topic is everything that has come to the topic, in its order, with the numbers that the
// topic gave it, 0 if the bus does not tell.
func (w *watcher) topic(ctx context.Context) (all []message, numbers []int64, err error) {
	client, err := azservicebus.NewClientFromConnectionString(w.rig.settings["SERVICEBUS_CONNECTION"], nil)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = client.Close(context.WithoutCancel(ctx)) }() // only peeked
	receiver, err := client.NewReceiverForSubscription(w.rig.settings["EVENTS_TOPIC"], watchName, nil)
	if err != nil {
		return nil, nil, err
	}
	for next := int64(1); ; {
		page, err := receiver.PeekMessages(ctx, peekPage, &azservicebus.PeekMessagesOptions{FromSequenceNumber: &next})
		if err != nil {
			return nil, nil, fmt.Errorf("peek the subscription %s: %w", watchName, err)
		}
		if len(page) == 0 {
			return all, numbers, nil
		}
		for _, m := range page {
			next = *m.SequenceNumber + 1
			read, err := readMessage(m.Body)
			if err != nil {
				return nil, nil, fmt.Errorf("message %d: %w", *m.SequenceNumber, err)
			}
			number := int64(0)
			if m.EnqueuedSequenceNumber != nil {
				number = *m.EnqueuedSequenceNumber
			}
			all, numbers = append(all, read), append(numbers, number)
		}
	}
}

func readMessage(text []byte) (m message, err error) {
	var envelope struct {
		PartitionKey string `json:"partitionkey"`
		Sequence     string `json:"sequence"`
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return m, fmt.Errorf("not a CloudEvent: %w", err)
	}
	m.key = plainKey(envelope.PartitionKey)
	m.seq, err = strconv.ParseInt(envelope.Sequence, 10, 64)
	return m, err
}

// plainKey is the id of a profile: older stores have no kinds before it.
func plainKey(pk string) string { return strings.TrimPrefix(pk, "profile:") }

// models are the consumer's read models.
func (w *watcher) models(ctx context.Context) (map[string]model, error) {
	type view struct {
		Applied map[string]int64 `json:"applied"`
	}
	all := map[string]model{}
	var d struct {
		PK      string `json:"pk"`
		LastSeq int64  `json:"lastSeq"`
		Data    struct {
			view
			View view `json:"view"`
		} `json:"data"`
	}
	none := d
	return all, w.query(ctx, "COSMOS_INBOX_CONTAINER", "SELECT c.pk, c.lastSeq, c.data FROM c WHERE c.kind = 'model'", func(text []byte) error {
		d = none
		err := json.Unmarshal(text, &d)
		m := model{lastSeq: d.LastSeq}
		for _, v := range []view{d.Data.view, d.Data.View} { // older views have nothing around them
			for _, n := range v.Applied {
				m.applied += n
			}
		}
		all[plainKey(d.PK)] = m
		return err
	})
}

// stored are the versions of the entities.
func (w *watcher) stored(ctx context.Context) (map[string]int64, error) {
	all := map[string]int64{}
	return all, w.query(ctx, "COSMOS_OUTBOX_CONTAINER", "SELECT c.pk, c.lastSeq FROM c WHERE c.kind = 'entity'", func(text []byte) error {
		var d struct {
			PK      string `json:"pk"`
			LastSeq int64  `json:"lastSeq"`
		}
		err := json.Unmarshal(text, &d)
		all[plainKey(d.PK)] = d.LastSeq
		return err
	})
}

func (w *watcher) query(ctx context.Context, setting, text string, each func([]byte) error) error {
	c, err := w.container(setting)
	if err != nil {
		return err
	}
	for pager := c.NewQueryItemsPager(text, azcosmos.NewPartitionKey(), nil); pager.More(); {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("query %s: %w", setting, err)
		}
		for _, item := range page.Items {
			if err := each(item); err != nil {
				return fmt.Errorf("query %s: %.200s: %w", setting, item, err)
			}
		}
	}
	return nil
}

// effects follows the feed of the read models and notes when each event was in one.
type effects struct {
	mu   sync.Mutex // guards what follows
	seen map[string][]sighting
}

type sighting struct {
	seq int64
	at  time.Time
}

// follow reads the feed until ctx ends.
func (e *effects) follow(ctx context.Context, views *azcosmos.ContainerClient) error {
	o := azcosmos.ChangeFeedOptions{FeedRange: &azcosmos.FeedRange{MaxExclusive: "FF"}}
	for ctx.Err() == nil {
		page, err := views.ReadChangeFeed(ctx, &o)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("follow the read models: %w", err)
		}
		if page.ContinuationToken != "" {
			o = azcosmos.ChangeFeedOptions{Continuation: &page.ContinuationToken}
		}
		if err := e.note(page.Items, time.Now()); err != nil {
			return err
		}
		if len(page.Items) == 0 {
			time.Sleep(feedEvery)
		}
	}
	return nil
}

func (e *effects) note(documents [][]byte, at time.Time) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, text := range documents {
		var d struct {
			PK      string `json:"pk"`
			Kind    string `json:"kind"`
			LastSeq int64  `json:"lastSeq"`
		}
		if err := json.Unmarshal(text, &d); err != nil {
			return fmt.Errorf("read a view's document: %w", err)
		}
		if d.Kind == "model" {
			key := plainKey(d.PK)
			e.seen[key] = append(e.seen[key], sighting{d.LastSeq, at})
		}
	}
	return nil
}

// took are the times from when each event's write was due to its effect.
func (e *effects) took(due map[message]time.Time) (all []time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for m, at := range due {
		for _, s := range e.seen[m.key] {
			if s.seq >= m.seq {
				all = append(all, s.at.Sub(at))
				break
			}
		}
	}
	return all
}
