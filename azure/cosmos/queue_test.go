package cosmos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/relaybox/relaybox/local/minicosmos"
	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
	"github.com/stretchr/testify/require"
)

func TestPrefixEndsAtAGap(t *testing.T) {
	t.Parallel()
	parked := &outbox.Fault{Reason: "r"}
	for name, row := range map[string]struct {
		seqs   []int64
		parked int64
		want   int
	}{
		"nothing":                {nil, 0, 0},
		"contiguous":             {[]int64{4, 5, 6}, 0, 3},
		"gap":                    {[]int64{4, 6, 7}, 0, 1},
		"backwards":              {[]int64{4, 5, 3}, 0, 2},
		"twice":                  {[]int64{4, 4}, 0, 1},
		"gap behind a parked":    {[]int64{4, 6, 7}, 4, 3},
		"order behind a parked":  {[]int64{4, 3}, 4, 1},
		"gap not behind the one": {[]int64{4, 5, 7}, 4, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var events []outbox.Event
			for _, s := range row.seqs {
				e := outbox.Event{Seq: s}
				if s == row.parked {
					e.Fault = parked
				}
				events = append(events, e)
			}
			require.Len(t, prefix(events), row.want)
		})
	}
}

func TestFindGoesThroughEmptyPages(t *testing.T) {
	t.Parallel()
	more := func(token, docs string) reply {
		r := reply{status: 200, body: `{"Documents":[` + docs + `]}`}
		if token != "" {
			r.header = map[string]string{"x-ms-continuation": token}
		}
		return r
	}
	c, s := scripted(more("a", ""), more("b", `{"pk":"p-1","createdAt":"2026-01-02T03:04:05Z"}`), more("c", ""), more("", `{"pk":"p-2"}`))
	var keys []string
	err := c.Outbox("db", "c", OutboxOptions{FindPage: 7}).Find(t.Context(), func(h []outbox.Head) error {
		keys = append(keys, h[0].Key)
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{"p-1", "p-2"}, keys)
	require.Equal(t, "b", s.requests[2].header.Get("x-ms-continuation"))
	require.Equal(t, "7", s.requests[0].header.Get("x-ms-max-item-count"))
	require.Empty(t, s.requests[0].header.Get("x-ms-documentdb-partitionkey"))
}

func TestFindStopsWithItsVisitor(t *testing.T) {
	t.Parallel()
	c, s := scripted(reply{status: 200, body: `{"Documents":[{"pk":"p-1"}]}`, header: map[string]string{"x-ms-continuation": "a"}})
	enough := errors.New("enough")
	err := c.Outbox("db", "c", OutboxOptions{}).Find(t.Context(), func([]outbox.Head) error { return enough })
	require.ErrorIs(t, err, enough)
	require.Equal(t, 1, s.count())

	// In every container, and whichever comes first.
	c, s = scripted(reply{status: 200, body: `{"Documents":[{"pk":"p-1"},{"pk":"invoice:1"}]}`})
	err = c.Outbox("db", "c", OutboxOptions{Containers: map[string]string{"invoice": "invoices"}}).Find(t.Context(), func([]outbox.Head) error { return enough })
	require.Equal(t, enough, err)
	require.Equal(t, 1, s.count())
}

// TestDocumentsOfStrangers: what nobody of us can have stored is an error that names the call,
// not an event.
func TestDocumentsOfStrangers(t *testing.T) {
	t.Parallel()
	c, _ := scripted(reply{status: 200, body: `{"Documents":[{"pk":7,"seq":"x"}]}`})
	box := c.Outbox("db", "c", OutboxOptions{})
	err := box.Find(t.Context(), func([]outbox.Head) error { return nil })
	require.ErrorContains(t, err, `find events in "c"`)
	_, err = box.Pending(t.Context(), "p-1", 0, 10)
	require.ErrorContains(t, err, `read events of "p-1"`)
	c, _ = scripted(rolledBack(2, 0, 404), reply{status: 200, body: `{"Documents":[{"seq":"x"}]}`})
	err = c.Outbox("db", "c", OutboxOptions{}).Settle(t.Context(), "p-1", []outbox.Event{{Seq: 1}, {Seq: 2}})
	require.ErrorContains(t, err, `settle events of "p-1"`)
	c, _ = scripted(reply{status: 200, body: `{"version":"x"}`})
	_, err = c.Outbox("db", "c", OutboxOptions{}).Load(t.Context(), "p-1")
	require.ErrorContains(t, err, `load "p-1"`)
}

func TestPendingTakesOnePage(t *testing.T) {
	t.Parallel()
	c, s := scripted(reply{status: 200, header: map[string]string{"x-ms-continuation": "more"}, body: `{"Documents":[
		{"id":"ob-1","pk":"p-1","pending":true,"seq":1,"eventId":"a","type":"t","envelope":{"x":1},"_etag":"\"1\"","traceparent":"tp","createdAt":"2026-01-02T03:04:05Z"},
		{"id":"ob-2","pk":"p-1","parked":true,"seq":2,"eventId":"b","type":"t","envelope":{},"_etag":"\"2\"","fault":{"reason":"too large","at":"2026-01-02T03:04:05Z","attempts":3}}]}`})
	events, err := c.Outbox("db", "c", OutboxOptions{}).Pending(t.Context(), "p-1", 0, 2)
	require.NoError(t, err)
	require.Equal(t, 1, s.count())
	require.Equal(t, []outbox.Event{
		{Key: "p-1", Seq: 1, ID: "a", Type: "t", Envelope: []byte(`{"x":1}`), Trace: outbox.Trace{Parent: "tp"}, Revision: `"1"`, CreatedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		{Key: "p-1", Seq: 2, ID: "b", Type: "t", Envelope: []byte(`{}`), Revision: `"2"`, Fault: &outbox.Fault{Reason: "too large", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Attempts: 3}},
	}, events)
}

func TestSettleBearsWhatSomebodyElseSettled(t *testing.T) {
	t.Parallel()
	events := []outbox.Event{{Seq: 1, Incarnation: "a"}, {Seq: 2, Incarnation: "a"}, {Seq: 3, Incarnation: "a"}}
	for name, row := range map[string]struct {
		replies []reply
		events  []outbox.Event
		want    []string
	}{
		"one":           {[]reply{{status: 204}}, events[:1], []string{"DELETE"}},
		"one, gone":     {[]reply{{status: 404}}, events[:1], []string{"DELETE"}},
		"one, another":  {[]reply{{status: 412}, {status: 200, body: `{"Documents":[{"seq":1,"incarnation":{"id":"b","first":1}}]}`}}, events[:1], []string{"DELETE", "query"}},
		"one, parked":   {[]reply{{status: 412}, {status: 200, body: `{"Documents":[{"seq":1,"incarnation":"a","_etag":"x"}]}`}, {status: 204}}, events[:1], []string{"DELETE", "query", "DELETE"}},
		"all":           {[]reply{committed("a", "b", "c")}, events, []string{"POST"}},
		"all gone":      {[]reply{rolledBack(3, 0, 404), {status: 200, body: `{"Documents":[]}`}}, events, []string{"POST", "query"}},
		"some gone":     {[]reply{rolledBack(3, 0, 404), {status: 200, body: `{"Documents":[{"seq":2,"incarnation":{"id":"a","first":1}},{"seq":3,"incarnation":"a"}]}`}, committed("b", "c")}, events, []string{"POST", "query", "POST"}},
		"going":         {[]reply{rolledBack(3, 0, 404), {status: 200, body: `{"Documents":[{"seq":2,"incarnation":{"id":"a","first":1}},{"seq":3,"incarnation":"a"}]}`}, rolledBack(2, 0, 404), {status: 404}, {status: 204}}, events, []string{"POST", "query", "POST", "DELETE", "DELETE"}},
		"batches of 2":  {[]reply{committed("a", "b"), {status: 204}}, events, []string{"POST", "DELETE"}},
		"dropped reply": {[]reply{{dropped: true}, rolledBack(3, 0, 404), {status: 200, body: `{"Documents":[]}`}}, events, []string{"POST", "POST", "query"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, s := scripted(row.replies...)
			opts := OutboxOptions{}
			if name == "batches of 2" {
				opts.SettleBatch = 2
			}
			require.NoError(t, c.Outbox("db", "c", opts).Settle(t.Context(), "p-1", row.events))
			var got []string
			for _, r := range s.requests {
				if r.header.Get("x-ms-documentdb-query") != "" {
					r.method = "query"
				}
				got = append(got, r.method)
			}
			require.Equal(t, row.want, got)
		})
	}
}

// TestASettleThatFailsSaysSo, whichever of its steps it is: else the events would be taken for
// settled.
func TestASettleThatFailsSaysSo(t *testing.T) {
	t.Parallel()
	events := []outbox.Event{{Seq: 1}, {Seq: 2}}
	forbidden := reply{status: 403}
	left := reply{status: 200, body: `{"Documents":[{"seq":1},{"seq":2}]}`}
	gone := rolledBack(2, 0, 404)
	for name, replies := range map[string][]reply{
		"the batch":        {forbidden},
		"what is left":     {gone, forbidden},
		"the second batch": {gone, left, forbidden},
		"one by one":       {gone, left, gone, {status: 204}, forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, s := scripted(replies...)
			err := c.Outbox("db", "c", OutboxOptions{}).Settle(t.Context(), "p-1", events)
			require.Equal(t, outbox.Unauthorized, outbox.ClassOf(err))
			require.Equal(t, len(replies), s.count())
		})
	}
	c, _ := scripted(forbidden)
	require.Equal(t, outbox.Unauthorized, outbox.ClassOf(c.Outbox("db", "c", OutboxOptions{}).Settle(t.Context(), "p-1", events[:1])))
	c, _ = scripted(forbidden)
	require.Equal(t, outbox.Unauthorized, outbox.ClassOf(c.Outbox("db", "c", OutboxOptions{}).Park(t.Context(), outbox.Event{Key: "p-1", Seq: 1}, outbox.Fault{})))
}

func TestParkLeavesAloneWhatMoved(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]error{http.StatusOK: nil, http.StatusPreconditionFailed: outbox.ErrConflict, http.StatusNotFound: outbox.ErrConflict} {
		now := reply{status: http.StatusOK, body: `{"id":"ob-3","pk":"p-1","parked":true,"fault":{"reason":"other","at":"0001-01-01T00:00:00Z","attempts":3}}`}
		c, s := scripted(reply{status: status}, now)
		e := outbox.Event{Key: "p-1", Seq: 3, Revision: `"e"`}
		require.Equal(t, want, c.Outbox("db", "c", OutboxOptions{}).Park(t.Context(), e, outbox.Fault{Reason: `it's "bad"`, Attempts: 3}))
		require.Equal(t, `"e"`, s.requests[0].header.Get("If-Match"))
		require.JSONEq(t, `{"condition":"from c where c.pending = true","operations":[{"op":"remove","path":"/pending"},
			{"op":"set","path":"/parked","value":true},
			{"op":"set","path":"/fault","value":{"reason":"it's \"bad\"","at":"0001-01-01T00:00:00Z","attempts":3}}]}`, s.requests[0].body)

		c, s = scripted(reply{status: status}, now)
		e.Fault = &outbox.Fault{}
		require.Equal(t, want, c.Outbox("db", "c", OutboxOptions{}).Park(t.Context(), e, outbox.Fault{Reason: "r", Attempts: 4}))
		require.Equal(t, `"e"`, s.requests[0].header.Get("If-Match"))
		require.JSONEq(t, `{"condition":"from c where c.parked = true","operations":[
			{"op":"set","path":"/fault","value":{"reason":"r","at":"0001-01-01T00:00:00Z","attempts":4}}]}`, s.requests[0].body)
	}
}

