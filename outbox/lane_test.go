package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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

// held is a store whose commits of one process wait until they are let go.
func held(mem *outboxtest.MemStore) (s *outboxtest.FaultyStore, reached, letGo chan struct{}) {
	reached, letGo = make(chan struct{}, 100), make(chan struct{})
	return &outboxtest.FaultyStore{Storage: mem, Before: func(ctx context.Context, op, _ string) error {
		if op == "commit" {
			reached <- struct{}{}
			<-letGo
		}
		return nil
	}}, reached, letGo
}

// written is a Write under way.
type written struct {
	answer outbox.Answer
	err    error
	done   chan struct{}
}

func begin(ctx context.Context, w *outbox.Writer, req outbox.Request) *written {
	r := &written{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.answer, r.err = w.Write(ctx, req)
	}()
	return r
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
				req.Key = map[bool]string{true: "new", false: "k"}[name == "create"]
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

// counted counts the commits that reach a store, each taking its time.
func counted(mem outboxtest.Storage, takes time.Duration) (*outboxtest.FaultyStore, *atomic.Int64) {
	n := new(atomic.Int64)
	return &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
		if op == "commit" {
			n.Add(1)
			time.Sleep(takes)
		}
		return nil
	}}, n
}

// TestManyWritersOnOneKey: no unconditional write is refused while the store is well.
func TestManyWritersOnOneKey(t *testing.T) {
	t.Parallel()
	for _, processes := range []int{1, 4} {
		t.Run(fmt.Sprint(processes, " processes"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := &outboxtest.MemStore{}
				s, commits := counted(mem, 5*time.Millisecond)
				var wg sync.WaitGroup
				for p := range processes {
					w := outbox.NewWriter(s, outbox.WriterOptions{})
					for i := range 32 {
						wg.Go(func() {
							for j := range 10 {
								_, err := w.Write(t.Context(), put("k", fmt.Sprintf("%d-%d-%d", p, i, j)))
								require.NoError(t, err)
							}
						})
					}
				}
				wg.Wait()
				writes := int64(processes * 32 * 10)
				e := entity(t, mem, "k")
				require.Equal(t, writes, e.Version)
				require.Equal(t, writes, e.LastSeq)
				require.Len(t, mem.Events("k"), int(writes))
				require.Less(t, commits.Load(), writes/2, "writes of one process are combined")
			})
		})
	}
}

// batches notes the size of each batch.
type batches struct {
	outboxtest.Storage
	mu  sync.Mutex
	all []outbox.Commit
}

func (b *batches) Commit(ctx context.Context, c outbox.Commit) (string, error) {
	b.mu.Lock()
	b.all = append(b.all, c)
	b.mu.Unlock()
	time.Sleep(time.Millisecond)
	if slices.ContainsFunc(c.Events, func(e outbox.Event) bool { return e.Type == "bad" }) {
		return "", &outbox.Error{Class: outbox.Rejected, Op: "commit", Err: errors.New("bad")}
	}
	return b.Storage.Commit(ctx, c)
}

func TestABatchHoldsNoMoreThanTheStoreTakes(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"many": 10, "large": 60 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &batches{Storage: &outboxtest.MemStore{}}
				w := outbox.NewWriter(s, outbox.WriterOptions{})
				var all []*written
				for i := range 150 {
					all = append(all, begin(t.Context(), w, keyed(put("k", fmt.Sprint(i, strings.Repeat("x", size))), fmt.Sprint("id", i), "h")))
				}
				for _, r := range all {
					<-r.done
					require.NoError(t, r.err)
				}
				for _, c := range s.all {
					bytes := 0
					for _, e := range c.Events {
						bytes += len(e.Envelope)
					}
					for _, r := range c.Receipts {
						bytes += len(r.Answer.Body)
					}
					require.LessOrEqual(t, 1+len(c.Events)+len(c.Receipts), 100)
					require.Less(t, bytes, 1<<20+1)
				}
				require.Less(t, len(s.all), 120)
			})
		})
	}
}

