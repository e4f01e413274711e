package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/internal/pace"
	"github.com/relaybox/relaybox/outbox"
)

// drain is a backlog that is sent while nobody consumes.
type drain struct {
	keys []string
	// bulk has the backlog written by package outbox in this process, many events a batch.
	bulk bool
}

// backlogAge is more than a sweep leaves to the fast path (RELAYBOX_FASTPATH_BUDGET): of a
// younger backlog the look for orphans takes 256 keys a second.
const backlogAge = 6 * time.Second

func (w drain) run(ctx context.Context, t *trial) (f Figures, err error) {
	fill := w.fill
	if w.bulk {
		fill = w.fillInBulk
	}
	l, err := fill(ctx, t)
	if err != nil {
		return f, err
	}
	watcher, err := t.rig.watch()
	if err != nil {
		return f, err
	}
	if o, err := onlyStored(ctx, watcher, l); err != nil || !o.Good() {
		return f, errors.Join(err, fmt.Errorf("the backlog is not what was written: %+v", o))
	}
	if err := pace.Sleep(ctx, backlogAge); err != nil {
		return f, err
	}
	settings := off(noConsumer)
	settings["DISPATCH_SCHEDULE"] = "* * * * * *" // one sweep after another
	if _, err := t.rig.serve(ctx, 1, settings); err != nil {
		return f, err
	}
	if err := t.rig.countSends(ctx); err != nil {
		return f, err
	}
	m, err := meterOf(ctx, t.rig)
	if err != nil {
		return f, err
	}
	return f, w.watch(ctx, t, watcher, l, m, &f)
}

// fill writes the backlog over HTTP, while nobody sends.
func (w drain) fill(ctx context.Context, t *trial) (*load, error) {
	urls, err := t.rig.serve(ctx, 1, off(noDispatch, noConsumer))
	if err != nil {
		return nil, err
	}
	l := newLoad(urls, clients)
	flow{keys: w.keys, clients: clients, goal: stored}.send(ctx, t, l)
	t.rig.dismiss()
	return l, nil
}

// bulkEvents is how many events a batch has in bulk: with the entity, fewer than a
// transaction may have operations.
const bulkEvents = 90

// fillInBulk makes events of one write, as many as fit.
func (w drain) fillInBulk(ctx context.Context, t *trial) (*load, error) {
	store := cosmos.Open(cosmos.Connection{ConnectionString: t.rig.settings["COSMOS_CONNECTION"]}, cosmos.Options{})
	defer store.Close()
	database, container := t.rig.settings["COSMOS_DATABASE"], t.rig.settings["COSMOS_OUTBOX_CONTAINER"]
	if err := store.EnsureContainers(ctx, database, container); err != nil {
		return nil, err
	}
	writer := outbox.NewWriter(store.Outbox(database, container, cosmos.OutboxOptions{}), outbox.WriterOptions{Source: "/relaybox"})
	l, own := newLoad(nil, 1), distinct(w.keys)
	return l, firstFault(func(fail func(error)) {
		closedLoop(ctx, clients, len(own), func(n int) {
			for left := len(w.keys) / len(own); left > 0 && ctx.Err() == nil; left -= bulkEvents {
				fail(l.bulk(ctx, writer, own[n], min(left, bulkEvents)))
			}
			t.progress("%d of %d written", l.sent.Load(), len(w.keys))
		})
	})
}

// bulk is one write with a number of events.
func (l *load) bulk(ctx context.Context, writer *outbox.Writer, key string, events int) error {
	state := json.RawMessage(body(0))
	_, err := writer.Write(ctx, outbox.Request{
		Key: "profile:" + key,
		Decide: func(outbox.Entity) (outbox.Decision, error) {
			d := outbox.Decision{Status: http.StatusOK, Data: state}
			for range events {
				d.Events = append(d.Events, outbox.Draft{Type: "relaybox.profile.updated", Data: map[string]any{"id": key, "state": state}})
			}
			return d, nil
		},
		Render: func(_ outbox.Entity, status int) outbox.Answer { return outbox.Answer{Status: status} },
	})
	if err != nil {
		return err
	}
	l.sent.Add(int64(events))
	l.mu.Lock()
	defer l.mu.Unlock()
	acked := l.writes[key]
	acked.writes += events
	l.writes[key] = acked
	return nil
}

// watch measures from when the first events of the backlog come to the topic.
func (w drain) watch(ctx context.Context, t *trial, watcher *watcher, l *load, m *meter, f *Figures) error {
	n, before := l.acknowledgements(), standing{sent: -1}
	last := time.Now()
	end, err := watcher.until(ctx, func(s standing) {
		if before.sent < 0 || s.sent == before.sent {
			before, last = s, time.Now()
		}
		t.progress("%d of %d sent", s.sent, n)
	}, func(s standing) bool { return s.sent >= n })
	if err == nil {
		f.Events = n - before.sent
		m.began = last
		err = m.stop(ctx, f, end)
	}
	if err != nil && !errors.Is(err, errStuck) {
		return err
	}
	messages, numbers, e := watcher.topic(ctx)
	if e != nil {
		return e
	}
	f.Twice = dropped(numbers, max(0, before.sent))
	if f.Outcome = onTopic(l.writes, messages); f.Outcome.Good() {
		return err
	}
	return nil
}
