package outbox_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// relief is how long an event may wait whose writer died, or can't reach the broker.
const relief = 3 * time.Second

// cut makes a publisher that can't reach the broker while away is set.
type cutPublisher struct {
	outbox.Publisher
	away atomic.Bool
}

func (p *cutPublisher) Publish(ctx context.Context, events []outbox.Event) []error {
	if !p.away.Load() {
		return p.Publisher.Publish(ctx, events)
	}
	results := make([]error, len(events))
	for i := range results {
		results[i] = outbox.ErrNotAttempted
	}
	results[0] = fault(outbox.Unavailable)
	return results
}

// waits remembers the longest time from an event to its first copy at the broker.
type waits struct {
	outboxtest.MemPublisher
	mu      sync.Mutex
	longest time.Duration
	seen    map[string]bool
}

func newWaits() *waits {
	w := &waits{seen: map[string]bool{}}
	w.Fault = func(_ context.Context, e outbox.Event) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.seen[e.ID] {
			w.longest = max(w.longest, time.Since(e.CreatedAt))
		}
		w.seen[e.ID] = true
		return nil
	}
	return w
}

// TestOrphansAreTakenOver: writers die with events behind them, at any moment between two
// looks; nobody sweeps.
func TestOrphansAreTakenOver(t *testing.T) {
	t.Parallel()
	for _, instances := range []int{1, 10} {
		t.Run(fmt.Sprint(instances), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, p := &outboxtest.MemStore{}, newWaits()
				for range instances {
					running(t, outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{})
				}
				for i := range 100 {
					fill(t, s, 2, fmt.Sprint("k", i%30)) // nobody is notified
					time.Sleep(137 * time.Millisecond)
				}
				time.Sleep(relief)
				require.NoError(t, outboxtest.CheckDelivered(s, p.pub()))
				require.LessOrEqual(t, p.longest, relief)
				require.Greater(t, p.longest, time.Second, "what is younger is left to its writer")
				require.Less(t, len(p.Log()), 2*200, "instances that look apart don't all send the same")
			})
		})
	}
}

func (w *waits) pub() *outboxtest.MemPublisher { return &w.MemPublisher }

// TestAnInstanceThatIsCutOffIsRelieved: its own fast path waits at its gate.
func TestAnInstanceThatIsCutOffIsRelieved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem, p := &outboxtest.MemStore{}, newWaits()
		running(t, outbox.NewDispatcher(mem, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{})
		lost := &cutPublisher{Publisher: p}
		var looks atomic.Int64
		s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
			if op == "find" {
				looks.Add(1)
			}
			return nil
		}}
		f := running(t, outbox.NewDispatcher(s, lost, outbox.DispatcherOptions{}), outbox.FastPathOptions{})
		lost.away.Store(true)
		w := outbox.NewWriter(mem, outbox.WriterOptions{Committed: f.Notify})
		for i := range 300 {
			_, err := w.Write(t.Context(), put(fmt.Sprint("k", i%10), fmt.Sprint(i)))
			require.NoError(t, err)
			time.Sleep(100 * time.Millisecond)
		}
		require.Less(t, looks.Load(), int64(15), "who can't send anything looks for nothing")
		time.Sleep(relief)
		require.NoError(t, outboxtest.CheckDelivered(mem, p.pub()))
		require.LessOrEqual(t, p.longest, relief)
	})
}