// TestABatchIsFull with 100 operations, and a request that is larger than a batch should be
// goes out all the same, alone: the store knows what it takes.
func TestABatchIsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &batches{Storage: &outboxtest.MemStore{}}
		w := outbox.NewWriter(s, outbox.WriterOptions{MaxEventBytes: 4 << 20})
		large := put("large", strings.Repeat("x", 2<<20))
		require.Equal(t, 200, must(t, w, large).Status)
		var all []*written
		for i := range 150 {
			all = append(all, begin(t.Context(), w, put("k", fmt.Sprint(i))))
		}
		fullest := 0
		for _, r := range all {
			<-r.done
			require.NoError(t, r.err)
		}
		for _, c := range s.all {
			fullest = max(fullest, 1+len(c.Events)+len(c.Receipts))
		}
		require.Equal(t, 100, fullest)
	})
}

// TestOneBadMemberTakesNobodyDown: what the store refuses for what it is fails alone.
func TestOneBadMemberTakesNobodyDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		s := &batches{Storage: mem}
		w := outbox.NewWriter(s, outbox.WriterOptions{})
		bad := put("k", "bad")
		bad.Decide = func(outbox.Entity) (outbox.Decision, error) {
			return outbox.Decision{Status: 200, Data: []byte(`"bad"`), Events: []outbox.Draft{{Type: "bad"}}}, nil
		}
		panics := put("k", "panics")
		panics.Decide = func(outbox.Entity) (outbox.Decision, error) { panic("boom") }
		blocker := begin(t.Context(), w, put("k", "first"))
		var good []*written
		for i := range 5 {
			good = append(good, begin(t.Context(), w, put("k", fmt.Sprint(i))))
		}
		refused := begin(t.Context(), w, bad)
		func() {
			defer func() { require.Contains(t, fmt.Sprint(recover()), "boom") }()
			_, _ = w.Write(t.Context(), panics)
			t.Error("the caller has to hear of its own panic")
		}()
		<-blocker.done
		<-good[0].done
		var later []*written
		for i := range 50 {
			later = append(later, begin(t.Context(), w, put("k", fmt.Sprint("later ", i))))
		}
		<-refused.done
		require.Equal(t, outbox.Rejected, outbox.ClassOf(refused.err))
		for _, r := range good {
			<-r.done
			require.NoError(t, r.err)
		}
		for _, r := range later {
			<-r.done
			require.NoError(t, r.err)
		}
		require.Less(t, len(s.all), 20, "then batches are batches again")
		require.EqualValues(t, 56, entity(t, mem, "k").Version)
	})
}

// TestDeadlines: who has not been sent may be told so, and is not sent any more; who has been
// is in doubt.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		slow, reached, letGo := held(mem)
		w := outbox.NewWriter(slow, outbox.WriterOptions{})
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		sent := begin(soon, w, put("k", "sent"))
		<-reached
		waits := begin(soon, w, put("k", "waits"))
		patient := begin(t.Context(), w, put("k", "patient"))
		<-sent.done
		<-waits.done
		require.Equal(t, outbox.Ambiguous, outbox.ClassOf(sent.err))
		require.ErrorIs(t, sent.err, context.DeadlineExceeded)
		require.ErrorContains(t, sent.err, `write "k"`)
		require.ErrorIs(t, waits.err, context.DeadlineExceeded)
		require.Equal(t, outbox.Unclassified, outbox.ClassOf(waits.err))
		close(letGo)
		<-patient.done
		require.NoError(t, patient.err)
		require.Equal(t, `"2"`, patient.answer.ETag)
		require.Len(t, mem.Events("k"), 2, "the one that waited was not sent")
	})
}

func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow, reached, letGo := held(&outboxtest.MemStore{})
		w := outbox.NewWriter(slow, outbox.WriterOptions{Patience: time.Minute, Queue: 2})
		begin(t.Context(), w, put("k", "sent"))
		<-reached
		began := time.Now()
		waits := begin(t.Context(), w, put("k", "waits"))
		begin(t.Context(), w, put("k", "waits, too"))
		synctest.Wait()
		_, err := w.Write(t.Context(), put("k", "no room"))
		require.ErrorIs(t, err, outbox.ErrContended)
		<-waits.done
		require.Equal(t, time.Minute, time.Since(began))
		require.Equal(t, outbox.Timeout, outbox.ClassOf(waits.err))
		require.EqualError(t, waits.err, `write "k": timeout: the write took too long`)
		close(letGo)
	})
}

