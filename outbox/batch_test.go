package outbox_test

import (
	"context"
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

func (b *batches) Commit(ctx context.Context, c outbox.Commit) (outbox.Revisions, error) {
	b.mu.Lock()
	b.all = append(b.all, c)
	b.mu.Unlock()
	time.Sleep(time.Millisecond)
	if slices.ContainsFunc(c.Events, func(e outbox.Event) bool { return e.Type == "bad" }) {
		return outbox.Revisions{}, &outbox.Error{Class: outbox.Rejected, Op: "commit", Err: errors.New("bad")}
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
		for i := range 200 {
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