// TestAParkThatMeetsItself: the answer was lost, and the repetition is refused because of the
// first try.
func TestAParkThatMeetsItself(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 8, 7, 10, 0, 0, 123456789, time.UTC)
	f := outbox.Fault{Reason: "r", At: at, Attempts: 3, Next: at.Add(time.Minute)}
	text, err := json.Marshal(map[string]any{"id": "ob-3", "pk": "p-1", "parked": true, "fault": f})
	require.NoError(t, err)
	e := outbox.Event{Key: "p-1", Seq: 3, Revision: `"e"`}
	c, _ := scripted(reply{dropped: true}, reply{status: http.StatusPreconditionFailed}, reply{status: http.StatusOK, body: string(text)})
	require.NoError(t, c.Outbox("db", "c", OutboxOptions{}).Park(t.Context(), e, f))
	f.Attempts++
	c, _ = scripted(reply{dropped: true}, reply{status: http.StatusPreconditionFailed}, reply{status: http.StatusOK, body: string(text)})
	require.ErrorIs(t, c.Outbox("db", "c", OutboxOptions{}).Park(t.Context(), e, f), outbox.ErrConflict)
}

// TestAnActWhoseAnswerIsLost is in doubt: nobody may say that it was not done.
func TestAnActWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	e := outbox.Event{Key: "p:1", Seq: 3, ID: "e", Revision: `"e"`, Fault: &outbox.Fault{}}
	for name, do := range map[string]func(*Outbox) error{
		"release": func(o *Outbox) error { return o.Release(t.Context(), e) },
		"replace": func(o *Outbox) error {
			return o.Replace(t.Context(), e, outbox.Event{Key: "p:1", Seq: 3, ID: "e-skipped", Envelope: []byte(`{}`)})
		},
		"halts": func(o *Outbox) error { return o.SetHalts(t.Context(), outbox.Halts{}, outbox.Act{ID: "a"}) },
	} {
		c, s := scripted(reply{dropped: true}, reply{status: http.StatusNotFound})
		require.Equal(t, outbox.Ambiguous, outbox.ClassOf(do(c.Outbox("db", "c", OutboxOptions{}))), name)
		require.Equal(t, 1, s.count(), name)
	}
}

