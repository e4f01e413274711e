package outboxtest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
)

// TestStore is the conformance suite of outbox.Store and outbox.Queue. open returns
// a store for one subtest; it may be shared, because keys are named after the test.
func TestStore(t *testing.T, open func(t *testing.T) Storage) {
	for name, test := range map[string]func(*testing.T, Storage, string){
		"LoadMissing":          storeLoadMissing,
		"RoundTrip":            storeRoundTrip,
		"CreateTwice":          storeCreateTwice,
		"StaleRevision":        storeStaleRevision,
		"EventExists":          storeEventExists,
		"ReceiptExists":        storeReceiptExists,
		"SameContent":          storeSameContent,
		"EmptyTombstone":       storeEmptyTombstone,
		"Barrier":              storeBarrier,
		"OneWinner":            storeOneWinner,
		"PendingInOrder":       storePendingInOrder,
		"PendingOfKeyOnly":     storePendingOfKeyOnly,
		"PendingAfter":         storePendingAfter,
		"SettlePrefix":         storeSettlePrefix,
		"SettleTwice":          storeSettleTwice,
		"SettleMany":           storeSettleMany,
		"SettleByID":           storeSettleByID,
		"Park":                 storePark,
		"ParkIsConditional":    storeParkIsConditional,
		"ParkAgain":            storeParkAgain,
		"Parked":               storeParked,
		"Find":                 storeFind,
		"Place":                storePlace,
		"FindStops":            storeFindStops,
		"OddKeys":              storeOddKeys,
		"EndedContext":         storeEndedContext,
		"ParkedSurvivesSettle": storeParkedSurvivesSettle,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t), strings.ReplaceAll(t.Name(), "/", "_"))
		})
	}
}

// ev makes a pending event whose envelope has the given number of bytes and some, or few.
func ev(key string, seq int64, size ...int) outbox.Event {
	filler := ""
	if len(size) > 0 {
		filler = strings.Repeat("x", size[0])
	}
	at := time.Date(2026, 8, 7, 10, 0, 0, 123_000_000, time.UTC)
	e := outbox.Event{
		Key: key, Seq: seq, Type: "test.changed", CreatedAt: at,
		Trace: outbox.Trace{Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", State: "a=1"},
	}
	in := outbox.Incarnation{ID: "i-1", First: 1, Since: at.Truncate(time.Second), Drawn: at}
	if err := e.Fill(outbox.Content{Source: "/test", Incarnation: in, Data: []byte(`{"text":"` + filler + `"}`)}); err != nil {
		panic(err) // the parts above are valid
	}
	return e
}

// write commits a version of key with n events after the entity's last one.
func write(t *testing.T, s Storage, key string, n int) outbox.Entity {
	t.Helper()
	e, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	c := next(e, n)
	e = c.Entity
	made, err := s.Commit(t.Context(), c)
	require.NoError(t, err)
	e.Revision = made.Entity
	return e
}

func next(e outbox.Entity, n int) outbox.Commit {
	e.Version++
	c := outbox.Commit{Key: e.Key}
	for range n {
		e.LastSeq++
		c.Events = append(c.Events, ev(e.Key, e.LastSeq))
	}
	e.Data = json.RawMessage(fmt.Sprintf(`{"v":%d,"text":"Ærø 日本 😀"}`, e.Version))
	e.Batch = fmt.Sprintf("batch-%d", e.Version)
	e.UpdatedAt = time.Date(2026, 8, 7, 10, 0, 0, 0, time.UTC)
	c.Entity = e
	return c
}

func seqs(events []outbox.Event) []int64 {
	var s []int64
	for _, e := range events {
		s = append(s, e.Seq)
	}
	return s
}

func receipt(t *testing.T, s Storage, key, id string) *outbox.Receipt {
	t.Helper()
	r, err := s.Receipt(t.Context(), key, id)
	require.NoError(t, err)
	return r
}

func pending(t *testing.T, s Storage, key string, limit int) []outbox.Event {
	t.Helper()
	events, err := s.Pending(t.Context(), key, 0, limit)
	require.NoError(t, err)
	return events
}

func storeLoadMissing(t *testing.T, s Storage, key string) {
	e, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, outbox.Entity{Key: key}, e)
	require.Nil(t, receipt(t, s, key, "rq-none"))
	require.Empty(t, pending(t, s, key, 10))
}

