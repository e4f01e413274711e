package broker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minibus/amqpwire"
	"github.com/relaybox/relaybox/local/minibus/internal/content"
	"github.com/relaybox/relaybox/local/minibus/internal/topology"
)

// What receivers note in a message that stays is bounded, however often they do: in a dead-letter queue, in one that is
// deferred, over links, over $management and in transactions. It can still be settled without.
func TestNotesAreBounded(t *testing.T) {
	t.Parallel()
	note := func(n int) ([]amqpwire.Pair, amqpwire.Raw) {
		key, value := fmt.Sprint("note", n), strings.Repeat("x", 10_000)
		return []amqpwire.Pair{content.Property(key, value)}, amqpwire.Append(nil, amqpwire.Map{{Key: amqpwire.Symbol(key), Value: value}})
	}
	b := openIn(t, vfs.NewMem(), &topology.Config{Queues: []topology.Queue{{Name: "q", MaxDeliveryCount: 1000}}})
	r := NewReceivers()
	dead := b.entities["q"].dead
	link := &consumer{with: r, in: dead}
	locked := func() (token amqpwire.UUID) {
		require.Equal(t, 1, link.Take(1, func(tag, _ []byte) bool { token = lockTag(amqpwire.UUID(tag)); return true }))
		return token
	}
	tagOf := func(token amqpwire.UUID) []byte { tag := lockTag(token); return tag[:] }
	deferred := func(seq int64) amqpwire.UUID {
		found, err := dead.ReceiveDeferred(r, []int64{seq}, "", false, false)
		require.NoError(t, err)
		require.Len(t, found, 1)
		return found[0].Token
	}
	for name, try := range map[string]func(n int, seq int64) error{
		"abandoned over a link": func(n int, _ int64) error {
			_, notes := note(n)
			return link.Settle(tagOf(locked()), &amqpwire.Modified{MessageAnnotations: notes})
		},
		"rejected in a dead-letter queue": func(n int, _ int64) error {
			_, notes := note(n)
			return link.Settle(tagOf(locked()), &amqpwire.Rejected{Error: &amqpwire.Error{Info: notes}})
		},
		"over $management": func(n int, _ int64) error {
			changes, _ := note(n)
			held, err := dead.HeldAll([]amqpwire.UUID{locked()})
			require.NoError(t, err)
			if err := held.Bear(changes, true); err != nil {
				return err
			}
			held.Reject(changes)
			return nil
		},
		"deferred again": func(n int, seq int64) error {
			_, notes := note(n)
			token := locked
			if n > 0 {
				token = func() amqpwire.UUID { return deferred(seq) }
			}
			return link.Settle(tagOf(token()), &amqpwire.Modified{UndeliverableHere: true, MessageAnnotations: notes})
		},
		"in transactions": func(n int, _ int64) error {
			_, notes := note(n)
			id, err := b.Begin(r, nil)
			require.NoError(t, err)
			if err := link.SettleIn(id, tagOf(locked()), &amqpwire.Modified{MessageAnnotations: notes}); err != nil {
				return err
			}
			return b.End(r, id, false)
		},
	} {
		seq := dead.put(&message{kept: &content.Content{Size: 1}}, b.Now())
		var err error
		for n := 0; err == nil; n++ {
			require.Less(t, n, 10, name)
			err = try(n, seq)
		}
		require.ErrorContains(t, err, string(amqpwire.CondMessageSizeExceeded), name)
		require.Less(t, dead.bytes, maxHeader+100, name)
		require.Len(t, dead.locks, 1, "refused, it is still held")
		for token := range dead.locks {
			require.NoError(t, link.Settle(tagOf(token), &amqpwire.Accepted{}), name)
		}
		require.NoError(t, b.Check())
	}
	require.NoError(t, b.Close())
}

// A message whose properties are as large as may be can be dead-lettered with a reason.
func TestLargePropertiesCanBeRejected(t *testing.T) {
	t.Parallel()
	b := openIn(t, vfs.NewMem(), &topology.Config{Queues: []topology.Queue{{Name: "q"}}})
	q := b.entities["q"]
	c, err := (&content.Content{Size: 1}).With([]amqpwire.Pair{content.Property("large", strings.Repeat("x", maxHeader-100))})
	require.NoError(t, err)
	_, err = q.Accept([]*content.Content{c})
	require.NoError(t, err)
	link := &consumer{with: NewReceivers(), in: q}
	why := amqpwire.Append(nil, amqpwire.Map{{Key: amqpwire.Symbol(PropReason), Value: strings.Repeat("y", 4096)}})
	require.Equal(t, 1, link.Take(1, func(_, _ []byte) bool { return true }))
	for token := range q.locks {
		tag := lockTag(token)
		require.NoError(t, link.Settle(tag[:], &amqpwire.Rejected{Error: &amqpwire.Error{Info: why}}))
	}
	require.Equal(t, 1, q.dead.log.live)
	require.NoError(t, b.Close())
}
