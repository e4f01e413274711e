package cosmos

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/outbox"
)

type observedKey struct{}

// TestEveryAttemptIsTold: what it was for, what it did, where, what it cost, and in whose
// context.
func TestEveryAttemptIsTold(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	connected(t, server.ConnectionString())
	var mu sync.Mutex
	told := map[string]string{}
	c := Open(Connection{ConnectionString: server.ConnectionString()}, Options{Observer: func(ctx context.Context, a Attempt) {
		mu.Lock()
		defer mu.Unlock()
		told[a.Verb] = a.Operation
		if a.Verb != "read the container of" { // asked on behalf of all
			require.Equal(t, "caller", ctx.Value(observedKey{}), a.Verb)
		}
		require.Equal(t, "relaybox", a.Database)
		require.NotEmpty(t, a.Container)
		require.Equal(t, "127.0.0.1", a.Host)
		require.Positive(t, a.Status)
		require.Positive(t, a.Charge, a.Verb)
		require.Positive(t, a.Took)
	}})
	t.Cleanup(c.Close)
	ctx := context.WithValue(t.Context(), observedKey{}, "caller")
	o, i := c.Outbox("relaybox", "outbox", OutboxOptions{}), c.Inbox("relaybox", "inbox", InboxOptions{})
	_, err := o.Load(ctx, "k")
	require.NoError(t, err)
	_, err = o.Place(ctx, "k")
	require.NoError(t, err)
	require.NoError(t, o.Barrier(ctx, "k"))
	e := outbox.Event{Key: "k", Seq: 1, Incarnation: "i", ID: "e", Type: "t", Envelope: []byte(`{}`)}
	made, err := o.Commit(ctx, outbox.Commit{Key: "k", Entity: outbox.Entity{Key: "k", Version: 1, LastSeq: 1}, Events: []outbox.Event{e}})
	require.NoError(t, err)
	e.Revision = made.Events[0]
	require.NoError(t, o.Find(ctx, func([]outbox.Head) error { return nil }))
	require.NoError(t, o.Park(ctx, e, outbox.Fault{Reason: "r"}))
	require.NoError(t, o.Settle(ctx, "k", []outbox.Event{e}))
	revision, err := i.Commit(ctx, inbox.Change{Model: inbox.Model{Key: "k", LastSeq: 1}})
	require.NoError(t, err)
	require.Equal(t, "create_item", told["apply events to"])
	_, err = i.Commit(ctx, inbox.Change{Model: inbox.Model{Key: "k", LastSeq: 2, Revision: revision}})
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"load": "read_item", "read the container of": "read_container", "write a marker for": "upsert_item", "commit": "execute_batch",
		"find events in": "query_items", "park an event of": "patch_item", "settle events of": "delete_item", "apply events to": "replace_item",
	}, told)
}

// leaving is a network that is gone once away is set.
type leaving struct{ away *bool }

func (l leaving) RoundTrip(r *http.Request) (*http.Response, error) {
	if *l.away {
		return nil, errors.New("away")
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestAnAttemptWithoutAnAnswerIsTold, too.
func TestAnAttemptWithoutAnAnswerIsTold(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	connected(t, server.ConnectionString())
	away := false
	var told []Attempt
	c := Open(Connection{ConnectionString: server.ConnectionString()}, Options{
		RetryBudget: 1, Observer: func(_ context.Context, a Attempt) { told = append(told, a) },
		Transport: leaving{&away},
	})
	t.Cleanup(c.Close)
	o := c.Outbox("relaybox", "outbox", OutboxOptions{})
	_, err := o.Load(t.Context(), "k")
	require.NoError(t, err)
	require.Len(t, told, 1, "reading the account is nobody's attempt")
	require.Equal(t, http.StatusNotFound, told[0].Status)
	away = true
	_, err = o.Load(t.Context(), "k")
	require.Error(t, err)
	require.Len(t, told, 2)
	require.EqualError(t, told[1].Err, "away")
	require.Zero(t, told[1].Status)
}