func TestKeysThatAzcosmosWouldMangle(t *testing.T) {
	t.Parallel()
	c, s := scripted(stored)
	box := c.Outbox("db", "c", OutboxOptions{})
	for _, key := range []string{"", "a\x01", "\x7f", "😀", "\xff"} {
		for name, do := range map[string]func() error{
			"load":    func() error { _, err := box.Load(t.Context(), key); return err },
			"receipt": func() error { _, err := box.Receipt(t.Context(), key, "rq-1"); return err },
			"barrier": func() error { return box.Barrier(t.Context(), key) },
			"place":   func() error { _, err := box.Place(t.Context(), key); return err },
			"commit":  func() error { _, err := box.Commit(t.Context(), outbox.Commit{Key: key}); return err },
			"pending": func() error { _, err := box.Pending(t.Context(), key, 0, 10); return err },
			"settle":  func() error { return box.Settle(t.Context(), key, []outbox.Event{{Key: key, Seq: 1}}) },
			"park":    func() error { return box.Park(t.Context(), outbox.Event{Key: key, Seq: 1}, outbox.Fault{}) },
			"release": func() error { return box.Release(t.Context(), outbox.Event{Key: key, Seq: 1}) },
			"replace": func() error { return box.Replace(t.Context(), outbox.Event{Key: key, Seq: 1}, outbox.Event{}) },
		} {
			require.Equal(t, outbox.Rejected, outbox.ClassOf(do()), "%s %q", name, key)
		}
	}
	require.Zero(t, s.count())
}

