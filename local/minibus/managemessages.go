package minibus

import (
	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// What one answer may hold.
const (
	maxPeek      = 256
	maxPeekBytes = 1 << 20
)

// peek shows messages in any state without locking or counting.
func (g *manager) peek(r *request) (response, error) {
	session, one := g.linkSession(r)
	short, _ := r.field("omit-message-body").(bool)
	limit := min(int(r.number("message-count")), maxPeek)
	var list []any
	size := 0
	for m := range g.in.log.all(r.number("from-sequence-number")) {
		if len(list) >= limit || size > maxPeekBytes {
			break
		}
		if one && m.sessionID() != session {
			continue
		}
		encoded := m.appendTo(nil, form{state: true, short: short})
		size += len(encoded)
		list = append(list, amqpwire.Map{{Key: "message", Value: encoded}})
	}
	if len(list) == 0 {
		return nothing(), nil
	}
	return succeed("messages", list), nil
}

// receiveDeferred hands out deferred messages by number.
func (g *manager) receiveDeferred(r *request) (response, error) {
	session, one := g.linkSession(r)
	if g.in.Settings.RequiresSession {
		if _, err := g.in.ownedBy(g.peer, session); err != nil {
			return response{}, err
		}
	}
	deletes := r.number("receiver-settle-mode") == 0
	var list []any
	for _, seq := range r.numbers("sequence-numbers") {
		m := g.in.log.get(seq)
		if m == nil || m.state != Deferred || m.locked() || one && g.in.Settings.RequiresSession && m.sessionID() != session {
			continue
		}
		if deletes {
			list = append(list, amqpwire.Map{{Key: "message", Value: m.appendTo(nil, form{state: true})}})
			g.in.remove(m)
			continue
		}
		g.in.lock(m)
		list = append(list, amqpwire.Map{
			{Key: "lock-token", Value: m.token},
			{Key: "message", Value: m.appendTo(nil, form{lock: true, state: true})},
		})
	}
	if len(list) == 0 {
		return failure(404, condMessageNotFound, "Failed to lock one or more specified messages. The message does not exist."), nil
	}
	return succeed("messages", list), nil
}

// schedule takes messages that are due later.
func (g *manager) schedule(r *request) (response, error) {
	if g.in.Kind != topology.QueueKind && g.in.Kind != topology.TopicKind {
		return response{}, amqpwire.Errorf(amqpwire.CondNotAllowed, "Messages cannot be sent to '%s'.", g.in.Path)
	}
	elems, _ := amqpwire.Elems(r.field("messages"))
	batch := make([]*content.Content, 0, len(elems))
	for _, e := range elems {
		entry, _ := e.(amqpwire.Map)
		payload, ok := entry.Get("message").([]byte)
		if !ok {
			return response{}, amqpwire.Errorf(condArgument, "an entry of 'messages' has no 'message'")
		}
		c, err := content.Parse(payload)
		if err != nil {
			return response{}, err
		}
		batch = append(batch, c)
	}
	numbers, err := g.in.accept(batch)
	if err != nil {
		return response{}, err
	}
	return succeed("sequence-numbers", numbers), nil
}

// cancelScheduled removes messages that are not due yet: all or none.
func (g *manager) cancelScheduled(r *request) (response, error) {
	var found []*message
	for _, seq := range r.numbers("sequence-numbers") {
		m := g.in.log.get(seq)
		if m == nil || m.state != Scheduled {
			return failure(404, condMessageNotFound, "The scheduled message does not exist: it may have been enqueued or cancelled already."), nil
		}
		found = append(found, m)
	}
	for _, m := range found {
		g.in.remove(m)
	}
	return succeed(), nil
}
