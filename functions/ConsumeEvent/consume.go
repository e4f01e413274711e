// Package consumeevent is the Service Bus function: it gives each profile event its
// one effect on the read model. Returning an error costs the message a delivery, so
// only what can never work does; an outage of the store is held inside the inbox.
package consumeevent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/profile"
)

// Inbox is what the function needs of an inbox.Inbox.
type Inbox interface {
	Once(ctx context.Context, e inbox.Event) (inbox.Outcome, error)
}

// New returns the function.
func New(in Inbox, log *slog.Logger) http.Handler {
	return azfunc.Handle(func(ctx context.Context, inv *azfunc.Invocation) (azfunc.Result, error) {
		msg, err := inv.Message("message")
		if err != nil {
			return azfunc.Result{}, err
		}
		e, err := decode(msg)
		if err != nil {
			return azfunc.Result{}, fmt.Errorf("message %q (delivery %d): %w", msg.MessageID, msg.DeliveryCount, err)
		}
		outcome, err := in.Once(ctx, e.Event)
		if err != nil {
			return azfunc.Result{}, fmt.Errorf("event %q (delivery %d): %w", e.ID, msg.DeliveryCount, err)
		}
		log.DebugContext(ctx, "consumed", "outcome", outcome.String(), "key", e.Key, "seq", e.Seq,
			"event", e.ID, "type", e.Type, "delivery", msg.DeliveryCount, "traceparent", e.traceparent)
		return azfunc.Result{}, nil
	})
}

// Apply is the read model: it turns the stored view and an event into the new view.
func Apply(model json.RawMessage, e inbox.Event) (json.RawMessage, error) {
	var view profile.View
	if len(model) > 0 {
		if err := json.Unmarshal(model, &view); err != nil {
			return nil, fmt.Errorf("stored view: %w", err)
		}
	}
	change := profile.Event{Type: e.Type}
	if err := json.Unmarshal(e.Data, &change.Data); err != nil {
		return nil, fmt.Errorf("data of %s: %w", e.Type, err)
	}
	next, err := profile.Apply(view, change)
	if err != nil {
		return nil, err
	}
	return json.Marshal(next)
}
