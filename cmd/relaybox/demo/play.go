package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/relaybox/relaybox/outbox"
)

// pace spreads writes over a time, in bursts; the zero value is full speed.
type pace struct {
	over  time.Duration
	burst int
}

// due is when write n of count is to be sent, from the first one.
func (p pace) due(n, count int) time.Duration {
	return p.over * time.Duration(n-n%max(p.burst, 1)) / time.Duration(count)
}

// send lets the clients carry out writes at a pace. before is called ahead of each write;
// its error ends the workload.
func (r *run) send(ctx context.Context, writes []write, p pace, before func(n int) error) error {
	feed := make(chan write)
	var done sync.WaitGroup
	for n := range r.crowd() {
		c := &client{
			http: r.http, base: r.base + "/api/", journal: r.journal,
			rng: rand.New(rand.NewPCG(r.opts.Seed, uint64(n)+1)),
		}
		done.Go(func() {
			for w := range feed {
				if r.fleet != nil {
					c.look(ctx, w)
				}
				if end := c.do(ctx, w); end == refused || end == unknown {
					r.journal.giveUp(w, end)
				}
				r.done.Add(1)
			}
		})
	}
	err := r.feed(ctx, feed, writes, p, before)
	close(feed)
	done.Wait()
	return err
}

func (r *run) feed(ctx context.Context, feed chan<- write, writes []write, p pace, before func(n int) error) error {
	began := time.Now()
	for n, w := range writes {
		if before != nil {
			if err := before(n); err != nil {
				return err
			}
		}
		select {
		case <-time.After(time.Until(began.Add(p.due(n, len(writes))))):
		case <-r.stack.Done():
			return r.stack.Err()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		select {
		case feed <- w:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// awaitApp waits until the app answers for itself: there is no such profile.
func (r *run) awaitApp(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, drainLimit, fmt.Errorf("the app does not answer within %v; see %s", drainLimit, r.logFile()))
	defer cancel()
	return poll(ctx, 20*time.Millisecond, func() (bool, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+"/api/profiles/nobody", nil)
		if err != nil {
			return false, err
		}
		resp, err := r.http.Do(req)
		if err != nil {
			return false, r.stack.Err()
		}
		return resp.StatusCode == http.StatusNotFound, resp.Body.Close()
	})
}

// drain waits until every committed event has had its effect and was audited.
func (r *run) drain(ctx context.Context) error {
	limit := drainLimit
	if r.fleet != nil {
		limit = fleetDrain
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, ErrNotDrained)
	defer cancel()
	var before [2]int
	return poll(ctx, 50*time.Millisecond, func() (bool, error) {
		effects := r.watch.count()
		now := [2]int{effects, r.audit.count()}
		moving := now != before
		before = now
		if moving {
			return false, nil // reading all documents is dear: wait until it looks done
		}
		return r.drained(ctx)
	})
}

func (r *run) drained(ctx context.Context) (bool, error) {
	store, views, err := r.documents()
	if err != nil {
		return false, err
	}
	events := 0
	for key, p := range store {
		if p.entity == nil || p.entity.LastSeq == 0 {
			continue // nothing was ever written
		}
		events += int(p.entity.LastSeq)
		model := views[key].model
		if len(p.leftover) > 0 || model == nil || model.LastSeq < p.entity.LastSeq {
			return false, nil
		}
	}
	return r.audit.count() >= events && r.consumed(ctx), nil
}

// documents reads the store behind the app's back.
func (r *run) documents() (map[string]partition, map[string]view, error) {
	read := func(container string) []json.RawMessage {
		return r.stack.Cosmos.Documents(r.stack.Settings["COSMOS_DATABASE"], r.stack.Settings[container])
	}
	store, err := readStore(read("COSMOS_OUTBOX_CONTAINER"))
	if err != nil {
		return nil, nil, err
	}
	views, err := readViews(read("COSMOS_INBOX_CONTAINER"))
	return store, views, err
}

// deadLetters are the ids of the messages that the app's subscriptions have given up, by the
// bus's own account.
func (r *run) deadLetters(ctx context.Context) (ids []string, err error) {
	if stream, ok := r.audit.(*streamAudit); ok {
		return stream.letters(ctx)
	}
	for _, path := range r.subscriptions() {
		messages := r.stack.Bus.Peek(path + "/$DeadLetterQueue")
		if messages == nil {
			return nil, fmt.Errorf("the bus has no %s/$DeadLetterQueue", path)
		}
		for _, m := range messages {
			ids = append(ids, m.MessageID)
		}
	}
	return ids, nil
}

// result gathers the evidence and checks it.
func (r *run) result(ctx context.Context) (report, error) {
	store, views, err := r.documents()
	if err != nil {
		return report{}, err
	}
	list, err := readList(r.stack.Cosmos.Documents(r.stack.Settings["COSMOS_DATABASE"], listContainer))
	if err != nil {
		return report{}, err
	}
	bus, dropped, faults := r.audit.events()
	dead, err := r.deadLetters(ctx)
	if err != nil {
		return report{}, err
	}
	rep := report{writes: r.opts.Writes, dropped: dropped, perSecond: r.speed, took: time.Since(r.began)}
	var kept map[string]outbox.Entity
	if r.fleet != nil {
		if kept, err = r.fleet.kept(ctx, store); err != nil {
			return report{}, err
		}
	}
	rep.verdict = check(evidence{attempts: r.journal.attempts, shown: r.journal.shown, recent: r.journal.recent, store: store, views: views, list: list, kept: kept, keptSince: time.Now().Add(-cacheLife), bus: bus, dead: dead})
	rep.broken = append(append(r.journal.unfinished, rep.broken...), faults...)
	for _, attempts := range r.journal.attempts {
		rep.attempts += len(attempts)
	}
	rep.all, rep.calm = latencies(rep.histories, r.watch, r.calm)
	if r.fleet != nil {
		rep.fleet = r.fleet.report()
	}
	return rep, nil
}

// tell prints progress every second, and of a run that may take long every five, until the returned function is called.
func (r *run) tell(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		every := time.Second
		if r.fleet != nil {
			every = 5 * time.Second
		}
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				effects := r.watch.count()
				r.say("%4d writes done, %4d events on the bus, %4d consumed", r.done.Load(), r.audit.count(), effects)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-stopped }
}

// poll calls until at an interval until it says true.
func poll(ctx context.Context, every time.Duration, until func() (bool, error)) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if ok, err := until(); ok || err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
