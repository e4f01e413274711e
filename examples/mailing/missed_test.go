package mailing_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/entity"
	"github.com/relaybox/relaybox/examples/mailing"
	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
	"github.com/relaybox/relaybox/outbox/replay"
)

// TestADeletionThatWasMissed never reached the list: skipped, expired or dropped. A replay takes the
// address away, as it mends any other change that was missed.
func TestADeletionThatWasMissed(t *testing.T) {
	t.Parallel()
	const key = "profile:ann"
	s := &outboxtest.MemStore{}
	w := outbox.NewWriter(s, outbox.WriterOptions{Source: "/test", CacheBytes: -1})
	kinds, err := mailing.List.Kinds()
	require.NoError(t, err)
	models := &inboxtest.MemStore{}
	in := inbox.New(models, kinds.Apply, inbox.Options{Policy: mailing.List.Policy})
	change := func(name, state string) {
		_, err := w.Write(t.Context(), outbox.Request{
			Key: key,
			Decide: func(outbox.Entity) (outbox.Decision, error) {
				data := map[string]any{"id": "ann", "state": json.RawMessage(state)}
				return outbox.Decision{Data: json.RawMessage(state), Deleted: state == "null", Events: []outbox.Draft{{Type: "relaybox.profile." + name, Data: data}}}, nil
			},
			Render: func(outbox.Entity, int) outbox.Answer { return outbox.Answer{} },
		})
		require.NoError(t, err)
	}
	hear := func(sent outbox.Event) {
		e, err := kinds.Event(sent.Envelope, "")
		require.NoError(t, err)
		outcome, err := in.Once(t.Context(), e)
		require.NoError(t, err)
		require.Equal(t, inbox.Applied, outcome)
	}
	address := func() string {
		var e mailing.Entry
		m, err := models.Load(t.Context(), key)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(m.Data, &e))
		return e.Address
	}
	change(entity.Created, `{"displayName":"Ann","email":"ann@example.com"}`)
	hear(s.Events(key)[0])
	change(entity.Deleted, "null")
	require.Equal(t, "ann@example.com", address())

	run, err := replay.New(w, s, replay.Options{
		Kind: "profile", Subscription: "mailing-list",
		Draft: func(e outbox.Entity) outbox.Draft { return entity.SnapshotOf(e, "mailing-list") },
	}).Do(t.Context())
	require.NoError(t, err)
	require.Equal(t, replay.Counts{Entities: 1, Snapshots: 1, Gone: 1}, run.Counts)
	hear(s.Events(key)[2])
	require.Empty(t, address())
}