// TestWhoLeavesMakesRoom: a request whose caller has gone holds no place in the queue.
func TestWhoLeavesMakesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow, reached, letGo := held(&outboxtest.MemStore{})
		w := outbox.NewWriter(slow, outbox.WriterOptions{Queue: 1})
		sent := begin(t.Context(), w, put("k", "sent"))
		<-reached
		ctx, leave := context.WithCancel(t.Context())
		gone := begin(ctx, w, put("k", "gone"))
		synctest.Wait()
		leave()
		<-gone.done
		require.ErrorIs(t, gone.err, context.Canceled)
		next := begin(t.Context(), w, put("k", "next"))
		synctest.Wait()
		close(letGo)
		<-sent.done
		<-next.done
		require.NoError(t, next.err)
		require.Equal(t, `"2"`, next.answer.ETag)
	})
}

// TestWhatAWriteCosts: each operation is charged. The barrier is for writes that a lagging
// replica, or another process, keeps waiting.
func TestWhatAWriteCosts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		others int  // writes that come between a read and the commit
		lags   bool // the replica shows none of them before a barrier
		want   string
	}{
		"alone":                        {want: "load commit"},
		"another was faster":           {others: 1, want: "load commit load commit"},
		"two were":                     {others: 2, want: "load commit load commit barrier load commit"},
		"another was, seen by nobody":  {others: 1, lags: true, want: "load commit load barrier load commit"},
		"three were, the last one too": {others: 3, want: "load commit load commit barrier load commit barrier load commit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mem := &outboxtest.MemStore{}
			other := outbox.NewWriter(mem, outbox.WriterOptions{})
			must(t, other, put("k", "there"))
			var storage outboxtest.Storage = mem
			if test.lags {
				storage = lag(mem)
			}
			var ops []string
			others := 0
			s := &outboxtest.FaultyStore{Storage: storage, Before: func(_ context.Context, op, _ string) error {
				ops = append(ops, op)
				if op == "commit" && others < test.others {
					others++
					must(t, other, put("k", fmt.Sprint("other ", others)))
				}
				return nil
			}}
			must(t, outbox.NewWriter(s, outbox.WriterOptions{}), put("k", "a"))
			require.Equal(t, test.want, strings.Join(ops, " "))
		})
	}
}

// TestWhatARepetitionCosts: the request was stored by another process; a lagging replica shows
// nothing of it.
func TestWhatARepetitionCosts(t *testing.T) {
	t.Parallel()
	for _, lags := range []bool{false, true} {
		t.Run(fmt.Sprint("lags: ", lags), func(t *testing.T) {
			t.Parallel()
			mem := &outboxtest.MemStore{}
			var storage outboxtest.Storage = mem
			want := "load commit receipt"
			if lags {
				storage, want = lag(mem), "load place commit receipt barrier receipt"
			}
			req := keyed(put("k", "a"), "id", "h")
			first := must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), req)
			var ops []string
			s := &outboxtest.FaultyStore{Storage: storage, Before: func(_ context.Context, op, _ string) error {
				ops = append(ops, op)
				return nil
			}}
			require.Equal(t, first, must(t, outbox.NewWriter(s, outbox.WriterOptions{}), req))
			require.Equal(t, want, strings.Join(ops, " "))
		})
	}
}

// TestABarrierThatFails: without it the entity cannot be read as it is, and nothing is decided
// on less.
func TestABarrierThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.FaultyStore{Storage: &outboxtest.MemStore{}, Before: func(_ context.Context, op, _ string) error {
			switch op {
			case "commit":
				return outbox.ErrConflict
			case "barrier":
				return &outbox.Error{Class: outbox.Throttled, Op: op, RetryAfter: 7 * time.Second}
			}
			return nil
		}}
		_, err := outbox.NewWriter(s, outbox.WriterOptions{}).Write(t.Context(), put("k", "a"))
		require.Equal(t, outbox.Throttled, outbox.ClassOf(err))
		require.Equal(t, 7*time.Second, outbox.RetryAfterOf(err))
	})
}

// TestAThrottledBatchIsNotTakenApart: the store asks for patience, and all members are told
// so; one batch each would ask for more.
func TestAThrottledBatchIsNotTakenApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		commits := 0
		s := &outboxtest.FaultyStore{Storage: &outboxtest.MemStore{}, Before: func(_ context.Context, op, _ string) error {
			if op == "commit" {
				if commits++; commits == 2 {
					return &outbox.Error{Class: outbox.Throttled, Op: op, RetryAfter: 7 * time.Second}
				}
				time.Sleep(time.Second)
			}
			return nil
		}}
		w := outbox.NewWriter(s, outbox.WriterOptions{})
		blocker := begin(t.Context(), w, put("k", "first"))
		synctest.Wait()
		one, two := begin(t.Context(), w, put("k", "one")), begin(t.Context(), w, put("k", "two"))
		<-blocker.done
		<-one.done
		<-two.done
		for _, r := range []*written{one, two} {
			require.Equal(t, outbox.Throttled, outbox.ClassOf(r.err))
			require.Equal(t, 7*time.Second, outbox.RetryAfterOf(r.err))
		}
		require.Equal(t, 2, commits)
	})
}

