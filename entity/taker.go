package entity

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/relaybox/relaybox/azfunc"
	"github.com/relaybox/relaybox/inbox"
)

// Inbox gives an event its one effect; *inbox.Inbox is one.
type Inbox interface {
	Once(ctx context.Context, e inbox.Event) (inbox.Outcome, error)
}

// Follower is what an Inbox is, too, that wants to know of each message before its event is
// read: it returns the context in which the event is given its effect, and what is called
// with the end.
type Follower interface {
	Follow(ctx context.Context, msg azfunc.Message) (_ context.Context, end func(inbox.Event, inbox.Outcome, error))
}

// Giver is what an Inbox is, too, that lets the events behind one that was refused for good on
// its last delivery go on without it. It knows which delivery is the last.
type Giver interface {
	GiveUp(ctx context.Context, e inbox.Event, delivery int) error
}

// forGood says whether e was refused for what it is, and is the event that it says it is: of
// another refusal nobody knows whose number it would take, and a fault may pass.
func forGood(e inbox.Event, err error) bool {
	switch inbox.ReasonOf(err) {
	case BadData, UnknownEvent, NotApplicable, Panicked:
		return e.Key != ""
	}
	return false
}

// Taker gives the events in messages their effect, whichever broker they come from.
type Taker struct {
	kinds    *Kinds
	in       Inbox
	giver    Giver    // nil: in is none
	follower Follower // nil: in is none
	log      *slog.Logger
}

// Taker returns the taker of the events of all kinds.
func (k *Kinds) Taker(in Inbox, log *slog.Logger) *Taker {
	c := &Taker{kinds: k, in: in, log: log}
	c.giver, _ = in.(Giver)
	c.follower, _ = in.(Follower)
	return c
}

// Take gives the event in a message its effect. An error means that it had none, or that nobody
// knows, and that the broker must deliver the message again, slowly: only what can never work
// returns one soon; an outage of the store is held inside the inbox.
func (c *Taker) Take(ctx context.Context, msg azfunc.Message) error {
	end := func(inbox.Event, inbox.Outcome, error) {}
	if c.follower != nil {
		ctx, end = c.follower.Follow(ctx, msg)
	} else if parent, ok := msg.Properties["traceparent"].(string); ok {
		ctx = azfunc.WithTraceparent(ctx, parent) // the writer's, for the log
	}
	e, outcome, err := c.consume(ctx, msg)
	end(e, outcome, err)
	if err != nil {
		tellRefused(ctx, c.log, msg, err)
		c.giveUp(ctx, e, msg, err)
		return fmt.Errorf("message %q (delivery %d): %w", msg.MessageID, msg.DeliveryCount, err)
	}
	c.log.DebugContext(ctx, "consumed", "outcome", outcome.String(), "key", e.Key, "seq", e.Seq,
		"event", e.ID, "type", e.Type, "delivery", msg.DeliveryCount)
	return nil
}

// giveUp lets those behind an event that was refused for good go on, if the delivery was its last.
func (c *Taker) giveUp(ctx context.Context, e inbox.Event, msg azfunc.Message, err error) {
	if c.giver == nil || !forGood(e, err) {
		return
	}
	if err := c.giver.GiveUp(ctx, e, msg.DeliveryCount); err != nil {
		c.log.WarnContext(ctx, "event given up, and not noted: those behind it wait for it", "key", e.Key, "seq", e.Seq, "event", e.ID, "error", err)
	}
}

// Consume is the Service Bus function for the events of all kinds; binding is the name of
// its trigger in function.json. An error costs the message a delivery.
func (k *Kinds) Consume(binding string, in Inbox, log *slog.Logger) http.Handler {
	var back inbox.GiveBack
	c := k.Taker(in, log)
	return azfunc.Handle(func(ctx context.Context, inv *azfunc.Invocation) (azfunc.Result, error) {
		msg, err := inv.Message(binding)
		if err != nil {
			return azfunc.Result{}, err
		}
		if err := c.Take(ctx, msg); err != nil {
			back.Pause(ctx, msg.DeliveryCount)
			return azfunc.Result{}, err
		}
		return azfunc.Result{}, nil
	})
}

// consume gives a message's event its effect. A panic is a refusal: it would come again
// with every delivery.
func (c *Taker) consume(ctx context.Context, msg azfunc.Message) (e inbox.Event, outcome inbox.Outcome, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = inbox.Refuse(Panicked, "%v", p)
			if toldOf(msg) {
				c.log.ErrorContext(ctx, "panic over an event", "message", msg.MessageID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			}
		}
	}()
	// From the body alone: in text mode the host lets a body replace the broker's metadata.
	if e, err = c.kinds.Event(msg.Body, msg.SessionID); err != nil {
		return e, 0, err
	}
	outcome, err = c.in.Once(ctx, e)
	return e, outcome, err
}

// tellRefused logs why a message can never be applied: its dead letter will only say that it
// was delivered too often. Other faults may pass, and are none of its business.
func tellRefused(ctx context.Context, log *slog.Logger, msg azfunc.Message, err error) {
	if reason := inbox.ReasonOf(err); reason != "" && toldOf(msg) {
		log.ErrorContext(ctx, "event refused: it can never be applied", "signal", "refused", "reason", string(reason),
			"message", msg.MessageID, "session", msg.SessionID, "delivery", msg.DeliveryCount, "error", err)
	}
}

// toldOf says whether the log is to have this delivery of a message that is refused each
// time: the first, the second, the fourth and so on. One may have died before it was told.
func toldOf(m azfunc.Message) bool { return m.DeliveryCount&(m.DeliveryCount-1) == 0 }
