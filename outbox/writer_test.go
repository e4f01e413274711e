package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// put is a request that sets the entity's data to text and makes one event, unless
// nothing changes.
func put(key, text string) outbox.Request {
	data, _ := json.Marshal(text)
	return outbox.Request{
		Key: key,
		Decide: func(cur outbox.Entity) (outbox.Decision, error) {
			d := outbox.Decision{Status: 200, Data: data}
			if string(cur.Data) != string(data) {
				d.Events = []outbox.Draft{{Type: "test.changed", Data: map[string]string{"text": text}}}
			}
			return d, nil
		},
		Render: func(e outbox.Entity, status int) outbox.Answer {
			return outbox.Answer{Status: status, ETag: fmt.Sprintf("%q", fmt.Sprint(e.Version)), Body: e.Data}
		},
	}
}

func keyed(r outbox.Request, idempotencyKey, hash string) outbox.Request {
	r.IdempotencyKey, r.RequestHash = idempotencyKey, hash
	return r
}

func entity(t *testing.T, s outbox.Store, key string) outbox.Entity {
	t.Helper()
	e, err := s.Load(t.Context(), key)
	require.NoError(t, err)
	return e
}

func TestWriteNumbersEvents(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	var notified []string
	w := outbox.NewWriter(s, outbox.WriterOptions{Source: "/test", Committed: func(key string, _ ...outbox.Event) { notified = append(notified, key) }})
	req := put("doc:k", "a")
	req.Trace = outbox.Trace{Parent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", State: "v=1"}
	two := req.Decide
	req.Decide = func(cur outbox.Entity) (outbox.Decision, error) {
		d, err := two(cur)
		d.Events = append(d.Events, outbox.Draft{Type: "test.more", Data: 1})
		return d, err
	}
	answer, err := w.Write(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, outbox.Answer{Status: 200, ETag: `"1"`, Body: json.RawMessage(`"a"`)}, answer)
	_, err = w.Write(t.Context(), put("doc:k", "b"))
	require.NoError(t, err)

	events := s.Events("doc:k")
	life := entity(t, s, "doc:k").Incarnation
	require.Len(t, events, 3)
	for i, e := range events {
		require.EqualValues(t, i+1, e.Seq)
		require.Equal(t, outbox.EventID("/test/doc", "doc:k", life.ID, e.Seq), e.ID)
		require.Equal(t, life.ID, e.Incarnation)
	}
	require.Equal(t, events[2].CreatedAt, entity(t, s, "doc:k").UpdatedAt)
	require.Equal(t, events[0].CreatedAt, life.Drawn)
	var envelope map[string]any
	require.NoError(t, json.Unmarshal(events[1].Envelope, &envelope))
	require.NotEmpty(t, envelope["time"])
	delete(envelope, "time")
	require.Equal(t, map[string]any{
		"specversion": "1.0", "id": events[1].ID, "source": "/test/doc", "type": "test.more", "subject": "k",
		"datacontenttype": "application/json", "data": float64(1),
		"sequence": "00000000000000000002", "partitionkey": "doc:k",
		"incarnation": life.ID, "incarnationfirst": "00000000000000000001", "incarnationsince": "2026-01-01T00:00:00Z", "incarnationdrawn": life.Drawn.Format(time.RFC3339Nano),
		"entityversion": "00000000000000000001", "traceparent": req.Trace.Parent, "tracestate": "v=1",
	}, envelope)
	require.Equal(t, []string{"doc:k", "doc:k"}, notified)
}

func TestWriteThatChangesNothing(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	notified := 0
	w := outbox.NewWriter(s, outbox.WriterOptions{Committed: func(string, ...outbox.Event) { notified++ }})
	for range 2 {
		answer, err := w.Write(t.Context(), put("k", "same"))
		require.NoError(t, err)
		require.Equal(t, `"1"`, answer.ETag)
	}
	require.Len(t, s.Events("k"), 1)
	require.Equal(t, 1, notified, "where there is no event there is nothing to send")

	before := entity(t, s, "k")
	answer, err := w.Write(t.Context(), keyed(put("k", "same"), "id-1", "h"))
	require.NoError(t, err)
	require.Equal(t, `"1"`, answer.ETag)
	require.Equal(t, 1, s.Receipts("k"), "even so the key is remembered")
	require.Len(t, s.Events("k"), 1)
	after := entity(t, s, "k")
	require.NotEqual(t, before.Revision, after.Revision, "it was committed")
	after.Revision, after.Batch = before.Revision, before.Batch
	require.Equal(t, before, after, "with its own content")
}

// TestATombstoneKeepsNothing: who is gone leaves nothing behind, whatever the decision says.
func TestATombstoneKeepsNothing(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	w := outbox.NewWriter(s, outbox.WriterOptions{})
	must(t, w, put("k", "a"))
	req := put("k", "")
	req.Decide = func(cur outbox.Entity) (outbox.Decision, error) {
		return outbox.Decision{Status: 204, Deleted: true, Data: cur.Data, Events: []outbox.Draft{{Type: "test.deleted"}}}, nil
	}
	must(t, w, req)
	gone := entity(t, s, "k")
	require.True(t, gone.Deleted)
	require.Empty(t, gone.Data)
}

func TestTwinsMakeOneChange(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	var replayed atomic.Int64
	w := outbox.NewWriter(s, outbox.WriterOptions{Observer: func(sig outbox.Signal) {
		if _, ok := sig.(outbox.Replayed); ok {
			replayed.Add(1)
		}
	}})
	answers := make([]outbox.Answer, 50)
	errs := make([]error, 50)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			answers[i], errs[i] = w.Write(t.Context(), keyed(put("k", "x"), "twin", "h"))
		})
	}
	wg.Wait()
	for i := range answers {
		require.NoError(t, errs[i])
		require.Equal(t, answers[0], answers[i])
	}
	require.Len(t, s.Events("k"), 1)
	require.EqualValues(t, 49, replayed.Load())

	_, err := w.Write(t.Context(), keyed(put("k", "y"), "twin", "other"))
	require.ErrorIs(t, err, outbox.ErrKeyReused)
	require.Len(t, s.Events("k"), 1)
}