// TestDefaultsAreWhatTheServiceTakes: a page of Find has 500 keys, a settling batch 50
// deletes, and no setting makes it more than 100.
func TestDefaultsAreWhatTheServiceTakes(t *testing.T) {
	t.Parallel()
	c, s := scripted(reply{status: 200, body: `{"Documents":[]}`})
	require.NoError(t, c.Outbox("db", "c", OutboxOptions{}).Find(t.Context(), func([]outbox.Head) error { return nil }))
	require.Equal(t, "500", s.requests[0].header.Get("x-ms-max-item-count"))

	var events []outbox.Event
	for i := range 150 {
		events = append(events, outbox.Event{Seq: int64(i + 1)})
	}
	for batch, want := range map[int][]int{0: {50, 50, 50}, 1000: {100, 50}} {
		c, s := scripted(committed("x"))
		require.NoError(t, c.Outbox("db", "c", OutboxOptions{SettleBatch: batch}).Settle(t.Context(), "p-1", events))
		var got []int
		for _, r := range s.requests {
			got = append(got, strings.Count(r.body, `"Delete"`))
		}
		require.Equal(t, want, got)
	}
}

// TestAWarmEventIsTwoRequests: the batch that stores it, and its deletion.
func TestAWarmEventIsTwoRequests(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	box := connected(t, server.ConnectionString()).Outbox("relaybox", "outbox", OutboxOptions{})
	settled := make(chan struct{}, 1)
	d := outbox.NewDispatcher(box, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{Observer: func(s outbox.Signal) {
		if _, ok := s.(outbox.Settled); ok {
			settled <- struct{}{}
		}
	}})
	f := outbox.NewFastPath(d, outbox.FastPathOptions{LookEvery: -1})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { f.Run(ctx) })
	w := outbox.NewWriter(box, outbox.WriterOptions{Source: "/test", Committed: f.Notify})
	for i := range 5 {
		if i == 2 {
			server.ResetCharges() // what follows is warm
		}
		_, err := w.Write(t.Context(), change("doc:a", fmt.Sprint(i)))
		require.NoError(t, err)
		<-settled
	}
	cancel()
	wg.Wait()
	requests := map[minicosmos.Operation]int64{}
	for _, c := range server.Charges() {
		requests[c.Operation] += c.Requests
	}
	require.Equal(t, map[minicosmos.Operation]int64{minicosmos.OpBatch: 3, minicosmos.OpDelete: 3}, requests)
	events, err := box.Pending(t.Context(), "doc:a", 0, 10)
	require.NoError(t, err)
	require.Empty(t, events)
}