func storeRoundTrip(t *testing.T, s Storage, key string) {
	c := next(outbox.Entity{Key: key}, 2)
	c.Events[0].ID, c.Events[0].Envelope, c.Events[0].Content = "e-1", json.RawMessage(`{"id":"e-1"}`), nil // of whatever content
	c.Receipts = []outbox.Receipt{
		{ID: "rq-1", RequestHash: "h", Batch: "batch-1", Answer: outbox.Answer{Status: 201, ETag: `"1"`, Location: "/p", Body: json.RawMessage(`{"a":1}`)}},
		{ID: "rq-2", RequestHash: "g", Batch: "batch-1", Answer: outbox.Answer{Status: 404, Body: json.RawMessage(`{"b":2}`)}},
	}
	made, err := s.Commit(t.Context(), c)
	require.NoError(t, err)
	require.NotEmpty(t, made.Entity)
	require.Len(t, made.Events, len(c.Events))

	e, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	want := c.Entity
	want.Revision = made.Entity
	require.JSONEq(t, string(want.Data), string(e.Data))
	want.Data, e.Data = nil, nil
	require.Equal(t, want, e)
	for _, want := range c.Receipts {
		r := receipt(t, s, key, want.ID)
		require.NotNil(t, r)
		require.JSONEq(t, string(want.Answer.Body), string(r.Answer.Body))
		r.Answer.Body = want.Answer.Body
		require.Equal(t, want, *r)
	}

	for i, got := range pending(t, s, key, 10) {
		require.NotEmpty(t, got.Revision)
		require.Equal(t, made.Events[i], got.Revision)
		require.JSONEq(t, string(c.Events[i].Envelope), string(got.Envelope))
		got.Revision, got.Envelope, got.Content = "", c.Events[i].Envelope, c.Events[i].Content
		require.Equal(t, c.Events[i], got)
	}

	tomb := next(e, 1)
	tomb.Entity.Deleted, tomb.Entity.Data = true, nil
	_, err = s.Commit(t.Context(), tomb)
	require.NoError(t, err)
	e, err = s.Load(t.Context(), key)
	require.NoError(t, err)
	require.True(t, e.Deleted)
	require.Empty(t, e.Data)
	require.EqualValues(t, 3, e.LastSeq)
}

func storePlace(t *testing.T, s Storage, key string) {
	place, err := s.Place(t.Context(), key)
	require.NoError(t, err)
	require.NotEmpty(t, place.ID)
	require.False(t, place.Since.IsZero())
	again, err := s.Place(t.Context(), key+"-other")
	require.NoError(t, err)
	require.Equal(t, place, again)

	c := next(outbox.Entity{Key: key}, 1)
	c.Entity.Incarnation = outbox.Incarnation{ID: "i-1", First: 1, Since: place.Since, Drawn: c.Entity.UpdatedAt}
	c.Entity.Place = place.ID
	_, err = s.Commit(t.Context(), c)
	require.NoError(t, err)
	e, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, c.Entity.Incarnation, e.Incarnation)
	require.Equal(t, place.ID, e.Place)
	require.False(t, e.Moved)

	c = next(e, 1)
	c.Entity.Place = "elsewhere"
	_, err = s.Commit(t.Context(), c)
	require.NoError(t, err)
	e, err = s.Load(t.Context(), key)
	require.NoError(t, err)
	require.True(t, e.Moved, "it says that it was written in another container")
}

func storeCreateTwice(t *testing.T, s Storage, key string) {
	write(t, s, key, 1)
	_, err := s.Commit(t.Context(), next(outbox.Entity{Key: key}, 1))
	require.ErrorIs(t, err, outbox.ErrConflict)
	require.Equal(t, []int64{1}, seqs(pending(t, s, key, 10)))
}

func storeStaleRevision(t *testing.T, s Storage, key string) {
	old := write(t, s, key, 1)
	now := write(t, s, key, 1)
	c := next(old, 3)
	c.Receipts = []outbox.Receipt{{ID: "rq-stale"}}
	_, err := s.Commit(t.Context(), c)
	require.ErrorIs(t, err, outbox.ErrConflict)
	e, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, now.Version, e.Version)
	require.Nil(t, receipt(t, s, key, "rq-stale"), "a refused batch leaves nothing behind")
	require.Equal(t, []int64{1, 2}, seqs(pending(t, s, key, 10)))
}

func storeEventExists(t *testing.T, s Storage, key string) {
	e := write(t, s, key, 1)
	e.LastSeq = 0 // a writer that lost count: the store must not overwrite event 1
	_, err := s.Commit(t.Context(), next(e, 2))
	require.ErrorIs(t, err, outbox.ErrConflict)
	got, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	require.EqualValues(t, 1, got.Version)
	require.Equal(t, []int64{1}, seqs(pending(t, s, key, 10)))
}