func TestDecideErrorsStoreNothing(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	w := outbox.NewWriter(s, outbox.WriterOptions{MaxEventBytes: 1000})
	refusal := errors.New("412")
	req := put("k", "a")
	req.Decide = func(outbox.Entity) (outbox.Decision, error) { return outbox.Decision{}, refusal }
	_, err := w.Write(t.Context(), req)
	require.ErrorIs(t, err, refusal)

	_, err = w.Write(t.Context(), keyed(put("k", strings.Repeat("x", 2000)), "id", "h"))
	var large *outbox.EventTooLargeError
	require.ErrorAs(t, err, &large)
	require.Equal(t, 1000, large.Max)
	require.Greater(t, large.Size, 2000)
	require.Equal(t, "test.changed", large.Type)

	req = put("k", "a")
	req.Decide = func(outbox.Entity) (outbox.Decision, error) {
		return outbox.Decision{Status: 200, Events: []outbox.Draft{{Type: "test.odd", Data: func() {}}}}, nil
	}
	_, err = w.Write(t.Context(), req)
	require.ErrorContains(t, err, `"test.odd"`)
	require.Empty(t, s.Keys())
}

// lost is a commit that was applied, or not, and whose answer was lost.
var lost = &outbox.Error{Class: outbox.Ambiguous, Op: "commit", Err: errors.New("connection reset")}

