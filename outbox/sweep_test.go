package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/outbox"
	"github.com/relaybox/relaybox/outbox/outboxtest"
)

// listing is a store whose searches show what they are told to.
type listing struct {
	*outboxtest.MemStore
	find, parked func(visit func([]outbox.Head) error) error
}

func (s *listing) Find(ctx context.Context, visit func([]outbox.Head) error) error {
	if s.find == nil {
		return s.MemStore.Find(ctx, visit)
	}
	return s.find(visit)
}

func (s *listing) Parked(ctx context.Context, visit func([]outbox.Head) error) error {
	if s.parked == nil {
		return s.MemStore.Parked(ctx, visit)
	}
	return s.parked(visit)
}

// heads is a page of n keys.
func heads(n int, due time.Time) []outbox.Head {
	all := make([]outbox.Head, n)
	for i := range all {
		all[i] = outbox.Head{Key: fmt.Sprint("k", i), Due: due}
	}
	return all
}

// TestAPassIsBounded, by keys: what is pending behind them has the next pass of the same sweep,
// which drains no key of this one again, and what is parked the next sweep.
func TestAPassIsBounded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		halts []outbox.Halt
		want  outbox.Report
	}{
		"nothing to send":                   {nil, outbox.Report{Keys: 10_001}},
		"an operator has paused everything": {[]outbox.Halt{{Scope: outbox.ScopeAll}}, outbox.Report{Held: 10_001}},
	} {
		searches := 0
		pending := &listing{MemStore: &outboxtest.MemStore{}, find: func(visit func([]outbox.Head) error) error {
			if searches++; searches > 2 {
				return errors.New("it searches on and on")
			}
			return visit(heads(10_001, time.Time{}))
		}}
		report, err := outbox.NewDispatcher(pending, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{Halts: func(context.Context) (outbox.Halts, error) {
			return outbox.Halts{List: test.halts}, nil
		}}).Sweep(t.Context())
		require.NoError(t, err, name)
		report.Oldest = 0 // the heads have no age
		require.Equal(t, test.want, report, name)
		require.Equal(t, 2, searches, name)
	}

	due := time.Now()
	parked := &listing{MemStore: &outboxtest.MemStore{}, parked: func(visit func([]outbox.Head) error) error {
		return visit(heads(10_001, due))
	}}
	report, err := outbox.NewDispatcher(parked, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{}).Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, outbox.Report{Standing: 10_001, Keys: 10_000}, report)
}

// TestASweepThatIsCut asks the store for nothing more, and says why it ended.
func TestASweepThatIsCut(t *testing.T) {
	t.Parallel()
	throttled := func(context.Context, outbox.Event) error {
		return &outbox.Error{Class: outbox.Throttled, RetryAfter: 10 * time.Second}
	}
	for name, test := range map[string]struct {
		after time.Duration
		took  string
	}{
		"before it begins": {0, "parked"},
		"in a pause":       {time.Second, "parked find pending"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := note(&outboxtest.MemStore{})
				fill(t, s.Storage, 1, "k")
				ctx, cancel := context.WithTimeout(t.Context(), test.after)
				defer cancel()
				_, err := outbox.NewDispatcher(s, &outboxtest.MemPublisher{Fault: throttled}, outbox.DispatcherOptions{}).Sweep(ctx)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Equal(t, test.took, s.took())
			})
		})
	}
	t.Run("between two pages", func(t *testing.T) {
		t.Parallel()
		for _, parked := range []bool{false, true} {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			pages := 0
			endless := func(visit func([]outbox.Head) error) error {
				for {
					if pages++; pages == 3 {
						cancel()
					}
					if err := visit(nil); err != nil || pages > 3 {
						return err
					}
				}
			}
			s := &listing{MemStore: &outboxtest.MemStore{}}
			if parked {
				s.parked = endless
			} else {
				s.find = endless
			}
			_, err := outbox.NewDispatcher(s, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{}).Sweep(ctx)
			require.ErrorIs(t, err, context.Canceled)
			require.Equal(t, 3, pages)
		}
	})
}

// TestASkippedEventCostsNothing: it is never due, so that no sweep looks at its key.
func TestASkippedEventCostsNothing(t *testing.T) {
	t.Parallel()
	s := note(&outboxtest.MemStore{})
	fill(t, s.Storage, 1, "k")
	e, err := s.Storage.Pending(t.Context(), "k", 0, 1)
	require.NoError(t, err)
	require.NoError(t, s.Storage.Park(t.Context(), e[0], outbox.Fault{Reason: "r", At: time.Now(), Skipped: true}))
	report, err := outbox.NewDispatcher(s, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{}).Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, outbox.Report{Standing: 1}, report)
	require.Equal(t, "parked find", s.took())
}

// TestASweepWaitsForASuspectLast: only when nothing else is left to do, and then it does.
func TestASweepWaitsForASuspectLast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		mem := &outboxtest.MemStore{}
		p := &outboxtest.MemPublisher{Fault: func(_ context.Context, e outbox.Event) error {
			if e.Key == "bad" && time.Since(start) < time.Second {
				return fault(outbox.TooLarge)
			}
			return nil
		}}
		fill(t, mem, 1, "bad", "good")
		var last time.Duration // settle of the others
		s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, key string) error {
			if op == "settle" && key == "good" { // for another pass
				must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), put("late", "x"))
			}
			if op == "settle" && key == "late" {
				last = time.Since(start)
			}
			return nil
		}}
		longest := func(d time.Duration) time.Duration { return d - 1 }
		_, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Jitter: longest}).Sweep(t.Context())
		require.NoError(t, err)
		require.Zero(t, last)
		require.NoError(t, outboxtest.CheckDelivered(mem, p))
	})
}