// TestWhoLeavesWhileTheEntityIsRead was told that nothing is stored: the batch goes out
// without it.
func TestWhoLeavesWhileTheEntityIsRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
			if op == "load" {
				time.Sleep(2 * time.Second)
			}
			return nil
		}}
		// The first batch fails on its condition, and both are in the next one.
		overtaken := false
		s.After = func(_ context.Context, op, _ string) error {
			if op == "load" && !overtaken {
				overtaken = true
				must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), put("k", "other"))
			}
			return nil
		}
		w := outbox.NewWriter(s, outbox.WriterOptions{})
		patient := begin(t.Context(), w, put("k", "patient"))
		synctest.Wait()
		soon, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		leaves := begin(soon, w, put("k", "leaves"))
		<-leaves.done
		<-patient.done
		require.ErrorIs(t, leaves.err, context.DeadlineExceeded)
		require.NotEqual(t, outbox.Ambiguous, outbox.ClassOf(leaves.err))
		require.NoError(t, patient.err)
		require.Len(t, mem.Events("k"), 2)
		require.Equal(t, `"patient"`, string(entity(t, mem, "k").Data))
	})
}

// TestWhoComesTooLate: nothing is stored of a request whose time was over when it came, and
// its lane ends.
func TestWhoComesTooLate(t *testing.T) {
	t.Parallel()
	mem := &outboxtest.MemStore{}
	w := outbox.NewWriter(mem, outbox.WriterOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 100 {
		key := fmt.Sprint("k", i)
		answer, err := w.Write(ctx, put(key, "late"))
		switch {
		case err == nil:
			require.Equal(t, `"1"`, answer.ETag)
		case outbox.ClassOf(err) != outbox.Ambiguous:
			require.ErrorIs(t, err, context.Canceled)
			require.Empty(t, mem.Events(key))
		}
		require.Equal(t, 200, must(t, w, put(key, "in time")).Status)
	}
}

// TestNotStoredIsSaidAsSoonAsItIsCertain: a batch was sent, and is certain not to be stored.
// Members whose time ends before they are sent again are not in doubt.
func TestNotStoredIsSaidAsSoonAsItIsCertain(t *testing.T) {
	t.Parallel()
	is := func(err error) func(*testing.T, *outboxtest.MemStore) error {
		return func(*testing.T, *outboxtest.MemStore) error { return err }
	}
	overtaken := func(t *testing.T, mem *outboxtest.MemStore) error {
		must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), put("k", "other"))
		return lost
	}
	for name, test := range map[string]struct {
		keys [2]string // Idempotency-Keys
		text string    // put by both
		fail func(*testing.T, *outboxtest.MemStore) error
	}{
		"a conflict":                     {[2]string{"1", "2"}, "new", is(outbox.ErrConflict)},
		"a receipt that is gone again":   {[2]string{"1", "2"}, "new", is(&outbox.ReceiptExistsError{ID: outbox.ReceiptDocID("1")})},
		"one of them is bad":             {[2]string{"1", "2"}, "new", is(&outbox.Error{Class: outbox.Rejected, Op: "commit"})},
		"in doubt, but without receipts": {[2]string{"1", "2"}, "new", overtaken},
		"in doubt, but changing nothing": {[2]string{}, "there", overtaken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := &outboxtest.MemStore{}
				commits := 0
				s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
					if op != "commit" {
						return nil
					}
					time.Sleep(time.Second) // the first one: meanwhile the others come
					if commits++; commits == 2 {
						return test.fail(t, mem)
					}
					return nil
				}}
				w := outbox.NewWriter(s, outbox.WriterOptions{})
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				blocker := begin(ctx, w, put("k", "there"))
				synctest.Wait()
				var members []*written
				for _, key := range test.keys {
					members = append(members, begin(ctx, w, keyed(slowAgain(put("k", test.text)), key, "h")))
					synctest.Wait()
				}
				<-blocker.done
				require.NoError(t, blocker.err)
				for _, m := range members {
					<-m.done
					require.ErrorIs(t, m.err, context.DeadlineExceeded)
					require.NotEqual(t, outbox.Ambiguous, outbox.ClassOf(m.err), "%v", m.err)
				}
				require.GreaterOrEqual(t, commits, 2)
				time.Sleep(time.Hour) // the lane ends by itself
			})
		})
	}
}

