package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// onlyIf is req for an entity that satisfies ok; any other is told 412, without a change.
func onlyIf(ok func(cur outbox.Entity) bool, req outbox.Request) outbox.Request {
	decide := req.Decide
	req.Decide = func(cur outbox.Entity) (outbox.Decision, error) {
		if !ok(cur) {
			return outbox.Decision{Answer: &outbox.Answer{Status: 412, Body: json.RawMessage(`"no"`)}}, nil
		}
		return decide(cur)
	}
	return req
}

func version(v int64) func(outbox.Entity) bool {
	return func(cur outbox.Entity) bool { return cur.Version == v }
}

func exists(cur outbox.Entity) bool { return cur.Version > 0 && !cur.Deleted }

func absent(cur outbox.Entity) bool { return !exists(cur) }

func remove(key string) outbox.Request {
	req := put(key, "")
	req.Decide = func(cur outbox.Entity) (outbox.Decision, error) {
		if !exists(cur) {
			return outbox.Decision{Answer: &outbox.Answer{Status: 404}}, nil
		}
		return outbox.Decision{Status: 204, Deleted: true, Events: []outbox.Draft{{Type: "test.deleted"}}}, nil
	}
	return req
}

func must(t *testing.T, w *outbox.Writer, req outbox.Request) outbox.Answer {
	t.Helper()
	answer, err := w.Write(t.Context(), req)
	require.NoError(t, err)
	return answer
}

// lagging is a store as a process sees it whose replica lags: reads show what was there when
// it was made, until a barrier.
type lagging struct {
	outboxtest.Storage
	old     *outboxtest.MemStore
	current atomic.Bool
}

func lag(s *outboxtest.MemStore) *lagging { return &lagging{Storage: s, old: s.Copy()} }

func (l *lagging) Load(ctx context.Context, key string) (outbox.Entity, error) {
	if l.current.Load() {
		return l.Storage.Load(ctx, key)
	}
	return l.old.Load(ctx, key)
}

func (l *lagging) Receipt(ctx context.Context, key, id string) (*outbox.Receipt, error) {
	if l.current.Load() {
		return l.Storage.Receipt(ctx, key, id)
	}
	return l.old.Receipt(ctx, key, id)
}

func (l *lagging) Barrier(context.Context, string) error {
	l.current.Store(true)
	return nil
}

// TestAnswersOnAStaleRead: an answer that changes nothing is as true as any other (G0),
// whatever a lagging replica shows.
func TestAnswersOnAStaleRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before, meanwhile outbox.Request // stored before and after the replica stands still
		request           outbox.Request
		status            int
		etag              string
		events            int
	}{
		"a put of what was there":   {put("k", "Ann"), put("k", "Bob"), put("k", "Ann"), 200, `"3"`, 3},
		"on a version that is gone": {put("k", "Ann"), put("k", "Bob"), onlyIf(version(1), put("k", "Ann")), 412, ``, 2},
		"on the version that is":    {put("k", "Ann"), put("k", "Bob"), onlyIf(version(2), put("k", "Cid")), 200, `"3"`, 3},
		"a create that was":         {put("other", "x"), put("k", "Bob"), onlyIf(absent, put("k", "Ann")), 412, ``, 1},
		"a create that was removed": {put("k", "Ann"), remove("k"), onlyIf(absent, put("k", "Ann")), 200, `"3"`, 3},
		"a removal of what is new":  {put("other", "x"), put("k", "Bob"), remove("k"), 204, `"2"`, 2},
		"a removal of what is gone": {put("k", "Ann"), remove("k"), remove("k"), 404, ``, 2},
		"of what never was":         {put("other", "x"), put("other", "y"), remove("k"), 404, ``, 0},
		"of what is there, as seen": {put("k", "Ann"), put("other", "y"), put("k", "Ann"), 200, `"1"`, 1},
	} {
		for _, keyedToo := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, key=%v", name, keyedToo), func(t *testing.T) {
				t.Parallel()
				mem := &outboxtest.MemStore{}
				a := outbox.NewWriter(mem, outbox.WriterOptions{})
				must(t, a, test.before)
				replica := lag(mem)
				must(t, a, test.meanwhile)
				b := outbox.NewWriter(replica, outbox.WriterOptions{})
				req := test.request
				if keyedToo {
					req = keyed(req, "id", "h")
				}
				answer := must(t, b, req)
				require.Equal(t, test.status, answer.Status)
				require.Equal(t, test.etag, answer.ETag)
				require.Len(t, mem.Events("k"), test.events)
				if keyedToo {
					require.Equal(t, answer, must(t, a, req), "the repetition is told the same elsewhere")
					require.Len(t, mem.Events("k"), test.events)
				}
			})
		}
	}
}

func TestRefusalsAreRemembered(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	w := outbox.NewWriter(s, outbox.WriterOptions{})
	req := keyed(onlyIf(exists, put("k", "a")), "id", "h")
	require.Equal(t, 412, must(t, w, req).Status)
	must(t, w, put("k", "there"))
	require.Equal(t, 412, must(t, w, req).Status, "a definite refusal does not become a success")

	invalid := keyed(put("k", "b"), "mended", "h")
	decide := invalid.Decide
	invalid.Decide = func(outbox.Entity) (outbox.Decision, error) {
		return outbox.Decision{Answer: &outbox.Answer{Status: 422}, Forget: true}, nil
	}
	before := entity(t, s, "k")
	require.Equal(t, 422, must(t, w, invalid).Status)
	require.NotEqual(t, before.Revision, entity(t, s, "k").Revision, "it was true, too")
	invalid.Decide = decide
	require.Equal(t, 200, must(t, w, invalid).Status, "and is not remembered")
}

