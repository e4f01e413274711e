package outbox_test

import (
	"context"
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

func TestFastPath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		f := outbox.NewFastPath(outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() { defer close(stopped); f.Run(ctx) }()
		w := outbox.NewWriter(s, outbox.WriterOptions{Committed: f.Notify})
		for i := range 100 {
			_, err := w.Write(t.Context(), put(fmt.Sprint("k", i%7), fmt.Sprint(i)))
			require.NoError(t, err)
		}
		synctest.Wait()
		require.NoError(t, outboxtest.CheckDelivered(s, p))
		cancel()
		<-stopped
	})
}

// TestFastPathEndsWhenItsWorkersHave: what they use may be closed behind it.
func TestFastPathEndsWhenItsWorkersHave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		letGo := make(chan struct{})
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			<-letGo
			return nil
		}}
		fill(t, s, 1, "k")
		f := outbox.NewFastPath(outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{LookEvery: -1})
		ctx, cancel := context.WithCancel(t.Context())
		var ended atomic.Bool
		go func() {
			f.Run(ctx)
			ended.Store(true)
		}()
		f.Notify("k")
		synctest.Wait()
		cancel()
		synctest.Wait()
		require.False(t, ended.Load())
		close(letGo)
		synctest.Wait()
		require.True(t, ended.Load())
		require.Empty(t, s.Events("k"))
	})
}

func TestFastPathNeverBlocksTheWriter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		p := &outboxtest.MemPublisher{Fault: func(ctx context.Context, _ outbox.Event) error {
			<-ctx.Done() // accepts and stalls
			return &outbox.Error{Class: outbox.Timeout, Err: ctx.Err()}
		}}
		dropped := 0
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Observer: func(sig outbox.Signal) {
			if _, ok := sig.(outbox.Dropped); ok {
				dropped++
			}
		}})
		f := outbox.NewFastPath(d, outbox.FastPathOptions{Workers: 2, Queue: 3})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { f.Run(ctx) })
		w := outbox.NewWriter(s, outbox.WriterOptions{Committed: f.Notify})
		start := time.Now()
		for i := range 10 {
			_, err := w.Write(t.Context(), put(fmt.Sprint("k", i), "x"))
			require.NoError(t, err)
			synctest.Wait()
		}
		require.Zero(t, time.Since(start), "no write waited, in fake time")
		require.Equal(t, 5, dropped, "2 workers and 3 places in the queue are taken")
		cancel()
		wg.Wait()
	})
}

func TestFastPathDrainsAgainWhatCameMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		read, goOn := make(chan struct{}), make(chan struct{})
		var once sync.Once
		s := &outboxtest.FaultyStore{Storage: mem, After: func(_ context.Context, op, _ string) error {
			if op == "pending" {
				once.Do(func() { close(read); <-goOn })
			}
			return nil
		}}
		f := outbox.NewFastPath(outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { f.Run(ctx) })
		w := outbox.NewWriter(mem, outbox.WriterOptions{Committed: func(key string, _ ...outbox.Event) { f.Notify(key) }})
		_, err := w.Write(t.Context(), put("k", "1"))
		require.NoError(t, err)
		<-read // the drain has read event 1 only
		_, err = w.Write(t.Context(), put("k", "2"))
		require.NoError(t, err)
		close(goOn)
		synctest.Wait()
		require.NoError(t, outboxtest.CheckDelivered(mem, p))
		cancel()
		wg.Wait()
	})
}

// atWork is a fast path at work on what w commits to s.
func atWork(t *testing.T, s outboxtest.Storage, p outbox.Publisher, opts outbox.FastPathOptions) (*outbox.FastPath, *outbox.Writer) {
	opts.LookEvery = -1
	f := outbox.NewFastPath(outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), opts)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { f.Run(ctx) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	return f, outbox.NewWriter(s, outbox.WriterOptions{Committed: f.Notify})
}

// TestAWarmEventNeedsNoQuery: what this process has committed behind what it has settled, or
// first of all, is sent as it is remembered.
func TestAWarmEventNeedsNoQuery(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := note(&outboxtest.MemStore{}), &outboxtest.MemPublisher{}
		_, w := atWork(t, s, p, outbox.FastPathOptions{})
		must(t, w, put("k", "1"))
		synctest.Wait()
		require.Equal(t, "load place commit settle", s.took(), "number 1 has no predecessor")
		must(t, w, put("k", "2"))
		synctest.Wait()
		s.took()
		must(t, w, put("k", "3"))
		synctest.Wait()
		require.Equal(t, "commit settle", s.took())
		require.Empty(t, s.Storage.(*outboxtest.MemStore).Events("k"))
		require.NoError(t, outboxtest.CheckDelivered(s.Storage.(*outboxtest.MemStore), p))
	})
}