// slowAgain is req that takes a minute to decide the second time.
func slowAgain(req outbox.Request) outbox.Request {
	decide, again := req.Decide, false
	req.Decide = func(cur outbox.Entity) (outbox.Decision, error) {
		if again {
			time.Sleep(time.Minute)
		}
		again = true
		return decide(cur)
	}
	return req
}

// TestAConflictWithoutEnd: another process that is always faster costs the request its time,
// and it is told why. The same with a receipt that is there when it is created, and gone when
// it is read.
func TestAConflictWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, conflict := range map[string]error{
		"entity": outbox.ErrConflict, "receipt": &outbox.ReceiptExistsError{ID: outbox.ReceiptDocID("id")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				s := &outboxtest.FaultyStore{Storage: &outboxtest.MemStore{}, Before: func(_ context.Context, op, _ string) error {
					if op == "commit" {
						tries++
						return conflict
					}
					return nil
				}}
				_, err := outbox.NewWriter(s, outbox.WriterOptions{Patience: 10 * time.Second}).Write(t.Context(), keyed(put("k", "a"), "id", "h"))
				require.ErrorIs(t, err, outbox.ErrContended)
				require.Greater(t, tries, 50)
				require.Less(t, tries, 500, "with pauses")
			})
		})
	}
}

// TestAConflictIsOver once a batch has committed: the next one is made against that, without
// a read, the next conflict is the first one again, and who leaves then is not told of it.
func TestAConflictIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		other := outbox.NewWriter(mem, outbox.WriterOptions{})
		must(t, other, put("k", "there"))
		var ops []string
		commits := 0
		s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
			if ops = append(ops, op); op == "commit" {
				time.Sleep(time.Second) // meanwhile the next one comes
				if commits++; commits == 1 || commits == 4 {
					must(t, other, put("k", fmt.Sprint("other ", commits)))
				}
				if commits == 3 {
					time.Sleep(time.Hour)
				}
			}
			return nil
		}}
		w := outbox.NewWriter(s, outbox.WriterOptions{Patience: 2 * time.Hour})
		first := begin(t.Context(), w, put("k", "first"))
		<-time.After(1500 * time.Millisecond) // its second try is under way
		second := begin(t.Context(), w, put("k", "second"))
		<-first.done
		synctest.Wait()
		soon, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		leaves := begin(soon, w, put("k", "leaves"))
		third := begin(t.Context(), w, put("k", "third"))
		<-leaves.done
		require.ErrorIs(t, leaves.err, context.DeadlineExceeded)
		require.NotErrorIs(t, leaves.err, outbox.ErrContended)
		<-second.done
		<-third.done
		for _, r := range []*written{first, second, third} {
			require.NoError(t, r.err)
		}
		require.Equal(t, "load commit load commit commit commit load commit", strings.Join(ops, " "))
	})
}

// TestNobodyWaitsAnyMore: what is under way for callers that have all gone is cut.
func TestNobodyWaitsAnyMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		commits := 0
		cut := make(chan time.Duration, 1)
		s := &outboxtest.FaultyStore{Storage: &outboxtest.MemStore{}, Before: func(ctx context.Context, op, _ string) error {
			if op != "commit" {
				return nil
			}
			if commits++; commits == 1 {
				time.Sleep(time.Second)
				return nil
			}
			<-ctx.Done()
			cut <- time.Since(began)
			return &outbox.Error{Class: outbox.Ambiguous, Op: op, Err: ctx.Err()}
		}}
		w := outbox.NewWriter(s, outbox.WriterOptions{})
		first := begin(t.Context(), w, put("k", "first"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		second := begin(ctx, w, put("k", "second"))
		<-first.done
		require.NoError(t, first.err)
		<-second.done
		require.Equal(t, outbox.Ambiguous, outbox.ClassOf(second.err))
		require.Equal(t, 3*time.Second, <-cut)
	})
}