// TestARefusalOvertakesABatch: a delete and a create under a key are on their way together at
// one process; the key's repetition at another is refused, and that was true. So the batch
// must not commit the create any more.
func TestARefusalOvertakesABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		other := outbox.NewWriter(mem, outbox.WriterOptions{})
		must(t, other, put("k", "there"))
		slow, reached, letGo := held(mem)
		w := outbox.NewWriter(slow, outbox.WriterOptions{})
		create := keyed(onlyIf(absent, put("k", "new")), "create", "h")

		first := begin(t.Context(), w, put("k", "before"))
		<-reached
		deletion := begin(t.Context(), w, keyed(remove("k"), "delete", "h"))
		synctest.Wait()
		creation := begin(t.Context(), w, create)
		synctest.Wait()
		letGo <- struct{}{}
		<-reached // the delete and the create, in one batch
		<-first.done
		require.Equal(t, 412, must(t, other, create).Status)
		close(letGo)
		<-deletion.done
		<-creation.done
		require.NoError(t, deletion.err)
		require.NoError(t, creation.err)
		require.Equal(t, 204, deletion.answer.Status)
		require.Equal(t, 412, creation.answer.Status)
		require.True(t, entity(t, mem, "k").Deleted)
	})
}

// TestTwinsOfANoOp: one is decided when nothing would change, the other after another write.
func TestTwinsOfANoOp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		other := outbox.NewWriter(mem, outbox.WriterOptions{})
		must(t, other, put("k", "same"))
		slow, reached, letGo := held(mem)
		twin := keyed(onlyIf(version(1), put("k", "same")), "id", "h")
		first := begin(t.Context(), outbox.NewWriter(slow, outbox.WriterOptions{}), twin)
		<-reached
		must(t, other, put("k", "changed"))
		second := must(t, other, twin)
		close(letGo)
		<-first.done
		require.NoError(t, first.err)
		require.Equal(t, 412, second.Status)
		require.Equal(t, second, first.answer)
	})
}

func TestTwinsOfEveryKind(t *testing.T) {
	t.Parallel()
	for name, req := range map[string]outbox.Request{
		"put on a version": onlyIf(version(1), put("k", "x")), "delete": remove("k"), "create": onlyIf(absent, put("new", "x")), "nothing": put("k", "there"),
	} {
		for _, writers := range []int{1, 5} {
			t.Run(fmt.Sprintf("%s, %d writers", name, writers), func(t *testing.T) {
				t.Parallel()
				mem := &outboxtest.MemStore{}
				must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), put("k", "there"))
				var all []*written
				for range writers {
					w := outbox.NewWriter(mem, outbox.WriterOptions{})
					for range 10 {
						all = append(all, begin(t.Context(), w, keyed(req, "id", "h")))
					}
				}
				for _, r := range all {
					<-r.done
					require.NoError(t, r.err)
					require.Equal(t, all[0].answer, r.answer)
				}
			})
		}
	}
}

func TestATwinWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow, reached, letGo := held(&outboxtest.MemStore{})
		w := outbox.NewWriter(slow, outbox.WriterOptions{})
		first := begin(t.Context(), w, keyed(put("k", "a"), "id", "h"))
		<-reached
		twin := put("k", "a")
		twin.Decide = func(outbox.Entity) (outbox.Decision, error) {
			t.Error("it has an answer already")
			return outbox.Decision{}, nil
		}
		same, another := begin(t.Context(), w, keyed(twin, "id", "h")), begin(t.Context(), w, keyed(twin, "id", "g"))
		synctest.Wait()
		close(letGo)
		<-first.done
		<-same.done
		<-another.done
		synctest.Wait()
		require.Equal(t, first.answer, same.answer)
		require.ErrorIs(t, another.err, outbox.ErrKeyReused)
	})
}

// TestTwinsThatWaitTogether: no batch creates a receipt twice, which no store would take.
func TestTwinsThatWaitTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &batches{Storage: &outboxtest.MemStore{}}
		w := outbox.NewWriter(s, outbox.WriterOptions{})
		blocker := begin(t.Context(), w, put("k", "before"))
		synctest.Wait()
		first := begin(t.Context(), w, keyed(put("k", "a"), "id", "h"))
		synctest.Wait()
		same := begin(t.Context(), w, keyed(put("k", "a"), "id", "h"))
		another := begin(t.Context(), w, keyed(put("k", "b"), "id", "g"))
		for _, r := range []*written{blocker, first, same, another} {
			<-r.done
		}
		require.NoError(t, first.err)
		require.NoError(t, same.err)
		require.Equal(t, first.answer, same.answer)
		require.ErrorIs(t, another.err, outbox.ErrKeyReused)
		for _, c := range s.all {
			require.LessOrEqual(t, len(c.Receipts), 1)
		}
	})
}

// TestATwinOfWhatLeavesNoReceipt is decided as if it had come alone.
func TestATwinOfWhatLeavesNoReceipt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow, reached, letGo := held(&outboxtest.MemStore{})
		w := outbox.NewWriter(slow, outbox.WriterOptions{})
		refused := put("k", "a")
		refused.Decide = func(outbox.Entity) (outbox.Decision, error) { return outbox.Decision{}, errors.New("broken") }
		blocker := begin(t.Context(), w, put("k", "first"))
		<-reached
		first := begin(t.Context(), w, keyed(refused, "id", "h"))
		synctest.Wait()
		twin := begin(t.Context(), w, keyed(put("k", "b"), "id", "g"))
		synctest.Wait()
		close(letGo)
		<-blocker.done
		<-first.done
		<-twin.done
		require.EqualError(t, first.err, "broken")
		require.NoError(t, twin.err)
		require.Equal(t, 200, twin.answer.Status)
	})
}
