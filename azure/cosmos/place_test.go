package cosmos

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/data/azcosmos"
	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/outbox"
)

// change is a request that makes one event.
func change(key, text string) outbox.Request {
	data, _ := json.Marshal(text)
	return outbox.Request{
		Key: key,
		Decide: func(outbox.Entity) (outbox.Decision, error) {
			return outbox.Decision{Status: 200, Data: data, Events: []outbox.Draft{{Type: "t", Data: text}}}, nil
		},
		Render: func(e outbox.Entity, status int) outbox.Answer { return outbox.Answer{Status: status} },
	}
}

// recreate deletes a container and makes it anew, as an operator would: behind the back of
// every client.
func recreate(t *testing.T, server *minicosmos.Instance, name string) {
	t.Helper()
	other := Open(Connection{ConnectionString: server.ConnectionString()}, Options{})
	defer other.Close()
	require.NoError(t, other.try(t.Context(), func(ctx context.Context, sdk *azcosmos.Client) error {
		k, err := sdk.NewContainer("relaybox", name)
		require.NoError(t, err)
		_, err = k.Delete(ctx, nil)
		return err
	}))
	require.NoError(t, other.EnsureContainers(t.Context(), "relaybox", name))
}

// TestAContainerMadeAnewIsNoticed: the process goes on with the client that it has.
func TestAContainerMadeAnewIsNoticed(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	box := connected(t, server.ConnectionString()).Outbox("relaybox", "outbox", OutboxOptions{})
	w := outbox.NewWriter(box, outbox.WriterOptions{Source: "/test"})
	_, err := w.Write(t.Context(), change("doc:a", "before"))
	require.NoError(t, err)
	before, _, err := box.Load(t.Context(), "doc:a", "")
	require.NoError(t, err)
	require.NotEmpty(t, before.Place)
	require.WithinDuration(t, time.Now(), before.Incarnation.Since, time.Minute)

	recreate(t, server, "outbox")
	_, err = w.Write(t.Context(), change("doc:a", "after"))
	require.NoError(t, err)
	after, _, err := box.Load(t.Context(), "doc:a", "")
	require.NoError(t, err)
	require.EqualValues(t, 1, after.Version)
	require.NotEqual(t, before.Place, after.Place)
	require.False(t, after.Moved)
	require.NotEqual(t, before.Incarnation.ID, after.Incarnation.ID)
	require.False(t, after.Incarnation.Since.Before(before.Incarnation.Since))
}

// TestARestoredContainerIsNoticed: a copy of an entity keeps what it says of itself, and
// lies in a container with another _rid.
func TestARestoredContainerIsNoticed(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	c := connected(t, server.ConnectionString())
	box := c.Outbox("relaybox", "outbox", OutboxOptions{})
	w := outbox.NewWriter(box, outbox.WriterOptions{Source: "/test"})
	_, err := w.Write(t.Context(), change("doc:a", "kept"))
	require.NoError(t, err)
	before, _, err := box.Load(t.Context(), "doc:a", "")
	require.NoError(t, err)

	recreate(t, server, "outbox")
	copied := before
	copied.Revision = ""
	_, err = box.Commit(t.Context(), outbox.Commit{Key: "doc:a", Entity: &copied})
	require.NoError(t, err)
	restored, _, err := box.Load(t.Context(), "doc:a", "")
	require.NoError(t, err)
	require.True(t, restored.Moved)

	_, err = w.Write(t.Context(), change("doc:a", "more"))
	require.NoError(t, err)
	after, _, err := box.Load(t.Context(), "doc:a", "")
	require.NoError(t, err)
	require.False(t, after.Moved)
	require.EqualValues(t, 2, after.Incarnation.First)
	require.NotEqual(t, before.Place, after.Place)
	events, err := box.Pending(t.Context(), "doc:a", 0, 10)
	require.NoError(t, err)
	require.Equal(t, after.Incarnation.ID, events[0].Incarnation)
}

func TestKindsWithContainersOfTheirOwn(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	c := connected(t, server.ConnectionString())
	require.NoError(t, c.EnsureContainers(t.Context(), "relaybox", "invoices", "invoice-views"))
	box := c.Outbox("relaybox", "outbox", OutboxOptions{Containers: map[string]string{"invoice": "invoices"}})
	views := c.Inbox("relaybox", "inbox", InboxOptions{Containers: map[string]string{"invoice": "invoice-views"}})
	w := outbox.NewWriter(box, outbox.WriterOptions{Source: "/test"})
	for _, key := range []string{"doc:a", "invoice:a"} {
		_, err := w.Write(t.Context(), change(key, key))
		require.NoError(t, err)
		require.NoError(t, views.Apply(t.Context(), inbox.Model{Key: key, LastSeq: 1, Data: []byte(`1`)}, "e-1"))
	}
	for _, container := range []string{"outbox", "invoices", "inbox", "invoice-views"} {
		require.Len(t, server.Documents("relaybox", container), 2, container)
	}
	found := map[string]bool{}
	require.NoError(t, box.Find(t.Context(), func(heads []outbox.Head) error {
		for _, h := range heads {
			found[h.Key] = true
		}
		return nil
	}))
	require.Equal(t, map[string]bool{"doc:a": true, "invoice:a": true}, found, "one sweep finds them all")
	events, err := box.Pending(t.Context(), "invoice:a", 0, 1)
	require.NoError(t, err)
	require.NoError(t, box.Park(t.Context(), events[0], outbox.Fault{Reason: "r"}))
	require.NoError(t, box.Settle(t.Context(), "invoice:a", events))
	require.Len(t, server.Documents("relaybox", "invoices"), 1)
	m, seen, err := views.Load(t.Context(), "invoice:a", "e-1")
	require.NoError(t, err)
	require.True(t, seen)
	require.EqualValues(t, 1, m.LastSeq)
}

func TestContainerRID(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		"1PsJANJcBKwBAAAAAAAAAA==": "1PsJANJcBKw=",
		"KX-yAKJ-jLsBAAAAAAAAAA==": "KX-yAKJ-jLs=",
		"":                         "",
		"no":                       "",
		"1PsJANJcBKw=":             "", // a container's own
	} {
		require.Equal(t, want, containerRID(document), document)
	}
}
