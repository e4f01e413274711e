package entity

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/outbox"
)

// Hearer keeps what events tell of entities; *cache.Feed is one.
type Hearer interface {
	// Hear keeps e, which was so at that time, unless it knows something newer.
	Hear(ctx context.Context, e outbox.Entity, at time.Time) error
}

// Refresh is a Service Bus function that tells a cache of reads what has become of entities; binding is
// the name of its trigger in function.json. It needs no inbox: a version replaces older ones only, whoever
// comes last. What can never be kept is left to the consumer's subscription, which has it, too. Without
// a cache, h is nil and nothing happens.
func (k *Kinds) Refresh(binding string, h Hearer, log *slog.Logger) http.Handler {
	var back inbox.GiveBack
	return azfunc.Handle(func(ctx context.Context, inv *azfunc.Invocation) (azfunc.Result, error) {
		msg, err := inv.Message(binding)
		if err != nil || h == nil {
			return azfunc.Result{}, err
		}
		e, at, err := k.heard(msg)
		if err != nil {
			log.DebugContext(ctx, "event is not for the cache", "message", msg.MessageID, "error", err)
			return azfunc.Result{}, nil
		}
		if err := h.Hear(ctx, e, at); err != nil {
			back.Pause(ctx, msg.DeliveryCount)
			return azfunc.Result{}, fmt.Errorf("message %q (delivery %d): %s: %w", msg.MessageID, msg.DeliveryCount, e.Key, err)
		}
		return azfunc.Result{}, nil
	})
}

// stated is an event that was read.
type stated interface{ whole() json.RawMessage }

func (t told[T]) whole() json.RawMessage { return t.state }

// heard is the entity as it is after the event of a message. A reason why there is none is a refusal.
func (k *Kinds) heard(msg azfunc.Message) (e outbox.Entity, at time.Time, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = inbox.Refuse(Panicked, "%v", p)
		}
	}()
	event, err := k.Event(msg.Body, msg.SessionID)
	if err != nil {
		return e, at, err
	}
	if kind, _ := outbox.SplitKey(event.Key); event.Type == eventType(kind, Snapshot) {
		// Nothing has happened to the entity, and the event's time is not its own.
		return e, at, inbox.Refuse(BadData, "%s tells of no change", event.Type)
	}
	t, ok := event.Decoded.(stated)
	if !ok {
		return e, at, inbox.Refuse(BadData, "%s says nothing about the state", event.Type)
	}
	in := event.Incarnation
	e = outbox.Entity{
		Key: event.Key, Version: event.Version, LastSeq: event.Seq, UpdatedAt: event.Time, Data: asStored(t.whole()),
		Incarnation: outbox.Incarnation{ID: in.ID, First: in.First, Since: in.Since, Drawn: in.Drawn},
	}
	if string(e.Data) == "null" {
		e.Deleted, e.Data = true, nil
	}
	return e, event.Time, nil
}

// asStored undoes what an envelope's encoder escapes and a store does not, because a tag stands for the
// bytes of an answer.
func asStored(state json.RawMessage) json.RawMessage {
	plain := make(json.RawMessage, 0, len(state))
	for i := 0; i < len(state); i++ {
		if state[i] != '\\' || i+1 == len(state) {
			plain = append(plain, state[i])
			continue
		}
		if i+6 <= len(state) {
			if c := escaped[string(state[i:i+6])]; c != 0 {
				plain, i = append(plain, c), i+5
				continue
			}
		}
		plain, i = append(plain, state[i], state[i+1]), i+1
	}
	return plain
}

// escaped are the characters that encoding/json writes as numbers for the sake of HTML.
var escaped = map[string]byte{`\u003c`: '<', `\u003e`: '>', `\u0026`: '&'}