// storeReceiptExists: the receipt is named, whichever it is, and also when the entity has
// moved on: a writer that repeats a batch must not take it for somebody else's.
func storeReceiptExists(t *testing.T, s Storage, key string) {
	c := next(outbox.Entity{Key: key}, 1)
	c.Receipts = []outbox.Receipt{{ID: "rq-1", RequestHash: "first", Answer: outbox.Answer{Status: 200}}}
	_, err := s.Commit(t.Context(), c)
	require.NoError(t, err)
	e, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	for name, from := range map[string]outbox.Entity{"new": e, "old": {Key: key}} {
		twin := next(from, 1)
		twin.Receipts = []outbox.Receipt{{ID: "rq-0"}, {ID: "rq-1", RequestHash: "second"}}
		_, err = s.Commit(t.Context(), twin)
		var exists *outbox.ReceiptExistsError
		require.ErrorAs(t, err, &exists, name)
		require.Equal(t, "rq-1", exists.ID)
	}
	got, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, e.Version, got.Version)
	require.Equal(t, "first", receipt(t, s, key, "rq-1").RequestHash)
	require.Nil(t, receipt(t, s, key, "rq-0"))
}

// storeSameContent: an entity that is replaced with its own content has another revision, so
// that what was made against the old one is kept out.
func storeSameContent(t *testing.T, s Storage, key string) {
	e := write(t, s, key, 1)
	late := next(e, 1)
	same := outbox.Commit{Key: key, Entity: e, Receipts: []outbox.Receipt{{ID: "rq-1", Answer: outbox.Answer{Status: 412}}}}
	same.Entity.Batch = "another"
	revision, err := s.Commit(t.Context(), same)
	require.NoError(t, err)
	require.NotEqual(t, e.Revision, revision)
	_, err = s.Commit(t.Context(), late)
	require.ErrorIs(t, err, outbox.ErrConflict)
	got, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, e.Version, got.Version)
	require.Equal(t, "another", got.Batch)
	require.Equal(t, e.UpdatedAt, got.UpdatedAt)
}

// storeEmptyTombstone: an answer about what never was is committed, too.
func storeEmptyTombstone(t *testing.T, s Storage, key string) {
	c := outbox.Commit{Key: key, Entity: outbox.Entity{Key: key, Batch: "b"}, Receipts: []outbox.Receipt{{ID: "rq-1", Answer: outbox.Answer{Status: 404}}}}
	_, err := s.Commit(t.Context(), c)
	require.NoError(t, err)
	_, err = s.Commit(t.Context(), next(outbox.Entity{Key: key}, 1))
	require.ErrorIs(t, err, outbox.ErrConflict, "a create that was on its way is kept out")
	e, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	require.NotEmpty(t, e.Revision)
	require.Zero(t, e.Version)
	require.Zero(t, e.Incarnation)
	require.False(t, e.Moved)
	write(t, s, key, 1)
	require.Equal(t, []int64{1}, seqs(pending(t, s, key, 10)))
}

func storeBarrier(t *testing.T, s Storage, key string) {
	require.NoError(t, s.Barrier(t.Context(), key))
	e, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, outbox.Entity{Key: key}, e, "a barrier is no entity")
	e = write(t, s, key, 2)
	for range 2 {
		require.NoError(t, s.Barrier(t.Context(), key))
		got, err := s.Load(t.Context(), key)
		require.NoError(t, err)
		require.Equal(t, e.Revision, got.Revision)
		require.Equal(t, []int64{1, 2}, seqs(pending(t, s, key, 10)))
	}
}

func storeOneWinner(t *testing.T, s Storage, key string) {
	e := write(t, s, key, 1)
	const writers = 8
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { _, errs[i] = s.Commit(t.Context(), next(e, 1)) })
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, outbox.ErrConflict)
	}
	require.Equal(t, 1, won)
	require.Equal(t, []int64{1, 2}, seqs(pending(t, s, key, 10)))
}

func storePendingInOrder(t *testing.T, s Storage, key string) {
	for range 6 {
		write(t, s, key, 2) // passes 9 → 10: numbers, not text
	}
	require.Equal(t, []int64{1, 2, 3, 4, 5}, seqs(pending(t, s, key, 5)))
	require.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, seqs(pending(t, s, key, 50)))
}

func storePendingAfter(t *testing.T, s Storage, key string) {
	write(t, s, key, 12)
	events, err := s.Pending(t.Context(), key, 9, 2)
	require.NoError(t, err)
	require.Equal(t, []int64{10, 11}, seqs(events))
	events, err = s.Pending(t.Context(), key, 12, 2)
	require.NoError(t, err)
	require.Empty(t, events)
}

