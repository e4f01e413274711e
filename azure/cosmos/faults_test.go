package cosmos

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/relaybox/relaybox/outbox"
	"github.com/stretchr/testify/require"
)

var (
	aCommit = outbox.Commit{
		Key:      "p-1",
		Entity:   outbox.Entity{Key: "p-1", Version: 2, LastSeq: 2, Data: []byte(`{}`), Revision: `"e1"`},
		Events:   []outbox.Event{{Key: "p-1", Seq: 2, ID: "id-2", Type: "t", Envelope: []byte(`{}`)}},
		Receipts: []outbox.Receipt{{ID: "rq-1", RequestHash: "h"}},
	}
	stored = committed(`"r"`, `"e2"`, `"v"`)
)

// Each row is a server's behaviour and what a commit and a read make of it: the
// outcome, and how many requests it took. "-" in a row means that it does not apply.
func TestWhatIsRepeated(t *testing.T) {
	t.Parallel()
	status := func(code int, header ...string) reply {
		r := reply{status: code, header: map[string]string{}}
		for i := 0; i < len(header); i += 2 {
			r.header[header[i]] = header[i+1]
		}
		return r
	}
	found := reply{status: 200, body: `{"id":"entity","pk":"p-1","version":1}`, header: map[string]string{"etag": `"e"`}}
	wait := []string{"x-ms-retry-after-ms", "40"}
	for _, row := range []struct {
		name         string
		replies      []reply
		commit, read string
	}{
		{"throttled, then well", []reply{status(429, wait...), status(429, wait...)}, "ok/3", "ok/3"},
		{"throttled for long", []reply{status(429, "x-ms-retry-after-ms", "60000")}, "throttled/1", "throttled/1"},
		{"retry with", []reply{status(449)}, "ok/2", "ok/2"},
		{"gone", []reply{status(410, "x-ms-substatus", "1002")}, "ok/2", "ok/2"},
		{"unavailable", []reply{status(503)}, "ok/2", "ok/2"},
		{"refused", []reply{{refused: true}, {refused: true}}, "ok/3", "ok/3"},
		{"dropped", []reply{{dropped: true}}, "ambiguous/1", "ok/2"},
		{"server error", []reply{status(500)}, "ambiguous/1", "ok/2"},
		{"bad gateway", []reply{status(502)}, "ambiguous/1", "ok/2"},
		{"gateway timeout", []reply{status(504)}, "ambiguous/1", "ok/2"},
		{"request timeout", []reply{status(408)}, "ambiguous/1", "ok/2"},
		{"no right", []reply{status(401)}, "unauthorized/1", "unauthorized/1"},
		{"forbidden", []reply{status(403)}, "unauthorized/1", "unauthorized/1"},
		{"partition full", []reply{status(403, "x-ms-substatus", "1014")}, "too large/1", "-"},
		{"too large", []reply{status(413)}, "too large/1", "-"},
		{"bad request", []reply{status(400)}, "rejected/1", "rejected/1"},
		{"no container", []reply{status(404, "x-ms-substatus", "1003")}, "unavailable/1", "unavailable/1"},
		{"lagging replica", []reply{status(404, "x-ms-substatus", "1002"), status(404, "x-ms-substatus", "1002")}, "-", "ok/3"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if row.commit != "-" {
				synctest.Test(t, func(t *testing.T) {
					c, s := scripted(append(row.replies, stored)...)
					_, err := c.Outbox("db", "c", OutboxOptions{}).Commit(t.Context(), aCommit)
					require.Equal(t, row.commit, fmt.Sprintf("%s/%d", class(t, err), s.count()))
				})
			}
			if row.read != "-" {
				synctest.Test(t, func(t *testing.T) {
					c, s := scripted(append(row.replies, found)...)
					_, err := c.Outbox("db", "c", OutboxOptions{}).Load(t.Context(), "p-1")
					require.Equal(t, row.read, fmt.Sprintf("%s/%d", class(t, err), s.count()))
				})
			}
		})
	}
}

func TestRolledBackBatchNamesItsCause(t *testing.T) {
	t.Parallel()
	const receipt, entity, event = 0, 1, 2
	for _, row := range []struct {
		op, status int
		want       string
	}{
		{receipt, 409, "receipt exists/1"},
		{entity, 412, "conflict/1"},
		{entity, 404, "conflict/1"},
		{entity, 409, "conflict/1"},
		{event, 409, "conflict/1"},
		{event, 413, "too large/1"},
		{event, 400, "rejected/1"},
		{entity, 429, "ok/2"},
		{entity, 449, "ok/2"},
		{entity, 408, "ok/2"},
		{entity, 500, "ok/2"},
		{entity, 410, "ok/2"},
		{entity, 503, "ok/2"},
		{entity, 403, "unauthorized/1"},
	} {
		t.Run(fmt.Sprintf("%d at %d", row.status, row.op), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := scripted(rolledBack(3, row.op, row.status), stored)
				_, err := c.Outbox("db", "c", OutboxOptions{}).Commit(t.Context(), aCommit)
				require.Equal(t, row.want, fmt.Sprintf("%s/%d", class(t, err), s.count()))
			})
		})
	}
}

func TestBrokenPromiseOfABatchIsAmbiguous(t *testing.T) {
	t.Parallel()
	for name, r := range map[string]reply{
		"200 with a failed operation": {status: 200, body: `[{"statusCode":201},{"statusCode":409},{"statusCode":424}]`},
		"200 with no result":          {status: 200, body: `[]`},
		"200 with half a body":        {status: 200, body: `[{"statusCode":2`},
	} {
		c, _ := scripted(r)
		_, err := c.Outbox("db", "c", OutboxOptions{}).Commit(t.Context(), aCommit)
		require.Equal(t, outbox.Ambiguous, outbox.ClassOf(err), name)
	}
}

func TestCallsEndWithTheirCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := scripted(reply{status: 429, header: map[string]string{"x-ms-retry-after-ms": "900"}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := c.Outbox("db", "c", OutboxOptions{}).Load(ctx, "p-1")
		require.Equal(t, outbox.Throttled, outbox.ClassOf(err))
		require.Equal(t, 900*time.Millisecond, outbox.RetryAfterOf(err))
		require.LessOrEqual(t, time.Since(start), time.Second)
	})
}

func TestErrorsAreShortAndHoldNoKey(t *testing.T) {
	t.Parallel()
	c, _ := scripted(reply{status: 413, body: `{"code":"RequestEntityTooLarge","message":"…"}`, header: map[string]string{"x-ms-activity-id": "a-1"}})
	_, err := c.Outbox("db", "c", OutboxOptions{}).Commit(t.Context(), aCommit)
	require.EqualError(t, err, `commit "p-1": too large: status 413/0 (Request Entity Too Large), activity a-1`)
}
