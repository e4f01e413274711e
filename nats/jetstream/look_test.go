package jetstream

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	js "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

// rights are those that docs/brokers.md lists, to publish.
var rights = []string{
	"events.>", "dead-letters.read-models.>", "$JS.ACK.EVENTS.read-models.>", "$JS.API.STREAM.INFO.EVENTS", "$JS.API.CONSUMER.INFO.EVENTS.read-models",
	"$JS.API.CONSUMER.MSG.NEXT.EVENTS.read-models", "$JS.API.STREAM.NAMES", "$JS.API.STREAM.INFO.EVENTS_DEAD_read-models", "$JS.API.STREAM.MSG.GET.EVENTS", "$JS.API.DIRECT.GET.EVENTS",
}

// allowed is a server whose stream has a message that waits, and whose user has no other rights.
func allowed(t *testing.T, direct bool, rights ...string) *broker {
	b := bare(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "admin", Password: "admin"}, {Username: "app", Password: "app", Permissions: &server.Permissions{
			Publish: &server.SubjectPermission{Allow: rights}, Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
		}}}
		o.NoAuthUser = "app"
	})
	cfg := streamConfig()
	cfg.AllowDirect = direct
	var err error
	b.stream, err = b.js.CreateStream(t.Context(), cfg)
	require.NoError(t, err)
	_, err = b.js.CreateStream(t.Context(), js.StreamConfig{Name: "EVENTS_DEAD_read-models", Subjects: []string{LetterSubject("dead-letters", durable, ">")}})
	require.NoError(t, err)
	_, err = b.stream.CreateConsumer(t.Context(), js.ConsumerConfig{Durable: durable, AckPolicy: js.AckExplicitPolicy, MaxDeliver: -1})
	require.NoError(t, err)
	_, err = b.js.Publish(t.Context(), "events.a.b", []byte("{}"))
	require.NoError(t, err)
	return b
}

// TestTheRightsSuffice for all that is looked at, however the stream lets itself be asked.
func TestTheRightsSuffice(t *testing.T) {
	t.Parallel()
	docs, err := os.ReadFile("../../docs/brokers.md")
	require.NoError(t, err)
	for _, r := range rights {
		require.Contains(t, string(docs), "`"+r+"`")
	}
	for _, direct := range []bool{false, true} {
		c := allowed(t, direct, rights...).open(t, Options{SendTimeout: time.Minute})
		seen, err := c.Waiting(t.Context(), stream, durable)
		require.NoError(t, err)
		require.Equal(t, 1, seen.Count)
		require.WithinDuration(t, time.Now(), seen.Oldest, time.Minute)
		_, err = c.DeadLetters(t.Context(), "dead-letters", durable)
		require.NoError(t, err)
		require.NoError(t, c.Peek(t.Context(), stream))
	}
}

// TestARightThatIsMissing ends the question at once: the test would not end otherwise.
func TestARightThatIsMissing(t *testing.T) {
	t.Parallel()
	const forever = 24 * time.Hour
	waiting := func(c *Client) error { _, err := c.Waiting(t.Context(), stream, durable); return err }
	peek := func(c *Client) error { return c.Peek(t.Context(), stream) }
	letters := func(c *Client) error { _, err := c.DeadLetters(t.Context(), "dead-letters", durable); return err }
	for right, c := range map[string]struct {
		direct bool
		looks  []func(*Client) error
	}{
		"$JS.API.CONSUMER.INFO.EVENTS.read-models":    {false, []func(*Client) error{waiting}},
		"$JS.API.STREAM.INFO.EVENTS":                  {false, []func(*Client) error{waiting, peek}},
		"$JS.API.STREAM.MSG.GET.EVENTS":               {false, []func(*Client) error{waiting, peek}},
		"$JS.API.DIRECT.GET.EVENTS":                   {true, []func(*Client) error{waiting, peek}},
		"$JS.API.STREAM.NAMES":                        {false, []func(*Client) error{letters}},
		"$JS.API.STREAM.INFO.EVENTS_DEAD_read-models": {false, []func(*Client) error{letters}},
	} {
		t.Run(right, func(t *testing.T) {
			t.Parallel()
			left := slices.DeleteFunc(slices.Clone(rights), func(r string) bool { return r == right })
			client := allowed(t, c.direct, left...).open(t, Options{SendTimeout: forever})
			for _, look := range c.looks {
				require.Equal(t, outbox.Unauthorized, outbox.ClassOf(look(client)))
			}
		})
	}
}

// TestPeekAtNothing: a stream without a message can be asked as well.
func TestPeekAtNothing(t *testing.T) {
	t.Parallel()
	require.NoError(t, run(t).open(t, Options{}).Peek(t.Context(), stream))
}

// TestAConsumerThatMayNotAsk for its durable consumer hears so at once.
func TestAConsumerThatMayNotAsk(t *testing.T) {
	t.Parallel()
	left := slices.DeleteFunc(slices.Clone(rights), func(r string) bool { return r == infoOf(stream, durable) })
	c := allowed(t, false, left...).open(t, Options{SendTimeout: 24 * time.Hour})
	w := c.Consumer(stream, durable, nil, ConsumerOptions{})
	require.ErrorIs(t, w.pull(t.Context(), context.WithoutCancel(t.Context())), errNoRight)
}