// TestPredecessorIsSettledFirst: whatever makes that unsure, the store is asked, and what it
// shows goes out in order.
func TestPredecessorIsSettledFirst(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		opts outbox.FastPathOptions
		took string // for event 3, once 1 was settled
		// unsure happens before event 3 is committed by w.
		unsure func(t *testing.T, s *noted, f *outbox.FastPath, w *outbox.Writer)
	}{
		"another process wrote event 2": {took: "commit load commit pending settle", unsure: func(t *testing.T, s *noted, _ *outbox.FastPath, _ *outbox.Writer) {
			must(t, outbox.NewWriter(s.Storage, outbox.WriterOptions{}), put("k", "2"))
		}},
		"its settle failed": {took: "commit pending settle", unsure: func(t *testing.T, s *noted, _ *outbox.FastPath, w *outbox.Writer) {
			s.fault = func(op string) error {
				if op == "settle" {
					return fault(outbox.Unavailable)
				}
				return nil
			}
			must(t, w, put("k", "2"))
			synctest.Wait()
			s.fault = nil
		}},
		"the memory is full": {opts: outbox.FastPathOptions{Memory: -1}, took: "commit pending settle", unsure: func(t *testing.T, _ *noted, _ *outbox.FastPath, w *outbox.Writer) {
			must(t, w, put("k", "2"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, p := note(&outboxtest.MemStore{}), &outboxtest.MemPublisher{}
				f, w := atWork(t, s, p, test.opts)
				must(t, w, put("k", "1"))
				synctest.Wait()
				for _, text := range []string{"1", "2"} {
					must(t, w, put("vouches", text))
					synctest.Wait()
				}
				test.unsure(t, s, f, w)
				synctest.Wait()
				s.took()
				must(t, w, put("k", "3"))
				synctest.Wait()
				require.Equal(t, test.took, s.took())
				require.NoError(t, outboxtest.CheckDelivered(s.Storage.(*outboxtest.MemStore), p))
			})
		})
	}
}

// TestWhatWaitedIsLookedUp: an event that others may have skipped meanwhile, or that is so old
// that they surely have sent it.
func TestWhatWaitedIsLookedUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		waits time.Duration
		skip  bool
		looks int
	}{
		{time.Second - 1, true, 0}, {time.Second, true, 1},
		{time.Second, false, 0}, {5*time.Second - 1, false, 0}, {5 * time.Second, false, 1},
	} {
		t.Run(fmt.Sprintf("%v, skipped: %v", c.waits, c.skip), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := &outboxtest.MemStore{}
				s := note(mem)
				p := &outboxtest.MemPublisher{}
				f := outbox.NewFastPath(outbox.NewDispatcher(s, p, outbox.DispatcherOptions{SkipParked: c.skip}), outbox.FastPathOptions{LookEvery: -1})
				w := outbox.NewWriter(s, outbox.WriterOptions{Committed: f.Notify})
				must(t, w, put("old", "1"))
				time.Sleep(c.waits)
				must(t, w, put("new", "1"))
				s.took()
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() { f.Run(ctx) })
				synctest.Wait()
				require.Equal(t, c.looks, strings.Count(s.took(), "pending"))
				require.NoError(t, outboxtest.CheckDelivered(mem, p))
				cancel()
				wg.Wait()
			})
		})
	}
}

// TestARefusedEventIsLookedUp, and its followers with it: its key is suspected.
func TestARefusedEventIsLookedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		s := note(mem)
		refuses := true
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			if refuses {
				return fault(outbox.Rejected)
			}
			return nil
		}}
		_, w := atWork(t, s, p, outbox.FastPathOptions{})
		must(t, w, put("k", "1"))
		synctest.Wait()
		refuses = false
		time.Sleep(10 * time.Second)
		s.took()
		must(t, w, put("k", "2"))
		synctest.Wait()
		require.Contains(t, s.took(), "pending settle")
		require.NoError(t, outboxtest.CheckDelivered(mem, p))
	})
}

// TestAHotKeyIsSentFromMemory: what is committed during a send goes out with the next one, and
// a full page of it does not mean that the store has more.
func TestAHotKeyIsSentFromMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := note(&outboxtest.MemStore{})
		letGo := make(chan struct{})
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			<-letGo
			return nil
		}}
		_, w := atWork(t, s, p, outbox.FastPathOptions{})
		for i := range 101 {
			must(t, w, put("k", fmt.Sprint(i)))
			synctest.Wait()
		}
		s.took()
		close(letGo)
		synctest.Wait()
		require.Equal(t, "settle settle settle", s.took())
		require.NoError(t, outboxtest.CheckDelivered(s.Storage.(*outboxtest.MemStore), p))
	})
}

