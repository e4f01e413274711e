package jetstream

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	js "github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// poison is what refuses the messages of key a.
func poison(_ context.Context, m Message) error {
	if m.Subject == "events.%%.a" {
		return &Refused{Reason: "bad-data", Err: errors.New("no state\nin it" + strings.Repeat("é", maxDetail))}
	}
	return nil
}

// TestPoisonBecomesADeadLetter on its last delivery, and nothing waits for it meanwhile.
func TestPoisonBecomesADeadLetter(t *testing.T) {
	t.Parallel()
	b := consumed(t)
	b.send(t, "a1")
	b.send(t, "b1") // keys are sent beside each other: the first is to be a's
	h := hand{answer: poison}
	start(t, b.open(t, Options{}), h.handle, ConsumerOptions{Deliveries: 3})
	eventually(t, func() bool { return b.left(t) == 0 })
	require.Equal(t, 1, strings.Count(h.taken(), "b1/"))
	for _, name := range []string{"a1/1", "a1/2", "a1/3"} {
		require.Contains(t, h.taken(), name)
	}
	letter, err := b.letters(t).GetLastMsgForSubject(t.Context(), "dead-letters.read-models.events.%%.a")
	require.NoError(t, err)
	require.JSONEq(t, `{}`, string(letter.Data))
	for name, want := range map[string]string{
		HeaderID: "id-a1", HeaderReason: "bad-data", HeaderSubject: "events.%%.a", HeaderSequence: "1", HeaderDeliveries: "3",
		js.MsgIDHeader: "EVENTS/read-models/1", js.ExpectedStreamHeader: "", headerType: "t", headerSeq: "1",
	} {
		require.Equal(t, want, letter.Header.Get(name), name)
	}
	require.True(t, strings.HasPrefix(letter.Header.Get(HeaderDetail), "no state in it"))
	require.LessOrEqual(t, len(letter.Header.Get(HeaderDetail)), maxDetail)
}

// TestNothingIsLostWithoutAStreamOfDeadLetters: the message comes again until there is one.
func TestNothingIsLostWithoutAStreamOfDeadLetters(t *testing.T) {
	t.Parallel()
	b := consumed(t)
	require.NoError(t, b.js.DeleteStream(t.Context(), "DEAD"))
	b.send(t, "a1")
	h := hand{answer: poison}
	start(t, b.open(t, Options{}), h.handle, ConsumerOptions{Deliveries: 1})
	eventually(t, func() bool { return strings.Contains(h.taken(), "a1/2") })
	require.Equal(t, 1, b.left(t))
	dead := b.letters(t)
	eventually(t, func() bool { return b.left(t) == 0 })
	info, err := dead.Info(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, info.State.Msgs)
}

// TestALetterThatIsSentAgain, and is refused again within the window of duplicates, is another letter.
func TestALetterThatIsSentAgain(t *testing.T) {
	t.Parallel()
	b := consumed(t)
	b.send(t, "a1")
	h := hand{answer: poison}
	start(t, b.open(t, Options{}), h.handle, ConsumerOptions{Deliveries: 1})
	eventually(t, func() bool { return b.left(t) == 0 })
	_, err := b.js.PublishMsg(t.Context(), &nats.Msg{Subject: "events.%%.a", Header: nats.Header{js.MsgIDHeader: {"again"}}})
	require.NoError(t, err)
	eventually(t, func() bool { return strings.Contains(h.taken(), "again/1") && b.left(t) == 0 })
	info, err := b.letters(t).Info(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, info.State.Msgs)
}

// TestWhatMayPassIsNoDeadLetter, however often it comes.
func TestWhatMayPassIsNoDeadLetter(t *testing.T) {
	t.Parallel()
	b := consumed(t)
	b.send(t, "a1")
	h := hand{answer: func(_ context.Context, m Message) error {
		if m.Delivery < 3 {
			return errors.New("the store is away")
		}
		return nil
	}}
	start(t, b.open(t, Options{}), h.handle, ConsumerOptions{Deliveries: 1})
	eventually(t, func() bool { return b.left(t) == 0 })
	require.Equal(t, "a1/1 a1/2 a1/3", h.taken())
	info, err := b.letters(t).Info(t.Context())
	require.NoError(t, err)
	require.Zero(t, info.State.Msgs)
}