// TestLooksCostLittle: one search for each interval, nothing for keys that are on the fast
// path, and next to nothing for keys that can't go on.
func TestLooksCostLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		var finds, reads atomic.Int64
		s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
			switch op {
			case "find":
				finds.Add(1)
			case "pending":
				reads.Add(1)
			}
			return nil
		}}
		hold := make(chan struct{})
		p := &outboxtest.MemPublisher{Fault: func(_ context.Context, e outbox.Event) error {
			if e.Key == "slow" {
				<-hold
			}
			return nil
		}}
		f := running(t, outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{Budget: time.Hour})
		synctest.Wait()
		require.EqualValues(t, 1, finds.Load(), "one look at the start")
		fill(t, mem, 1, "slow")
		f.Notify("slow")
		time.Sleep(10 * time.Minute)
		require.InDelta(t, 600, finds.Load(), 30)
		require.EqualValues(t, 1, reads.Load(), "its own fast path is at work on it")
		close(hold)
		synctest.Wait()

		fill(t, mem, 2, "blocked")
		require.NoError(t, mem.Park(t.Context(), mem.Events("blocked")[0], outbox.Fault{Reason: "r", At: time.Now()}))
		reads.Store(0)
		time.Sleep(30 * time.Second)
		require.Less(t, reads.Load(), int64(7))
	})
}

// TestALookThatFails rests for a while, is told, and is repeated.
func TestALookThatFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		var away atomic.Bool
		away.Store(true)
		s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
			if op == "find" && away.Load() {
				return fault(outbox.Throttled)
			}
			return nil
		}}
		var told atomic.Int64
		running(t, outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Observer: func(sig outbox.Signal) {
			if failed, ok := sig.(outbox.LookFailed); ok {
				told.Add(1)
				require.Equal(t, outbox.Throttled, outbox.ClassOf(failed.Err))
			}
		}}), outbox.FastPathOptions{})
		fill(t, mem, 1, "k")
		time.Sleep(10 * time.Minute)
		require.InDelta(t, 30, told.Load(), 12)
		away.Store(false)
		time.Sleep(30 * time.Second)
		require.NoError(t, outboxtest.CheckDelivered(mem, p))
		told.Store(0)
		away.Store(true)
		time.Sleep(10 * time.Second)
		require.GreaterOrEqual(t, told.Load(), int64(3), "the next time it rests for a short while first")
	})
}

// pages counts the pages of each search.
type pages struct {
	*outboxtest.MemStore
	seen []int
}

func (s *pages) Find(ctx context.Context, visit func([]outbox.Head) error) error {
	s.seen = append(s.seen, 0)
	return s.MemStore.Find(ctx, func(heads []outbox.Head) error {
		s.seen[len(s.seen)-1]++
		return visit(heads)
	})
}

// TestALookIsBounded: of a long backlog it takes 256 keys, in few sends, and the next look
// those behind them; the rest is the sweep's.
func TestALookIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := &pages{MemStore: &outboxtest.MemStore{}}, &outboxtest.MemPublisher{}
		for i := range 1000 {
			fill(t, s, 1, fmt.Sprintf("k%04d", i))
		}
		time.Sleep(2 * time.Second)
		running(t, outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{Queue: 2000})
		time.Sleep(1400 * time.Millisecond) // two looks
		synctest.Wait()
		require.Equal(t, []int{3, 3}, s.seen)
		require.Len(t, p.Log(), 512)
		require.LessOrEqual(t, p.Calls(), 8)
	})
}

// TestALookThatRelievesEnds: also when the broker does not answer, so that the next one comes.
func TestALookThatRelievesEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &pages{MemStore: &outboxtest.MemStore{}}
		p := &outboxtest.MemPublisher{Fault: func(ctx context.Context, _ outbox.Event) error {
			<-ctx.Done()
			return &outbox.Error{Class: outbox.Timeout, Op: "send", Err: ctx.Err()}
		}}
		for i := range 400 {
			fill(t, s, 1, fmt.Sprintf("k%04d", i))
		}
		time.Sleep(2 * time.Second)
		running(t, outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{Budget: time.Second})
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Greater(t, len(s.seen), 15, "of 2 s, and a second's rest")
	})
}

