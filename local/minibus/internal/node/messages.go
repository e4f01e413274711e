package node

import (
	"fmt"
	"math"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// What one answer may hold.
const (
	maxPeek   = 256
	maxAnswer = 1 << 20 // bytes of messages that are peeked at, or of sessions' ids
	maxDelete = 4000    // the service's
)

// peek shows messages in any state without locking or counting.
func (g *manager) peek(r *request) (response, error) {
	session, one := g.linkSession(r)
	short, _ := r.field("omit-message-body").(bool)
	limit := min(int(r.number("message-count")), maxPeek)
	if limit <= 0 {
		return nothing(), nil
	}
	var list []any
	size := 0
	g.in.Peek(r.number("from-sequence-number"), session, one, short, func(encoded []byte) bool {
		size += len(encoded)
		list = append(list, amqpwire.Map{{Key: "message", Value: encoded}})
		return len(list) < limit && size <= maxAnswer
	})
	if len(list) == 0 {
		return nothing(), nil
	}
	return succeed("messages", list), nil
}

// receiveDeferred hands out deferred messages by number.
func (g *manager) receiveDeferred(r *request) (response, error) {
	session, one := g.linkSession(r)
	found, err := g.in.ReceiveDeferred(g.peer.receivers, r.numbers("sequence-numbers"), session, one, r.number("receiver-settle-mode") == 0)
	if err != nil {
		return response{}, err
	}
	var list []any
	for _, d := range found {
		var entry amqpwire.Map
		if d.Token != (amqpwire.UUID{}) {
			entry = append(entry, amqpwire.Entry{Key: "lock-token", Value: d.Token})
		}
		list = append(list, append(entry, amqpwire.Entry{Key: "message", Value: d.Encoded}))
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
		if len(payload) > g.limit {
			return response{}, amqpwire.Errorf(amqpwire.CondMessageSizeExceeded, "The message is larger than the allowed %d bytes.", g.limit)
		}
		c, err := content.Parse(payload)
		if err != nil {
			return response{}, err
		}
		batch = append(batch, c)
	}
	var numbers []int64
	var err error
	if r.txn != nil {
		numbers, err = g.in.ScheduleIn(g.peer.receivers, r.txn, batch)
	} else {
		numbers, err = g.in.Accept(batch)
	}
	if err != nil {
		return response{}, err
	}
	return succeed("sequence-numbers", numbers), nil
}

// cancelScheduled removes messages that are not due yet: all or none.
func (g *manager) cancelScheduled(r *request) (response, error) {
	numbers := r.numbers("sequence-numbers")
	var there bool
	var err error
	if r.txn != nil {
		there, err = g.in.CancelScheduledIn(g.peer.receivers, r.txn, numbers)
	} else {
		there = g.in.CancelScheduled(numbers)
	}
	if err != nil {
		return response{}, err
	}
	if !there {
		return failure(404, condMessageNotFound, "The scheduled message does not exist: it may have been enqueued or cancelled already."), nil
	}
	return succeed(), nil
}

// deleteBatch deletes messages that nobody has locked, the oldest first, and that were enqueued before a time.
func (g *manager) deleteBatch(r *request) (response, error) {
	session, one := g.linkSession(r)
	before, limited := r.field("enqueued-time-utc").(amqpwire.Timestamp)
	if !limited {
		before = amqpwire.Timestamp(math.MaxInt64)
	}
	count := r.number("message-count")
	if count < 1 || count > maxDelete {
		return failure(500, condArgument, fmt.Sprintf("'message-count' is %d: it must be 1 to %d.", count, maxDelete)), nil
	}
	deleted := g.in.DeleteBefore(int64(before), int(count), session, one)
	if deleted == 0 {
		return nothing(), nil
	}
	return succeed("message-count", int32(deleted)), nil
}