// TestWhatWasSentMakesRoom in the memory of the fast path.
func TestWhatWasSentMakesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := note(&outboxtest.MemStore{}), &outboxtest.MemPublisher{}
		_, w := atWork(t, s, p, outbox.FastPathOptions{Memory: 1000})
		for i := range 10 {
			must(t, w, put("k", fmt.Sprint(i)))
			synctest.Wait()
		}
		require.NotContains(t, s.took(), "pending")
	})
}

// TestANewIncarnationIsLookedUp: the container may have been restored with pending events.
func TestANewIncarnationIsLookedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		s, p := note(mem), &outboxtest.MemPublisher{}
		_, w := atWork(t, s, p, outbox.FastPathOptions{})
		must(t, w, put("k", "1"))
		synctest.Wait()
		mem.Restore(mem)
		must(t, w, put("k", "2"))
		synctest.Wait()
		require.Contains(t, s.took(), "place commit pending settle")
	})
}

// TestADrainThatWasFrozenForgetsNothing of what has been settled behind it meanwhile.
func TestADrainThatWasFrozenForgetsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := note(&outboxtest.MemStore{}), &outboxtest.MemPublisher{}
		wake := make(chan struct{})
		var frozen atomic.Bool
		s.fault = func(op string) error {
			if op == "settle" && !frozen.Swap(true) {
				<-wake
			}
			return nil
		}
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{})
		f := running(t, d, outbox.FastPathOptions{LookEvery: -1})
		w := outbox.NewWriter(s, outbox.WriterOptions{Committed: f.Notify})
		must(t, w, put("k", "1"))
		synctest.Wait()
		must(t, w, put("k", "2"))
		_, err := d.Drain(t.Context(), "k", time.Minute)
		require.NoError(t, err)
		close(wake)
		synctest.Wait()
		require.Equal(t, []int64{1, 1, 2}, p.Seqs("k"), "2 does not go out again")
		s.took()
		must(t, w, put("k", "3"))
		synctest.Wait()
		require.Equal(t, "commit settle", s.took(), "and 3 needs no query")
	})
}

// TestANewIncarnationIsLookedUpOnce, also when its numbers begin anew, below those that this
// process has settled.
func TestANewIncarnationIsLookedUpOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		s, p := note(mem), &outboxtest.MemPublisher{}
		_, w := atWork(t, s, p, outbox.FastPathOptions{})
		for i := range 5 {
			must(t, w, put("k", fmt.Sprint(i)))
			synctest.Wait()
		}
		mem.Anew()
		for i := range 4 {
			s.took()
			must(t, w, put("k", fmt.Sprint("anew ", i)))
			synctest.Wait()
		}
		require.Equal(t, "commit settle", s.took())
		require.Equal(t, []int64{1, 2, 3, 4, 5, 1, 2, 3, 4}, p.Seqs("k"))
	})
}

// TestTheMemoryIsBounded: who finds no room, or whose events are not all told, is looked up, and
// takes no room from others.
func TestTheMemoryIsBounded(t *testing.T) {
	t.Parallel()
	for commits, asked := range map[string]string{ // before the workers begin; room for two; "?": its event is not told
		"a b":      "",
		"a b c":    "c",
		"a a? b c": "a",
		"a? a b c": "a",
		"a b b c":  "b",
	} {
		t.Run(commits, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var one []outbox.Event
				must(t, outbox.NewWriter(&outboxtest.MemStore{}, outbox.WriterOptions{Committed: func(_ string, events ...outbox.Event) { one = events }}), put("a", "0"))

				mem, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
				var mu sync.Mutex
				var asks []string
				s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, key string) error {
					mu.Lock()
					defer mu.Unlock()
					if op == "pending" {
						asks = append(asks, key)
					}
					return nil
				}}
				f := outbox.NewFastPath(outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{LookEvery: -1, Memory: 2 * size(one)})
				told := outbox.NewWriter(mem, outbox.WriterOptions{Committed: f.Notify})
				untold := outbox.NewWriter(mem, outbox.WriterOptions{Committed: func(key string, _ ...outbox.Event) { f.Notify(key) }})
				for i, key := range strings.Fields(commits) {
					w := told
					if strings.HasSuffix(key, "?") {
						w = untold
					}
					must(t, w, put(key[:1], fmt.Sprint(i)))
				}
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() { f.Run(ctx) })
				synctest.Wait()
				require.Equal(t, asked, strings.Join(asks, " "))
				require.NoError(t, outboxtest.CheckDelivered(mem, p))
				cancel()
				wg.Wait()
			})
		})
	}
}
