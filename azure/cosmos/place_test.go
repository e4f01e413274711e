package cosmos

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
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
	before, err := box.Load(t.Context(), "doc:a")
	require.NoError(t, err)
	require.NotEmpty(t, before.Place)
	require.WithinDuration(t, time.Now(), before.Incarnation.Since, time.Minute)

	recreate(t, server, "outbox")
	_, err = w.Write(t.Context(), change("doc:a", "after"))
	require.NoError(t, err)
	after, err := box.Load(t.Context(), "doc:a")
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
	before, err := box.Load(t.Context(), "doc:a")
	require.NoError(t, err)

	recreate(t, server, "outbox")
	copied := before
	copied.Revision = ""
	_, err = box.Commit(t.Context(), outbox.Commit{Key: "doc:a", Entity: copied})
	require.NoError(t, err)
	restored, err := box.Load(t.Context(), "doc:a")
	require.NoError(t, err)
	require.True(t, restored.Moved)

	_, err = w.Write(t.Context(), change("doc:a", "more"))
	require.NoError(t, err)
	after, err := box.Load(t.Context(), "doc:a")
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
		_, err = views.Commit(t.Context(), inbox.Change{Model: inbox.Model{Key: key, LastSeq: 1, Data: []byte(`1`)}})
		require.NoError(t, err)
	}
	for container, n := range map[string]int{"outbox": 2, "invoices": 2, "inbox": 1, "invoice-views": 1} {
		require.Len(t, server.Documents("relaybox", container), n, container)
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
	require.Len(t, server.Documents("relaybox", "invoices"), 1, "it was acknowledged, so it goes, parked or not")
	m, err := views.Load(t.Context(), "invoice:a")
	require.NoError(t, err)
	require.EqualValues(t, 1, m.LastSeq)
}

func TestContainerRID(t *testing.T) {
	t.Parallel()
	for document, want := range map[string]string{
		"1PsJANJcBKwBAAAAAAAAAA==":  "1PsJANJcBKw=",
		"KX-yAKJ-jLsBAAAAAAAAAA==":  "KX-yAKJ-jLs=",
		"":                          "",
		"no":                        "",
		"1PsJANJcBKwBAAAAAAAAAA==x": "",
		"1PsJANJcBKw=":              "", // a container's own
	} {
		require.Equal(t, want, containerRID(document), document)
	}
}

// TestASettleLeavesTheNextIncarnationAlone: the container is made anew between the read of an
// event and its settling, and the same number is given out again.
func TestASettleLeavesTheNextIncarnationAlone(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 3} { // alone, and in a batch
		server := minicosmos.RunT(t)
		box := connected(t, server.ConnectionString()).Outbox("relaybox", "outbox", OutboxOptions{})
		w := outbox.NewWriter(box, outbox.WriterOptions{Source: "/test"})
		for i := range n {
			_, err := w.Write(t.Context(), change("doc:a", fmt.Sprint("before ", i)))
			require.NoError(t, err)
		}
		sent, err := box.Pending(t.Context(), "doc:a", 0, 10)
		require.NoError(t, err)
		recreate(t, server, "outbox")
		_, err = w.Write(t.Context(), change("doc:a", "after"))
		require.NoError(t, err)
		require.NoError(t, box.Settle(t.Context(), "doc:a", sent))
		left, err := box.Pending(t.Context(), "doc:a", 0, 10)
		require.NoError(t, err)
		require.Len(t, left, 1, "an acknowledged write would be lost")
	}
}

// TestOneBrokenContainerHidesNoOther: the sweep goes on with the others and says which failed.
func TestOneBrokenContainerHidesNoOther(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	c := connected(t, server.ConnectionString())
	require.NoError(t, c.EnsureContainers(t.Context(), "relaybox", "invoices"))
	own := OutboxOptions{Containers: map[string]string{"invoice": "invoices", "ghost": "nowhere"}}
	w := outbox.NewWriter(c.Outbox("relaybox", "outbox", own), outbox.WriterOptions{Source: "/test"})
	for _, key := range []string{"doc:a", "invoice:a"} {
		_, err := w.Write(t.Context(), change(key, key))
		require.NoError(t, err)
	}
	box := c.Outbox("relaybox", "outbox", own)
	for range 3 { // whichever comes first
		found := map[string]bool{}
		err := box.Find(t.Context(), func(heads []outbox.Head) error {
			for _, h := range heads {
				found[h.Key] = true
			}
			return nil
		})
		require.ErrorContains(t, err, "nowhere")
		require.Equal(t, map[string]bool{"doc:a": true, "invoice:a": true}, found)
	}
}

// TestEventsOfAKindThatMovedOut are not sent past their entity's new container, and not
// forgotten either.
func TestEventsOfAKindThatMovedOut(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	c := connected(t, server.ConnectionString())
	require.NoError(t, c.EnsureContainers(t.Context(), "relaybox", "invoices"))
	w := outbox.NewWriter(c.Outbox("relaybox", "outbox", OutboxOptions{}), outbox.WriterOptions{Source: "/test"})
	for _, key := range []string{"doc:a", "invoice:a"} {
		_, err := w.Write(t.Context(), change(key, key))
		require.NoError(t, err)
	}
	var found []string
	err := c.Outbox("relaybox", "outbox", OutboxOptions{Containers: map[string]string{"invoice": "invoices"}}).Find(t.Context(), func(heads []outbox.Head) error {
		for _, h := range heads {
			found = append(found, h.Key)
		}
		return nil
	})
	require.ErrorContains(t, err, `container "outbox" holds pending events of "invoice:a", which belongs to "invoices"`)
	require.Equal(t, []string{"doc:a"}, found)
}