// TestABacklogIsLeftToTheSweep of the same process while it is at it, and a few orphans that
// it has not come upon are not.
func TestABacklogIsLeftToTheSweep(t *testing.T) {
	t.Parallel()
	for orphans, taken := range map[int]bool{200: true, 300: false} {
		synctest.Test(t, func(t *testing.T) {
			mem, d, p, _ := stalledSweep(t, 16)
			for i := range orphans {
				fill(t, mem, 1, fmt.Sprintf("o%04d", i))
			}
			time.Sleep(2 * time.Second)
			running(t, d, outbox.FastPathOptions{})
			time.Sleep(5 * time.Second)
			synctest.Wait()
			require.Equal(t, taken, len(p.Log()) > 0, "%d orphans", orphans)
			time.Sleep(time.Minute)
			require.NoError(t, outboxtest.CheckDelivered(mem, p))
		})
	}
}

// TestAKeyIsDrainedByOne: what a sweep has in hand is left alone by the looks and by another sweep
// of the process.
func TestAKeyIsDrainedByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem, d, p, reads := stalledSweep(t, 200)
		running(t, d, outbox.FastPathOptions{})
		second, err := d.Sweep(t.Context())
		require.NoError(t, err)
		require.Zero(t, second.Keys)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 16, reads.Load(), "but those of the first sweep")
		time.Sleep(time.Minute)
		require.NoError(t, outboxtest.CheckDelivered(mem, p))
		require.Len(t, p.Log(), 200, "each went out once")
		fill(t, mem, 1, "k0000")
		_, err = d.Sweep(t.Context())
		require.NoError(t, err)
		require.NoError(t, outboxtest.CheckDelivered(mem, p), "once it is done, others may")
	})
}

// TestOrphansThatWaitAreTheSweeps: it takes what the fast path has adopted and has no worker for,
// and leaves alone what a worker has.
func TestOrphansThatWaitAreTheSweeps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		var slow atomic.Bool
		slow.Store(true)
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			if slow.Load() {
				time.Sleep(3 * time.Second)
			}
			return nil
		}}
		for i := range 100 {
			fill(t, s, 2, fmt.Sprintf("k%04d", i))
		}
		time.Sleep(2 * time.Second)
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{})
		running(t, d, outbox.FastPathOptions{Workers: 16})
		time.Sleep(time.Second) // each worker sends
		slow.Store(false)
		report, err := d.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, 2*(100-16), report.Settled)
		time.Sleep(time.Minute)
		require.NoError(t, outboxtest.CheckDelivered(s, p))
		require.Len(t, p.Log(), 200, "each went out once")
	})
}

// stalledSweep is under way for a number of keys, with one event each: its first sixteen reads take 10 s.
func stalledSweep(t *testing.T, keys int) (mem *outboxtest.MemStore, d *outbox.Dispatcher, p *outboxtest.MemPublisher, reads *atomic.Int32) {
	t.Helper()
	mem, p, reads = &outboxtest.MemStore{}, &outboxtest.MemPublisher{}, &atomic.Int32{}
	s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
		if op == "pending" && reads.Add(1) <= 16 {
			time.Sleep(10 * time.Second)
		}
		return nil
	}}
	for i := range keys {
		fill(t, mem, 1, fmt.Sprintf("k%04d", i))
	}
	time.Sleep(2 * time.Second)
	d = outbox.NewDispatcher(s, p, outbox.DispatcherOptions{})
	go func() { _, _ = d.Sweep(t.Context()) }()
	synctest.Wait()
	return mem, d, p, reads
}

// endless is a store whose search has no last page. Each has one key.
type endless struct {
	*outboxtest.MemStore
	page func(i int) outbox.Head
	seen []int
	at   []time.Time
}

func (s *endless) Find(_ context.Context, visit func([]outbox.Head) error) error {
	s.seen, s.at = append(s.seen, 0), append(s.at, time.Now())
	for i := 0; ; i++ {
		s.seen[len(s.seen)-1]++
		if err := visit([]outbox.Head{s.page(i)}); err != nil {
			return err
		}
	}
}