// TestALargeLetter has less in it: a message that the server has just taken is too large with the
// headers of a letter.
func TestALargeLetter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		size         int
		letters      int32 // the largest message in the stream of letters
		body, detail bool
	}{
		"small":                {2000, -1, true, true},
		"without detail":       {3500, -1, true, false},
		"without body":         {4050, -1, false, true},
		"a stream's own limit": {2000, 1500, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := tight(t, js.LimitsPolicy, c.letters)
			sent := &nats.Msg{Subject: "events.%%.a", Header: nats.Header{HeaderBody: {BodyLeftOut}, "own": {"x"}}, Data: []byte(strings.Repeat("x", c.size-50))}
			_, err := b.js.PublishMsg(t.Context(), sent)
			require.NoError(t, err)
			h := hand{answer: poison}
			start(t, b.open(t, Options{}), h.handle, ConsumerOptions{Deliveries: 1})
			eventually(t, func() bool { return b.left(t) == 0 })
			dead, err := b.js.Stream(t.Context(), "DEAD")
			require.NoError(t, err)
			letter, err := dead.GetLastMsgForSubject(t.Context(), "dead-letters.read-models.events.%%.a")
			require.NoError(t, err)
			require.Equal(t, c.detail, strings.HasPrefix(letter.Header.Get(HeaderDetail), "no state"))
			require.Equal(t, "bad-data events.%%.a 1 1", strings.Join([]string{letter.Header.Get(HeaderReason), letter.Header.Get(HeaderSubject), letter.Header.Get(HeaderSequence), letter.Header.Get(HeaderDeliveries)}, " "))
			if c.body {
				require.Equal(t, sent.Data, letter.Data)
				require.Equal(t, "x", letter.Header.Get("own"))
				require.Empty(t, letter.Header.Get(HeaderBody))
				return
			}
			require.Empty(t, letter.Data)
			require.Equal(t, BodyLeftOut, letter.Header.Get(HeaderBody))
			kept, err := b.stream.GetMsg(t.Context(), 1)
			require.NoError(t, err)
			require.Equal(t, sent.Data, kept.Data)
		})
	}
}

// TestALargeLetterOfAQueue keeps its body: the stream would delete the message with its end.
func TestALargeLetterOfAQueue(t *testing.T) {
	t.Parallel()
	b := tight(t, js.WorkQueuePolicy, -1)
	_, err := b.js.Publish(t.Context(), "events.%%.a", []byte(strings.Repeat("x", 4050)))
	require.NoError(t, err)
	h := hand{answer: poison}
	start(t, b.open(t, Options{}), h.handle, ConsumerOptions{Deliveries: 1})
	eventually(t, func() bool { return strings.Contains(h.taken(), "/2") })
	info, err := b.letters(t).Info(t.Context())
	require.NoError(t, err)
	require.Zero(t, info.State.Msgs)
	_, err = b.stream.GetMsg(t.Context(), 1)
	require.NoError(t, err)
}

// tight is a broker with a low limit, and the largest message in the stream of dead letters.
func tight(t *testing.T, retention js.RetentionPolicy, letters int32) *broker {
	b := bare(t, func(o *server.Options) { o.MaxPayload = 4096 })
	cfg := streamConfig()
	cfg.MaxMsgSize, cfg.Retention = -1, retention
	var err error
	b.stream, err = b.js.CreateStream(t.Context(), cfg)
	require.NoError(t, err)
	_, err = b.stream.CreateConsumer(t.Context(), js.ConsumerConfig{Durable: durable, AckPolicy: js.AckExplicitPolicy, AckWait: lock, MaxDeliver: -1})
	require.NoError(t, err)
	_, err = b.js.CreateStream(t.Context(), js.StreamConfig{Name: "DEAD", Subjects: []string{LetterSubject("dead-letters", durable, ">")}, MaxMsgSize: letters})
	require.NoError(t, err)
	return b
}
