package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/relaybox/relaybox/azure/cosmos"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// stateEarly is an event that the consumer has, and that waits there for one before it.
const stateEarly eventState = "early"

// consumer is the consumer's store.
func (d *desk) consumer() *cosmos.Inbox {
	return d.client.Inbox(d.where.Database, d.where.Views, cosmos.InboxOptions{Containers: d.where.OwnViews})
}

// earlyKeys visits the keys of which the consumer has early events, each once.
func earlyKeys(ctx context.Context, in *cosmos.Inbox, visit func(key string) error) error {
	seen := map[string]bool{}
	ahead := time.Now().Add(time.Hour) // whoever stored them may have another clock
	return in.Waiting(ctx, ahead, func(page []string) error {
		for _, key := range page {
			if seen[key] {
				continue
			}
			seen[key] = true
			if err := visit(key); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
}

// walkEarly visits the early events that are meant, a key after another, each in the order of its
// numbers. After is the number up to which the consumer has come.
func (e *events) walkEarly(ctx context.Context, d *desk, visit func(one inbox.Early, after int64) error) error {
	in := d.consumer()
	now := time.Now()
	each := func(key string) error {
		kind, _ := outbox.SplitKey(key)
		if e.choice.kind != "" && e.choice.kind != kind {
			return nil
		}
		return in.EachEarly(ctx, key, 0, func(page []inbox.Early) error {
			model, err := in.Load(ctx, key)
			if err != nil {
				return err
			}
			for _, one := range page {
				if !e.choice.agrees(key, kind, now.Sub(one.Since)) || e.choice.eventType != "" && e.choice.eventType != one.Event.Type {
					continue
				}
				if err := visit(one, model.LastSeq); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if e.choice.key != "" {
		return each(e.choice.key)
	}
	return earlyKeys(ctx, in, each)
}

// earlyAsJSON is an early event in the list.
func earlyAsJSON(one inbox.Early, after int64) storedEvent {
	e := one.Event
	return storedEvent{
		Key: e.Key, Seq: e.Seq, State: stateEarly, ID: e.ID, Type: e.Type, Incarnation: e.Incarnation.ID, CreatedAt: e.Time,
		Since: one.Since, WaitsFor: after + 1, TraceParent: e.TraceParent, TraceState: e.TraceState,
	}
}

// earlyRow is its row. Its age is the time that it has waited.
func earlyRow(one inbox.Early, after int64, now time.Time) string {
	e := one.Event
	return fmt.Sprintf("%s\t%d\t%s\t%s\t%v\t-\t-\twaits for event %d", dash(e.Key), e.Seq, dash(e.Type), stateEarly, span(now.Sub(one.Since)), after+1)
}

// showEarly prints an event that the consumer has, and that waits there for one before it.
func (d *desk) showEarly(ctx context.Context, out io.Writer, name eventName, asJSON bool) (found bool, _ error) {
	in := d.consumer()
	var event *inbox.Early
	err := in.EachEarly(ctx, name.key, name.seq, func(page []inbox.Early) error {
		if page[0].Event.Seq == name.seq {
			event = &page[0]
		}
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return false, fmt.Errorf("it is not in the outbox, and the consumer cannot be asked: %w", err)
	}
	if event == nil {
		return false, nil
	}
	model, err := in.Load(ctx, name.key)
	if err != nil {
		return false, err
	}
	one, now := earlyAsJSON(*event, model.LastSeq), time.Now()
	if asJSON {
		one.Data = event.Event.Data
		return true, json.NewEncoder(out).Encode(one)
	}
	table, row := sheet(out)
	row("key", one.Key)
	row("number", one.Seq)
	row("event", one.Type+", "+one.ID)
	row("state", fmt.Sprintf("early: the consumer has it, and waits for event %d", one.WaitsFor))
	row("written", moment(one.CreatedAt, now))
	row("came", moment(one.Since, now))
	row("incarnation", one.Incarnation)
	row("trace", one.TraceParent)
	row("trace state", one.TraceState)
	if err := table.Flush(); err != nil {
		return true, err
	}
	_, err = fmt.Fprintf(out, "data (%s)\n%s\n", plural(len(event.Event.Data), "byte"), bodyText(event.Event.Data))
	return true, err
}