// TestPagesOfALookAreBounded: four with something to do in them, forty at all, and the more
// were read the longer it rests.
func TestPagesOfALookAreBounded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		age   time.Duration
		pages int
		rest  time.Duration // at least
	}{
		"orphans": {time.Hour, 4, 750 * time.Millisecond},
		"young":   {0, 40, 7500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &endless{MemStore: &outboxtest.MemStore{}, page: func(i int) outbox.Head {
					return outbox.Head{Key: fmt.Sprint("k", i), CreatedAt: time.Now().Add(-c.age)}
				}}
				running(t, outbox.NewDispatcher(s, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{Observer: func(sig outbox.Signal) {
					if failed, ok := sig.(outbox.LookFailed); ok {
						t.Errorf("a look that had enough has not failed: %v", failed.Err)
					}
				}}), outbox.FastPathOptions{})
				time.Sleep(15 * time.Second)
				synctest.Wait()
				require.Equal(t, c.pages, s.seen[0])
				rest := s.at[1].Sub(s.at[0])
				require.GreaterOrEqual(t, rest, c.rest)
				require.LessOrEqual(t, rest, c.rest*5/3)
			})
		})
	}
}

// TestABlockedKeyHidesNoOrphan: the followers of one parked event fill page after page of the
// search, and the event of another key behind them is taken over all the same.
func TestABlockedKeyHidesNoOrphan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		fill(t, s, 700, "blocked") // seven pages
		require.NoError(t, s.Park(t.Context(), s.Events("blocked")[0], outbox.Fault{Reason: "r", At: time.Now(), Next: time.Now().Add(time.Hour)}))
		running(t, outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{})
		time.Sleep(time.Minute)
		fill(t, s, 1, "later")
		time.Sleep(5 * time.Second)
		require.Equal(t, []int64{1}, p.Seqs("later"))
	})
}

// TestASuspectOfOthersIsForgotten: where another instance has parked the event, this one does
// not read its key at every look.
func TestASuspectOfOthersIsForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		var reads atomic.Int64
		s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, key string) error {
			if op == "pending" && key == "bad" {
				reads.Add(1)
			}
			return nil
		}}
		fill(t, mem, 2, "bad")
		running(t, outbox.NewDispatcher(s, &outboxtest.MemPublisher{Fault: poison("bad", 1)}, outbox.DispatcherOptions{}), outbox.FastPathOptions{})
		time.Sleep(20 * time.Second) // it was refused here, more than once
		require.NoError(t, mem.Park(t.Context(), mem.Events("bad")[0], outbox.Fault{Reason: "r", At: time.Now(), Next: time.Now().Add(time.Hour)}))
		reads.Store(0)
		time.Sleep(10 * time.Minute)
		require.Less(t, reads.Load(), int64(20))
	})
}

// TestAnOrphanThatIsNotifiedMeanwhile, between the page that shows it and the end of the look, is
// drained once.
func TestAnOrphanThatIsNotifiedMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			time.Sleep(5 * time.Second)
			return nil
		}}
		fill(t, mem, 1, "k")
		time.Sleep(2 * time.Second)
		var f *outbox.FastPath
		s := &outboxtest.FaultyStore{Storage: mem, After: func(_ context.Context, op, _ string) error {
			if op == "find" {
				f.Notify("k")
			}
			return nil
		}}
		f = outbox.NewFastPath(outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{LookEvery: time.Minute})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { f.Run(ctx) })
		time.Sleep(10 * time.Second)
		require.Equal(t, []int64{1}, p.Seqs("k"))
		cancel()
		wg.Wait()
	})
}

// TestOrphansWithoutRoom on the fast path hold up no look, and are taken over as soon as there is
// room, however long that took.
func TestOrphansWithoutRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, hold := &pages{MemStore: &outboxtest.MemStore{}}, make(chan struct{})
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			<-hold
			return nil
		}}
		fill(t, s, 1, "a", "b", "c", "d")
		time.Sleep(2 * time.Second)
		running(t, outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}), outbox.FastPathOptions{Workers: 1, Queue: 1, Budget: time.Hour})
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Greater(t, len(s.seen), 45)
		close(hold)
		time.Sleep(relief)
		require.NoError(t, outboxtest.CheckDelivered(s.MemStore, p))
	})
}