func TestLostAnswers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, after bool   // the first commit fails before or after it is applied
		meanwhile     string // another write that lands before the next load
		want          error
		events        int
	}{
		"not applied":                       {before: true, events: 1},
		"applied":                           {after: true, events: 1},
		"applied, then another write":       {after: true, meanwhile: "other", want: lost, events: 2},
		"not applied, and another was made": {before: true, meanwhile: "other", want: lost, events: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem := &outboxtest.MemStore{}
			commits := 0
			fail := func(want bool) func(context.Context, string, string) error {
				return func(_ context.Context, op, _ string) error {
					if op != "commit" || !want || commits > 0 {
						return nil
					}
					commits++
					if test.meanwhile != "" {
						must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), put("k", test.meanwhile))
					}
					return lost
				}
			}
			s := &outboxtest.FaultyStore{Storage: mem, Before: fail(test.before), After: fail(test.after)}
			answer, err := outbox.NewWriter(s, outbox.WriterOptions{}).Write(t.Context(), put("k", "a"))
			if test.want != nil {
				require.ErrorIs(t, err, test.want)
				require.Equal(t, outbox.Ambiguous, outbox.ClassOf(err))
			} else {
				require.NoError(t, err)
				require.Equal(t, `"1"`, answer.ETag)
			}
			require.Len(t, mem.Events("k"), test.events)
		})
	}
}

// TestAnUnknownErrorIsDoubt: of an error that no adapter has classified nobody knows whether
// the batch was stored.
func TestAnUnknownErrorIsDoubt(t *testing.T) {
	t.Parallel()
	whatever := errors.New("whatever this is")
	for _, applied := range []bool{true, false} {
		t.Run(fmt.Sprint("applied: ", applied), func(t *testing.T) {
			t.Parallel()
			mem := &outboxtest.MemStore{}
			fault := firstCommit(func() error {
				return whatever
			})
			s := &outboxtest.FaultyStore{Storage: mem}
			if applied {
				s.After = fault
			} else {
				s.Before = fault
			}
			answer := must(t, outbox.NewWriter(s, outbox.WriterOptions{}), onlyIf(absent, put("k", "a")))
			require.Equal(t, `"1"`, answer.ETag)
			require.Len(t, mem.Events("k"), 1)
		})
	}
	t.Run("for good", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := &outboxtest.FaultyStore{Storage: &outboxtest.MemStore{}, Before: func(_ context.Context, op, _ string) error {
				if op == "commit" || op == "barrier" {
					return whatever
				}
				return nil
			}}
			_, err := outbox.NewWriter(s, outbox.WriterOptions{}).Write(t.Context(), put("k", "a"))
			require.EqualError(t, err, `commit "k": ambiguous: whatever this is`)
			require.ErrorIs(t, err, whatever)
			require.Equal(t, outbox.Ambiguous, outbox.ClassOf(err))
		})
	})
}

func TestLostAnswerWithReceiptIsCertain(t *testing.T) {
	t.Parallel()
	mem := &outboxtest.MemStore{}
	s := &outboxtest.FaultyStore{Storage: mem, After: firstCommit(func() error {
		must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), put("k", "other"))
		return lost
	})}
	answer, err := outbox.NewWriter(s, outbox.WriterOptions{}).Write(t.Context(), keyed(put("k", "a"), "id", "h"))
	require.NoError(t, err)
	require.Equal(t, `"1"`, answer.ETag)
	require.Len(t, mem.Events("k"), 2)
}

func TestStoreFaultsAreReturnedAsTheyAre(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"load", "place", "commit"} {
		for _, class := range []outbox.Class{outbox.Throttled, outbox.Unavailable, outbox.Timeout, outbox.Unauthorized, outbox.TooLarge} {
			t.Run(op+" "+class.String(), func(t *testing.T) {
				t.Parallel()
				mem := &outboxtest.MemStore{}
				s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, o, _ string) error {
					if o == op {
						return &outbox.Error{Class: class, Op: op, RetryAfter: 7}
					}
					return nil
				}}
				req := keyed(put("k", "a"), "id", "h")
				decide, decided := req.Decide, false
				req.Decide = func(cur outbox.Entity) (outbox.Decision, error) {
					decided = true
					return decide(cur)
				}
				w := outbox.NewWriter(s, outbox.WriterOptions{})
				_, err := w.Write(t.Context(), req)
				require.Equal(t, class, outbox.ClassOf(err))
				require.EqualValues(t, 7, outbox.RetryAfterOf(err))
				require.Empty(t, mem.Events("k"))
				_, _ = w.Write(t.Context(), put("k", "b")) // the first round is over
				require.Equal(t, op != "load", decided, "nothing is decided on what could not be read")
			})
		}
	}
}