// paused returns a dispatcher of s whose destination is left alone for ten seconds: the event of
// a key was refused, and another instance has sent it.
func paused(t *testing.T, mem *outboxtest.MemStore, s outboxtest.Storage) (*outbox.Dispatcher, *outboxtest.MemPublisher) {
	p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
		return &outbox.Error{Class: outbox.Throttled, RetryAfter: 10 * time.Second}
	}}
	d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{})
	fill(t, mem, 1, "refused")
	_, err := d.Drain(t.Context(), "refused", time.Second)
	require.Error(t, err)
	require.NoError(t, mem.Settle(t.Context(), "refused", mem.Events("refused")))
	p.Fault = nil
	return d, p
}

// TestASweepOutlastsAPauseOfOthers, also when it has found nothing: what comes meanwhile is its.
func TestASweepOutlastsAPauseOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		d, p := paused(t, s, s)
		time.AfterFunc(5*time.Second, func() { must(t, outbox.NewWriter(s, outbox.WriterOptions{}), put("k", "x")) })
		_, err := d.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, []int64{1}, p.Seqs("k"))
	})
}

// TestADueEventOutlastsAPause: the sweep that had to leave it alone tries it once the pause is
// over, even if that was so long before its search ended.
func TestADueEventOutlastsAPause(t *testing.T) {
	t.Parallel()
	for _, search := range []time.Duration{0, 15 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			mem := &outboxtest.MemStore{}
			s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
				if op == "find" {
					time.Sleep(search)
				}
				return nil
			}}
			d, p := paused(t, mem, s)
			fill(t, mem, 1, "due")
			require.NoError(t, mem.Park(t.Context(), mem.Events("due")[0], outbox.Fault{Reason: "r", At: time.Now(), Next: time.Now()}))
			_, err := d.Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, []int64{1}, p.Seqs("due"), "a search of %v", search)
		})
	}
}

// TestASweepWaitsForTheFirstSuspect of those that still wait.
func TestASweepWaitsForTheFirstSuspect(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		mem := &outboxtest.MemStore{}
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			if time.Since(start) == 0 {
				return fault(outbox.TooLarge)
			}
			return nil
		}}
		waits := map[string]time.Duration{"a": 4 * time.Second, "b": 3 * time.Second, "c": 100 * time.Millisecond}
		fill(t, mem, 1, "a", "b", "c", "gone")
		s := &outboxtest.FaultyStore{Storage: mem, Before: func(ctx context.Context, op, key string) error {
			if op == "pending" && key == "gone" { // c's wait is over when the pass ends
				time.Sleep(time.Second)
				return mem.Settle(ctx, key, mem.Events(key))
			}
			return nil
		}}
		took := map[string]time.Duration{}
		_, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Parallel: 1, Wide: 1, Policy: func(e outbox.Event, _ error, _ int) outbox.Verdict {
			return outbox.Verdict{Action: outbox.Retry, After: waits[e.Key]}
		}, Observer: func(sig outbox.Signal) {
			if published, ok := sig.(outbox.Published); ok {
				took[published.Event.Key] = time.Since(start)
			}
		}}).Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, map[string]time.Duration{"a": 4 * time.Second, "b": 3 * time.Second, "c": 3 * time.Second}, took)
	})
}

// TestAPassEndsEarly where it could do nothing more: it does not search to the end.
func TestAPassEndsEarly(t *testing.T) {
	t.Parallel()
	t.Run("in a pause", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			mem, pages := &outboxtest.MemStore{}, 0
			s := &listing{MemStore: mem, find: func(visit func([]outbox.Head) error) error {
				return mem.Find(t.Context(), func(heads []outbox.Head) error {
					pages++
					return visit(heads)
				})
			}}
			d, p := paused(t, mem, s)
			for i := range 300 {
				fill(t, mem, 1, fmt.Sprint("k", i))
			}
			_, err := d.Sweep(t.Context())
			require.NoError(t, err)
			require.Len(t, p.Log(), 300)
			require.Equal(t, 1+3, pages, "one in the pause, for the age of what waits")
		})
	})
	t.Run("after its time", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			pages := 0
			s := &listing{MemStore: &outboxtest.MemStore{}, find: func(visit func([]outbox.Head) error) error {
				for range 10 {
					time.Sleep(600 * time.Millisecond)
					if err := visit([]outbox.Head{{Key: fmt.Sprint("k", pages)}}); err != nil {
						return err
					}
					pages++
				}
				return nil
			}}
			report, err := outbox.NewDispatcher(s, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{Budget: time.Second}).Sweep(t.Context())
			require.NoError(t, err)
			require.Equal(t, 1, report.Keys)
			require.Equal(t, 1, pages)
		})
	})
}

// TestOneKeyTriesAfterAFailure: while the last that is known of the destination is a failure, it
// does not get a full load.
func TestOneKeyTriesAfterAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		d, p := paused(t, s, s)
		time.Sleep(time.Minute) // the pause is over
		for i := range 20 {
			fill(t, s, 1, fmt.Sprint("k", i))
		}
		tries := 0
		p.Fault = func(context.Context, outbox.Event) error {
			tries++
			return &outbox.Error{Class: outbox.Throttled, RetryAfter: time.Hour}
		}
		_, err := d.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, tries)
	})
}