func storePendingOfKeyOnly(t *testing.T, s Storage, key string) {
	write(t, s, key, 1)
	write(t, s, key+"-other", 2)
	require.Equal(t, []int64{1}, seqs(pending(t, s, key, 10)))
}

func storeSettlePrefix(t *testing.T, s Storage, key string) {
	write(t, s, key, 5)
	require.NoError(t, s.Settle(t.Context(), key, pending(t, s, key, 3)))
	require.Equal(t, []int64{4, 5}, seqs(pending(t, s, key, 10)))
	e, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	require.EqualValues(t, 5, e.LastSeq, "settling does not touch the entity")
}

func storeSettleTwice(t *testing.T, s Storage, key string) {
	write(t, s, key, 4)
	events := pending(t, s, key, 4)
	require.NoError(t, s.Settle(t.Context(), key, events[1:3]))
	require.NoError(t, s.Settle(t.Context(), key, events), "two of the four are gone already")
	require.NoError(t, s.Settle(t.Context(), key, events))
	require.Empty(t, pending(t, s, key, 10))
}

// another is an event that was stored under the number in another life.
func another(e outbox.Event) outbox.Event {
	e.ID, e.Incarnation, e.Revision = "another", "another", `"another"`
	return e
}

func storeSettleByID(t *testing.T, s Storage, key string) {
	write(t, s, key, 3)
	for n := 1; n <= 3; n++ { // alone, and in batches
		events := pending(t, s, key, n)
		for i := range events {
			events[i] = another(events[i])
		}
		require.NoError(t, s.Settle(t.Context(), key, events))
		require.Equal(t, []int64{1, 2, 3}, seqs(pending(t, s, key, 10)))
	}
	events := pending(t, s, key, 3)
	events[1] = another(events[1])
	require.NoError(t, s.Settle(t.Context(), key, events))
	require.Equal(t, []int64{2}, seqs(pending(t, s, key, 10)), "the others are settled all the same")
}

func storeSettleMany(t *testing.T, s Storage, key string) {
	write(t, s, key, 60)
	write(t, s, key, 60)
	require.NoError(t, s.Settle(t.Context(), key, pending(t, s, key, 200)))
	require.Empty(t, pending(t, s, key, 200))
}

var fault = outbox.Fault{Reason: `too large: "x"`, At: time.Date(2026, 8, 7, 10, 0, 0, 0, time.UTC), Attempts: 3}

func storePark(t *testing.T, s Storage, key string) {
	write(t, s, key, 3)
	require.NoError(t, s.Park(t.Context(), pending(t, s, key, 1)[0], fault))
	got := pending(t, s, key, 10)
	require.Equal(t, []int64{1, 2, 3}, seqs(got))
	require.True(t, got[0].Parked())
	require.Equal(t, fault, *got[0].Fault)
	require.False(t, got[1].Parked())
	require.NotEmpty(t, got[0].Envelope, "a parked event keeps everything that is needed to send it")
}

func storeParkIsConditional(t *testing.T, s Storage, key string) {
	write(t, s, key, 2)
	events := pending(t, s, key, 2)
	require.NoError(t, s.Park(t.Context(), events[0], fault))
	other := fault
	other.Reason = "late"
	require.ErrorIs(t, s.Park(t.Context(), events[0], other), outbox.ErrConflict, "parked before")
	require.Equal(t, fault, *pending(t, s, key, 1)[0].Fault)
	require.NoError(t, s.Settle(t.Context(), key, events))
	require.ErrorIs(t, s.Park(t.Context(), events[1], fault), outbox.ErrConflict, "gone")
	require.Empty(t, pending(t, s, key, 10))
}

func storeParkAgain(t *testing.T, s Storage, key string) {
	write(t, s, key, 2)
	seen := pending(t, s, key, 1)[0]
	require.NoError(t, s.Park(t.Context(), seen, fault))
	parked := pending(t, s, key, 1)[0]
	again := outbox.Fault{Reason: "still", At: fault.At.Add(time.Minute), Attempts: 4, Next: fault.At.Add(time.Hour)}
	require.NoError(t, s.Park(t.Context(), parked, again))
	now := pending(t, s, key, 1)[0]
	require.Equal(t, again, *now.Fault)
	require.Equal(t, parked.Envelope, now.Envelope)

	late := again
	late.Reason = "late"
	require.ErrorIs(t, s.Park(t.Context(), parked, late), outbox.ErrConflict, "renewed before")
	require.ErrorIs(t, s.Park(t.Context(), seen, late), outbox.ErrConflict, "for who has seen it pending, too")
	require.Equal(t, again, *pending(t, s, key, 1)[0].Fault)
	skipped := again
	skipped.Skipped, skipped.Next = true, time.Time{}
	require.NoError(t, s.Park(t.Context(), now, skipped))
	require.Equal(t, skipped, *pending(t, s, key, 1)[0].Fault)
	require.NoError(t, s.Settle(t.Context(), key, []outbox.Event{seen}), "the broker has it after all")
	require.Equal(t, []int64{2}, seqs(pending(t, s, key, 10)))
	require.ErrorIs(t, s.Park(t.Context(), now, again), outbox.ErrConflict, "gone")
	require.Equal(t, []int64{2}, seqs(pending(t, s, key, 10)))
}

