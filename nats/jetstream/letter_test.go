package jetstream

import (
	"context"
	"errors"
	"strings"
	"testing"

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
