package cosmos

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/relaybox/relaybox/azure/access"
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
		{"out of storage", []reply{status(507)}, "ambiguous/1", "ok/2"},
		{"not the write region", []reply{status(403, "x-ms-substatus", "3")}, "ok/2", "ok/2"},
		{"not the write region any more", []reply{status(403, "x-ms-substatus", "1008")}, "ok/2", "ok/2"},
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

// TestAReadLeavesNoDoubt: what the repetition says is the answer, whatever the first try did.
func TestAReadLeavesNoDoubt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := scripted(reply{dropped: true}, reply{status: 404})
		e, err := c.Outbox("db", "c", OutboxOptions{}).Load(t.Context(), "p-1")
		require.NoError(t, err)
		require.Zero(t, e.Version)
		require.Equal(t, 2, s.count())
	})
}

// TestFaultsThatDoNotPass: a read is repeated for three seconds, and what is told then is
// what the last answer meant, and the service's wish.
func TestFaultsThatDoNotPass(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		reply reply
		want  string
	}{
		{reply{status: 408}, "timeout"},
		{reply{status: 500}, "unavailable"},
		{reply{status: 507}, "unavailable"},
		{reply{status: 410}, "unavailable"},
		{reply{refused: true}, "unavailable"},
		{reply{dropped: true}, "unavailable"},
		{reply{status: 449}, "throttled"},
		{reply{status: 429, header: map[string]string{"Retry-After": "60"}}, "throttled at once, after 1m0s"},
		{reply{status: 429, header: map[string]string{"Retry-After": "60", "x-ms-retry-after-ms": "20000.5"}}, "throttled at once, after 20.0005s"},
		{reply{status: 429, header: map[string]string{"Retry-After": "60", "x-ms-retry-after-ms": "-1"}}, "throttled at once, after 1m0s"},
		{reply{status: 429, header: map[string]string{"Retry-After": "60", "x-ms-retry-after-ms": "soon"}}, "throttled at once, after 1m0s"},
		{reply{status: 429, header: map[string]string{"Retry-After": "60", "x-ms-retry-after-ms": "0"}}, "throttled at once, after 1m0s"},
		{reply{status: 429, header: map[string]string{"Retry-After": "60", "x-ms-retry-after-ms": "1e999"}}, "throttled at once, after 1m0s"},
		{reply{status: 429, header: map[string]string{"Retry-After": "-60"}}, "throttled"},
		{reply{status: 429, header: map[string]string{"Retry-After": "99999999999999999999"}}, "throttled"},
		{reply{status: 429, header: map[string]string{"Retry-After": "soon"}}, "throttled"},
	} {
		t.Run(fmt.Sprint(row.reply.status, row.reply.header), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, s := scripted(row.reply)
				_, err := c.Outbox("db", "c", OutboxOptions{}).Load(t.Context(), "p-1")
				got := class(t, err)
				if s.count() == 1 {
					got += " at once"
				}
				if after := outbox.RetryAfterOf(err); after != 0 {
					got += ", after " + after.String()
				}
				require.Equal(t, row.want, got)
			})
		})
	}
}

// TestAStoreThatDoesNotAnswer: the attempt's own time is over, or its caller's. Of a commit
// nobody knows then.
func TestAStoreThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for name, patience := range map[string]time.Duration{"the attempt": time.Hour, "its caller": time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c, _ := scripted(reply{silent: true})
				o := c.Outbox("db", "c", OutboxOptions{})
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				_, err := o.Load(ctx, "p-1")
				require.Equal(t, "timeout", class(t, err))
				require.ErrorIs(t, err, context.DeadlineExceeded)
				ctx, cancel = context.WithTimeout(t.Context(), patience)
				defer cancel()
				_, err = o.Commit(ctx, aCommit)
				require.Equal(t, "ambiguous", class(t, err))
			})
		})
	}
}

// TestAMarkerThatCollides: writes of one marker at the same time may be refused as a
// conflict, and are repeated.
func TestAMarkerThatCollides(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, s := scripted(reply{status: 409}, reply{status: 412}, reply{status: 200})
		require.NoError(t, c.Outbox("db", "c", OutboxOptions{}).Barrier(t.Context(), "p-1"))
		require.Equal(t, 3, s.count())
		c, _ = scripted(reply{status: 409})
		require.Equal(t, "unavailable", class(t, c.Outbox("db", "c", OutboxOptions{}).Barrier(t.Context(), "p-1")))
	})
}

// TestAnIdentityWithoutAToken is the operator's business, unless the call was just cut.
func TestAnIdentityWithoutAToken(t *testing.T) {
	t.Parallel()
	token := &access.TokenError{Err: errors.New("no identity")}
	f := diagnose(t.Context(), fmt.Errorf("read: %w", token), false)
	require.Equal(t, outbox.Unauthorized, f.class)
	require.ErrorIs(t, f.err, token)
	require.False(t, f.again)
	setting := &access.SettingError{Err: errors.New("no such file")}
	f = diagnose(t.Context(), setting, false)
	require.Equal(t, outbox.Unauthorized, f.class)
	require.ErrorIs(t, f.err, setting)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f = diagnose(ctx, token, false)
	require.Equal(t, outbox.Timeout, f.class)
	require.Equal(t, nothing, f.effect)
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
		"200 with too few results":    committed("a", "b"),
		"200 with half a body":        {status: 200, body: `[{"statusCode":2`},
	} {
		c, _ := scripted(r)
		_, err := c.Outbox("db", "c", OutboxOptions{}).Commit(t.Context(), aCommit)
		require.Equal(t, outbox.Ambiguous, outbox.ClassOf(err), name)
	}
}

// TestBatchesThatNobodyWouldTake are not sent.
func TestBatchesThatNobodyWouldTake(t *testing.T) {
	t.Parallel()
	c, s := scripted(stored)
	box := c.Outbox("db", "c", OutboxOptions{})
	many := outbox.Commit{Key: "p-1", Receipts: make([]outbox.Receipt, 40), Events: make([]outbox.Event, 60)}
	_, err := box.Commit(t.Context(), many)
	require.EqualError(t, err, `commit "p-1": too large: 101 operations in a batch, the limit is 100`)
	_, err = box.Commit(t.Context(), outbox.Commit{Key: "p-1", Events: []outbox.Event{{Envelope: []byte(`{`)}}})
	require.Equal(t, outbox.Rejected, outbox.ClassOf(err))
	require.ErrorContains(t, err, `commit "p-1"`)
	require.Zero(t, s.count())

	many.Events = many.Events[:59]
	for i := range many.Events {
		many.Events[i].Envelope = []byte(`{}`)
	}
	_, err = box.Commit(t.Context(), many)
	require.Equal(t, 1, s.count(), "%v", err)
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
	full, _ := scripted(reply{status: 403, header: map[string]string{"x-ms-substatus": "1014"}})
	_, err = full.Outbox("db", "c", OutboxOptions{}).Commit(t.Context(), aCommit)
	require.ErrorContains(t, err, "status 403/1014")
	var answer *azcore.ResponseError
	require.ErrorAs(t, err, &answer, "the answer itself is kept")
	require.Equal(t, 403, answer.StatusCode)
}