// TestAKnownPlaceIsNotAskedForEachEntity of a restored container.
func TestAKnownPlaceIsNotAskedForEachEntity(t *testing.T) {
	t.Parallel()
	var p place
	_, ok := p.get()
	require.False(t, ok)
	p.set(outbox.Place{ID: "here"})
	p.seen("here")
	p.seen("")
	_, ok = p.get()
	require.True(t, ok)
	p.seen("elsewhere")
	_, ok = p.get()
	require.False(t, ok)
	p.set(outbox.Place{ID: "here"})
	p.doubt()
	_, ok = p.get()
	require.False(t, ok)
}

// TestAPlaceIsBelievedFromWhenItWasLastSeen, for a while.
func TestAPlaceIsBelievedFromWhenItWasLastSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var p place
		p.set(outbox.Place{ID: "here"})
		time.Sleep(placeAge - 1)
		p.seen("here")
		time.Sleep(placeAge - 1)
		_, ok := p.get()
		require.True(t, ok)
		time.Sleep(time.Nanosecond)
		_, ok = p.get()
		require.False(t, ok)
	})
}

// TestWhatWasHeardOfNowhereIsForgotten, or a container that was made anew would look like the
// first that anything was heard of.
func TestWhatWasHeardOfNowhereIsForgotten(t *testing.T) {
	t.Parallel()
	var k container
	require.True(t, k.heard("first"))
	require.True(t, k.heard(""))
	_, other := k.place.moved("second")
	require.True(t, other)
}

// TestALateAnswerOfAContainerThatIsGone does not bring its session tokens back.
func TestALateAnswerOfAContainerThatIsGone(t *testing.T) {
	t.Parallel()
	answer := func(rid, token string) *http.Response {
		return &http.Response{Header: http.Header{"X-Ms-Content-Path": {rid}, "X-Ms-Session-Token": {token}}}
	}
	k := container{client: &Client{}}
	k.seen(answer("first", "0:0#70#0=70"))
	k.seen(answer("second", "0:0#7#0=7"))
	k.seen(answer("first", "0:0#71#0=71"))
	require.Equal(t, "0:0#7#0=7", k.tokens.get())
}

// TestAPlaceThatCannotBeRead is no place: entities would get an incarnation of nowhere.
func TestAPlaceThatCannotBeRead(t *testing.T) {
	t.Parallel()
	c, s := scripted(reply{status: 401})
	k := &container{client: c, database: "db", name: "c"}
	for n := range 2 {
		_, err := k.whereabouts(t.Context(), op{"read", "p-1"})
		require.Equal(t, "unauthorized", class(t, err))
		require.Equal(t, n+1, s.count(), "it is not believed either")
	}
}

// TestWhoAskedFirstMayLeave: the question goes on for the others, for as long as an attempt may.
func TestWhoAskedFirstMayLeave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := scripted(reply{silent: true})
		k := &container{client: c, database: "db", name: "c"}
		ctx, leave := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, leave)
		first, began := make(chan error, 1), time.Now()
		go func() {
			_, err := k.whereabouts(ctx, op{"read", "p-1"})
			first <- err
		}()
		synctest.Wait()
		_, err := k.whereabouts(t.Context(), op{"read", "p-1"})
		require.Equal(t, "timeout", class(t, err))
		require.Equal(t, 10*time.Second, time.Since(began))
		require.ErrorIs(t, <-first, context.Canceled)
		require.Equal(t, 1, s.count())
	})
}

func TestAPlaceThatIsKnownIsNotAskedFor(t *testing.T) {
	t.Parallel()
	c, s := scripted(reply{status: 200, body: `{"id":"c","_rid":"r","_ts":1}`})
	k := &container{client: c, database: "db", name: "c"}
	for range 2 {
		at, err := k.whereabouts(t.Context(), op{"read", "p-1"})
		require.NoError(t, err)
		require.Equal(t, "r", at.ID)
	}
	require.Equal(t, 1, s.count())
}

// TestAnAnswerFromElsewhereIsADoubt: a partition on the move, or a container that is gone.
func TestAnAnswerFromElsewhereIsADoubt(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{410: false, 404: false, 503: true} {
		synctest.Test(t, func(t *testing.T) {
			c, _ := scripted(reply{status: status})
			k := &container{client: c, database: "db", name: "c"}
			k.place.set(outbox.Place{ID: "here"})
			require.Error(t, k.do(t.Context(), op{"read", "p-1"}, idempotent, func(ctx context.Context, items *azcosmos.ContainerClient) error {
				_, err := items.ReadItem(ctx, azcosmos.NewPartitionKeyString("p-1"), "entity", nil)
				return err
			}))
			_, known := k.place.get()
			require.Equal(t, want, known, status)
		})
	}
}