func storeParked(t *testing.T, s Storage, key string) {
	due := fault.At.Add(time.Hour)
	write(t, s, key, 4)
	for i, e := range pending(t, s, key, 3) {
		f := fault
		switch i {
		case 1:
			f.Next = due
		case 2:
			f.Skipped = true
		}
		require.NoError(t, s.Park(t.Context(), e, f))
	}
	found := map[time.Time]int{}
	require.NoError(t, s.Parked(t.Context(), func(heads []outbox.Head) error {
		for _, h := range heads {
			if h.Key == key {
				require.False(t, h.CreatedAt.IsZero())
				found[h.Due.UTC()]++
			}
		}
		return nil
	}))
	require.Equal(t, map[time.Time]int{fault.At.Add(time.Minute): 1, due: 1, {}: 1}, found)
	enough := fmt.Errorf("enough")
	require.ErrorIs(t, s.Parked(t.Context(), func([]outbox.Head) error { return enough }), enough)
}

func find(t *testing.T, s Storage) map[string]int {
	t.Helper()
	found := map[string]int{}
	require.NoError(t, s.Find(t.Context(), func(heads []outbox.Head) error {
		for _, h := range heads {
			found[h.Key]++
			require.False(t, h.CreatedAt.IsZero())
			require.True(t, h.Due.IsZero(), "a pending one")
		}
		return nil
	}))
	return found
}

func storeFind(t *testing.T, s Storage, key string) {
	for i := range 3 {
		write(t, s, fmt.Sprintf("%s-%d", key, i), 2)
	}
	found := find(t, s)
	for i := range 3 {
		require.Contains(t, found, fmt.Sprintf("%s-%d", key, i))
	}
	require.NoError(t, s.Settle(t.Context(), key+"-0", pending(t, s, key+"-0", 10)))
	for _, e := range pending(t, s, key+"-1", 10) {
		require.NoError(t, s.Park(t.Context(), e, fault))
	}
	found = find(t, s)
	require.NotContains(t, found, key+"-0")
	require.NotContains(t, found, key+"-1", "parked events are found by Parked")
	require.Contains(t, found, key+"-2")
}

func storeFindStops(t *testing.T, s Storage, key string) {
	write(t, s, key, 1)
	enough := fmt.Errorf("enough")
	require.ErrorIs(t, s.Find(t.Context(), func([]outbox.Head) error { return enough }), enough)
}

func storeOddKeys(t *testing.T, s Storage, key string) {
	for _, k := range []string{key + "~._-", strings.Repeat("k", 128), key + ".."} {
		e, err := s.Load(t.Context(), k)
		require.NoError(t, err)
		if e.Version == 0 {
			write(t, s, k, 1)
		}
		got := pending(t, s, k, 10)
		require.NotEmpty(t, got)
		require.Equal(t, k, got[0].Key)
	}
}

func storeEndedContext(t *testing.T, s Storage, key string) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Commit(ctx, next(outbox.Entity{Key: key}, 1))
	require.Error(t, err)
	_, err = s.Load(ctx, key)
	require.Error(t, err)
	_, err = s.Receipt(ctx, key, "rq-1")
	require.Error(t, err)
	require.Error(t, s.Barrier(ctx, key))
	_, err = s.Pending(ctx, key, 0, 1)
	require.Error(t, err)
	e, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	require.Zero(t, e.Version)
}

func storeParkedSurvivesSettle(t *testing.T, s Storage, key string) {
	write(t, s, key, 3)
	events := pending(t, s, key, 3)
	require.NoError(t, s.Park(t.Context(), events[1], fault))
	require.NoError(t, s.Settle(t.Context(), key, events[:1]))
	got := pending(t, s, key, 10)
	require.Equal(t, []int64{2, 3}, seqs(got))
	require.True(t, slices.ContainsFunc(got, outbox.Event.Parked))
}