// TestFindNamesAKeyOnce, with its oldest event, however many pages its events fill.
func TestFindNamesAKeyOnce(t *testing.T) {
	t.Parallel()
	server := minicosmos.RunT(t)
	box := connected(t, server.ConnectionString()).Outbox("relaybox", "outbox", OutboxOptions{FindPage: 4})
	w := outbox.NewWriter(box, outbox.WriterOptions{Source: "/test"})
	oldest := map[string]time.Time{}
	for i := range 10 {
		for _, key := range []string{"doc:a", "doc:b"} {
			_, err := w.Write(t.Context(), change(key, fmt.Sprint(i)))
			require.NoError(t, err)
			if i == 0 {
				events, err := box.Pending(t.Context(), key, 0, 1)
				require.NoError(t, err)
				oldest[key] = events[0].CreatedAt
			}
		}
	}
	named, pages := map[string]time.Time{}, 0
	require.NoError(t, box.Find(t.Context(), func(heads []outbox.Head) error {
		pages++
		for _, h := range heads {
			require.NotContains(t, named, h.Key)
			named[h.Key] = h.CreatedAt
		}
		return nil
	}))
	require.Equal(t, oldest, named)
	require.GreaterOrEqual(t, pages, 5, "whoever looks can bound the pages that it reads")
}

func TestDistinct(t *testing.T) {
	t.Parallel()
	at := func(key string, second int) outbox.Head {
		return outbox.Head{Key: key, CreatedAt: time.Date(2026, 1, 1, 0, 0, second, 0, time.UTC)}
	}
	d := distinct{}
	require.Equal(t, []outbox.Head{at("a", 3), at("b", 5)}, d.of([]outbox.Head{at("a", 4), at("b", 5), at("a", 3), at("b", 6)}))
	require.Equal(t, []outbox.Head{at("b", 4), at("c", 9)}, d.of([]outbox.Head{at("a", 3), at("b", 4), at("c", 9), at("a", 7)}))
	require.Empty(t, d.of([]outbox.Head{at("b", 5), at("c", 9)}))
	for i := range distinctKeys + 10 {
		d.of([]outbox.Head{at(fmt.Sprint(i), 1)})
	}
	require.Len(t, d, distinctKeys)
	require.Len(t, d.of([]outbox.Head{at("more", 1), at("more", 2)}), 1)
}
