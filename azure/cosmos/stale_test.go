package cosmos

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/outbox"
)

// set is a PUT as the app has it: no event when nothing changes, and on demand 412 for any
// version but one.
func set(key, text string, version int64) outbox.Request {
	data, _ := json.Marshal(text)
	return outbox.Request{
		Key: key,
		Decide: func(cur outbox.Entity) (outbox.Decision, error) {
			switch {
			case version > 0 && cur.Version != version:
				return outbox.Decision{Answer: &outbox.Answer{Status: 412}}, nil
			case string(cur.Data) == string(data):
				return outbox.Decision{Status: 200}, nil
			}
			return outbox.Decision{Status: 200, Data: data, Events: []outbox.Draft{{Type: "t", Data: text}}}, nil
		},
		Render: func(e outbox.Entity, status int) outbox.Answer {
			return outbox.Answer{Status: status, Body: e.Data}
		},
	}
}

// TestTwoInstancesAndALaggingReplica: A writes Ann, B reads; then the replicas lag, A writes
// Bob, and B is asked to write Ann again, or what was right before.
func TestTwoInstancesAndALaggingReplica(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		request outbox.Request
		key     string
		status  int
		stored  string
		version int64
	}{
		"put of what was":       {set("doc:k", "Ann", 0), "", 200, `"Ann"`, 3},
		"with a key":            {set("doc:k", "Ann", 0), "id", 200, `"Ann"`, 3},
		"on the old version":    {set("doc:k", "Ann", 1), "", 412, `"Bob"`, 2},
		"on the newest version": {set("doc:k", "Cid", 2), "", 200, `"Cid"`, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := minicosmos.RunT(t)
			a := connected(t, server.ConnectionString()).Outbox("relaybox", "outbox", OutboxOptions{})
			b := connected(t, server.ConnectionString()).Outbox("relaybox", "outbox", OutboxOptions{})
			writeA, writeB := outbox.NewWriter(a, outbox.WriterOptions{}), outbox.NewWriter(b, outbox.WriterOptions{})
			_, err := writeA.Write(t.Context(), set("doc:k", "Ann", 0))
			require.NoError(t, err)
			_, err = b.Load(t.Context(), "doc:k")
			require.NoError(t, err)
			require.NoError(t, server.Inject(minicosmos.Fault{Do: minicosmos.Stale, Delay: minicosmos.Duration(20 * time.Second)}))
			_, err = writeA.Write(t.Context(), set("doc:k", "Bob", 0))
			require.NoError(t, err)
			stale, err := b.Load(t.Context(), "doc:k")
			require.NoError(t, err)
			require.EqualValues(t, 1, stale.Version, "B does not see it yet")

			req := c.request
			req.IdempotencyKey, req.RequestHash = c.key, "h"
			answer, err := writeB.Write(t.Context(), req)
			require.NoError(t, err)
			require.Equal(t, c.status, answer.Status)
			server.ClearFaults()
			now, err := a.Load(t.Context(), "doc:k")
			require.NoError(t, err)
			require.Equal(t, c.stored, string(now.Data))
			require.Equal(t, c.version, now.Version)
		})
	}
}

// TestALaggingReplicaDoesNotMakeUsForget: the tokens outlive any number of replicas that lag.
func TestALaggingReplicaDoesNotMakeUsForget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		written := committed(`"r"`, `"e2"`, `"v"`)
		written.header = map[string]string{"x-ms-session-token": "0:0#7#0=7"}
		behind := reply{status: http.StatusNotFound, header: map[string]string{"x-ms-substatus": "1002", "x-ms-session-token": "0:0#3#0=3"}}
		found := reply{status: 200, body: `{"id":"entity","pk":"p-1","version":2}`, header: map[string]string{"etag": `"e2"`}}
		// The SDK repeats each of these once by itself.
		c, s := scripted(written, behind, behind, behind, behind, behind, behind, reply{status: 200, body: `{"_rid":"here"}`}, behind, behind, found)
		box := c.Outbox("db", "c", OutboxOptions{})
		_, err := box.Commit(t.Context(), aCommit)
		require.NoError(t, err)
		e, err := box.Load(t.Context(), "p-1")
		require.NoError(t, err)
		require.EqualValues(t, 2, e.Version)
		for _, r := range s.requests[1:] {
			if r.path != "/dbs/db/colls/c" { // the account was asked which container it is
				require.Equal(t, "0:0#7#0=7", r.header.Get("x-ms-session-token"))
			}
		}
	})
}

// TestTokensOfAContainerThatIsGone are of no use, and are dropped as soon as the account
// names another one: a reader recovers without a write.
func TestTokensOfAContainerThatIsGone(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(*Outbox) (int, error){
		"an entity": func(o *Outbox) (int, error) {
			e, err := o.Load(context.Background(), "doc:k")
			return int(e.Version), err
		},
		"events": func(o *Outbox) (int, error) {
			events, err := o.Pending(context.Background(), "doc:k", 0, 10)
			return len(events), err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := minicosmos.RunT(t)
			box := connected(t, server.ConnectionString()).Outbox("relaybox", "outbox", OutboxOptions{})
			w := outbox.NewWriter(box, outbox.WriterOptions{})
			for range 50 {
				_, err := w.Write(t.Context(), change("doc:k", "x"))
				require.NoError(t, err)
			}
			recreate(t, server, "outbox")
			n, err := read(box)
			require.NoError(t, err)
			require.Zero(t, n)
		})
	}
}

// TestTokensFromBeforeAnythingWasRead: queries that find nothing bring tokens, too.
func TestTokensFromBeforeAnythingWasRead(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	w := outbox.NewWriter(connected(t, server.ConnectionString()).Outbox("relaybox", "outbox", OutboxOptions{}), outbox.WriterOptions{})
	for range 50 {
		_, err := w.Write(t.Context(), change("doc:k", "x"))
		require.NoError(t, err)
	}
	fresh := connected(t, server.ConnectionString()).Outbox("relaybox", "outbox", OutboxOptions{})
	_, err := fresh.Pending(t.Context(), "doc:k", 99, 10)
	require.NoError(t, err)
	recreate(t, server, "outbox")
	_, err = fresh.Load(t.Context(), "doc:k")
	require.NoError(t, err)
}

// TestARefusalAfterDoubtIsDoubt: once a try may have been carried out, no later answer says
// that nothing was stored.
func TestARefusalAfterDoubtIsDoubt(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]reply{
		"conflict":       rolledBack(3, 1, 412),
		"receipt exists": rolledBack(3, 0, 409),
		"throttled":      {status: 429, header: map[string]string{"x-ms-retry-after-ms": "60000"}},
		"no right":       {status: 403},
		"refused":        {refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, _ := scripted(reply{status: 503}, second)
				_, err := c.Outbox("db", "c", OutboxOptions{}).Commit(t.Context(), aCommit)
				require.Equal(t, outbox.Ambiguous, outbox.ClassOf(err))
			})
		})
	}
}
