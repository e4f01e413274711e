package outbox_test

import (
	"context"
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

// fill writes n events for each of keys.
func fill(t *testing.T, s outbox.Store, n int, keys ...string) {
	t.Helper()
	w := outbox.NewWriter(s, outbox.WriterOptions{Source: "/test"})
	for _, key := range keys {
		for range n {
			e := entity(t, s, key)
			_, err := w.Write(t.Context(), put(key, fmt.Sprintf("%s-%d", key, e.Version+1)))
			require.NoError(t, err)
		}
	}
}

func fault(class outbox.Class) error { return &outbox.Error{Class: class, Op: "send"} }

// poison refuses one event for what it is.
func poison(key string, seq int64) func(context.Context, outbox.Event) error {
	return func(_ context.Context, e outbox.Event) error {
		if e.Key == key && e.Seq == seq {
			return fault(outbox.TooLarge)
		}
		return nil
	}
}

func TestSweepDeliversABacklog(t *testing.T) {
	t.Parallel()
	s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
	fill(t, s, 130, "long")
	for i := range 40 {
		fill(t, s, 2, fmt.Sprint("key-", i))
	}
	r, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 210, r.Settled)
	require.NoError(t, outboxtest.CheckDelivered(s, p))
	require.Len(t, p.Log(), 210, "nothing is sent twice when nothing goes wrong")
}

func TestSweepLeavesYoungEventsToTheFastPath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{MinAge: 5 * time.Second})
		fill(t, s, 1, "k")
		time.Sleep(4 * time.Second)
		_, err := d.Sweep(t.Context())
		require.NoError(t, err)
		require.Empty(t, p.Log())
		time.Sleep(2 * time.Second)
		_, err = d.Sweep(t.Context())
		require.NoError(t, err)
		require.Len(t, p.Log(), 1)
	})
}

func TestPoisonTouchesOnlyItsOwnKey(t *testing.T) {
	t.Parallel()
	for _, skip := range []bool{false, true} {
		for _, at := range []int64{1, 3, 5} {
			t.Run(fmt.Sprintf("skip=%v at=%d", skip, at), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := &outboxtest.MemStore{}
					p := &outboxtest.MemPublisher{Fault: poison("bad", at)}
					fill(t, s, 5, "bad")
					refusals, counted := 0, 0
					d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{SkipParked: skip, Observer: func(sig outbox.Signal) {
						switch sig := sig.(type) {
						case outbox.Refused:
							refusals++
							require.GreaterOrEqual(t, sig.Attempt, counted)
							require.LessOrEqual(t, sig.Attempt, counted+1)
							counted = sig.Attempt
						case outbox.Published:
							if sig.Event.Key == "good" {
								require.Zero(t, time.Since(sig.Event.CreatedAt), "nothing waits for the poisonous one")
							}
						case outbox.Paused:
							t.Error("one key's refusals pause nobody")
						}
					}})
					rounds := 0
					for parked := false; !parked; rounds++ {
						require.Less(t, rounds, 6, "each round but the first proves something, or the next one does")
						fill(t, s, 1, "good")
						_, err := d.Sweep(t.Context())
						require.NoError(t, err)
						time.Sleep(15 * time.Second)
						parked = s.Events("bad")[0].Parked()
					}
					require.Equal(t, 3, counted)
					require.Len(t, p.Seqs("good"), rounds)
					left := s.Events("bad")
					require.NotEmpty(t, left)
					require.Equal(t, at, left[0].Seq)
					require.True(t, left[0].Parked())
					require.Equal(t, 3, left[0].Fault.Attempts)
					require.Equal(t, skip, left[0].Fault.Skipped)
					if skip {
						require.Len(t, left, 1)
						require.Len(t, p.Seqs("bad"), 4)
					} else {
						require.Len(t, left, int(6-at))
						require.Len(t, p.Seqs("bad"), int(at-1))
					}
					once := refusals
					time.Sleep(10 * time.Second) // it is not due yet, or never
					_, err := d.Sweep(t.Context())
					require.NoError(t, err)
					require.Equal(t, once, refusals)
				})
			})
		}
	}
}

func TestPagesOfSkippedEventsArePassed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		p := &outboxtest.MemPublisher{Fault: func(_ context.Context, e outbox.Event) error {
			if e.Key == "k" && e.Seq <= 25 {
				return fault(outbox.Rejected)
			}
			return nil
		}}
		fill(t, s, 25, "k")
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{SkipParked: true, Page: 10, Policy: outbox.ParkAfter(1)})
		for len(s.Events("k")) == 0 || !s.Events("k")[24].Parked() {
			fill(t, s, 1, "healthy") // the proof
			_, err := d.Sweep(t.Context())
			require.NoError(t, err)
			time.Sleep(time.Second)
		}
		fill(t, s, 3, "k") // behind two and a half pages of skipped events
		_, err := d.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, []int64{26, 27, 28}, p.Seqs("k"))
	})
}

func TestKeysBehindManyBlockedOnesAreFound(t *testing.T) {
	t.Parallel()
	s := &outboxtest.MemStore{}
	var parked []string
	for i := range 10_050 {
		parked = append(parked, fmt.Sprintf("a-%05d", i))
	}
	fill(t, s, 2, parked...)
	for _, key := range parked {
		require.NoError(t, s.Park(t.Context(), s.Events(key)[0], outbox.Fault{Reason: "x", At: time.Now()}))
	}
	fill(t, s, 1, "z") // the search finds it last
	p := &outboxtest.MemPublisher{}
	_, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, []int64{1}, p.Seqs("z"))
}

func TestEventsOfAClockAheadAreNotLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
		time.Sleep(time.Hour) // the writer's clock
		fill(t, s, 1, "k")
		e := s.Events("k")[0]
		require.NoError(t, s.Settle(t.Context(), "k", []outbox.Event{e}))
		e.CreatedAt = e.CreatedAt.Add(time.Hour)
		_, err := s.Commit(t.Context(), outbox.Commit{Key: "k", Entity: entity(t, s, "k"), Events: []outbox.Event{e}})
		require.NoError(t, err)
		_, err = outbox.NewDispatcher(s, p, outbox.DispatcherOptions{MinAge: 5 * time.Second}).Sweep(t.Context())
		require.NoError(t, err)
		require.Len(t, p.Log(), 1)
	})
}

func TestOutageCostsNoAttempts(t *testing.T) {
	t.Parallel()
	for _, class := range []outbox.Class{outbox.Unclassified, outbox.Throttled, outbox.Unavailable, outbox.Timeout, outbox.Unauthorized, outbox.Ambiguous} {
		t.Run(class.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &outboxtest.MemStore{}
				back := time.Now().Add(30 * time.Minute)
				var sends atomic.Int64
				p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
					sends.Add(1)
					if time.Now().Before(back) {
						return fault(class)
					}
					return nil
				}}
				fill(t, s, 3, "a", "b", "c")
				d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Observer: func(sig outbox.Signal) {
					if r, ok := sig.(outbox.Refused); ok {
						require.Zero(t, r.Attempt)
					}
				}})
				for time.Now().Before(back) {
					_, err := d.Sweep(t.Context())
					require.NoError(t, err)
					time.Sleep(10 * time.Second)
				}
				require.Less(t, sends.Load(), int64(2000), "an outage is probed, not hammered")
				_, err := d.Sweep(t.Context()) // one tick later
				require.NoError(t, err)
				require.NoError(t, outboxtest.CheckDelivered(s, p))
			})
		})
	}
}

// TestAgeOfTheOldest: it is what the alert reads, so it rises in an outage that outlasts
// every budget, and is zero when nothing is pending.
func TestAgeOfTheOldest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		away := true
		s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			if !away {
				return nil
			}
			return &outbox.Error{Class: outbox.Throttled, Op: "send", RetryAfter: time.Hour}
		}}
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{MinAge: 5 * time.Second})
		oldest := func() time.Duration {
			r, err := d.Sweep(t.Context())
			require.NoError(t, err)
			return r.Oldest
		}
		require.Zero(t, oldest())
		fill(t, s, 1, "k", "l")
		time.Sleep(2 * time.Second)
		require.Equal(t, 2*time.Second, oldest(), "a young event is left alone, and seen")
		time.Sleep(8 * time.Second)
		require.Equal(t, 10*time.Second, oldest())
		time.Sleep(20 * time.Minute) // the gate stays shut
		require.Equal(t, 20*time.Minute+10*time.Second, oldest())
		time.Sleep(time.Hour)
		away = false
		require.Greater(t, oldest(), time.Hour, "the age before the drain")
		require.Zero(t, oldest())
	})
}

// TestAgeOfTheOldestBehindADueEvent: a parked event that is to be tried again does not keep
// the sweep from seeing what waits in an outage.
func TestAgeOfTheOldestBehindADueEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		d := outbox.NewDispatcher(s, &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			return &outbox.Error{Class: outbox.Throttled, Op: "send", RetryAfter: time.Hour}
		}}, outbox.DispatcherOptions{})
		fill(t, s, 1, "due", "waits")
		require.NoError(t, s.Park(t.Context(), s.Events("due")[0], outbox.Fault{Reason: "r", At: time.Now(), Next: time.Now()}))
		for n := range 3 {
			time.Sleep(10 * time.Minute)
			r, err := d.Sweep(t.Context())
			require.NoError(t, err)
			require.GreaterOrEqual(t, r.Oldest, time.Duration(n+1)*10*time.Minute)
		}
	})
}

func TestThrottlingIsObeyed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		start := time.Now()
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			if time.Since(start) < 7*time.Second {
				return &outbox.Error{Class: outbox.Throttled, RetryAfter: 7 * time.Second}
			}
			return nil
		}}
		fill(t, s, 1, "k")
		_, err := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{}).Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, 7*time.Second, time.Since(start))
		require.Equal(t, 2, p.Calls(), "one send that was refused, one when the wait was over")
	})
}

func TestSweepEndsWithItsBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			time.Sleep(time.Second)
			return nil
		}}
		fill(t, s, 100, "k")
		start := time.Now()
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Budget: 25 * time.Second, Page: 10})
		_, err := d.Sweep(t.Context())
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(start), 36*time.Second)
		for range 3 {
			_, err = d.Sweep(t.Context())
			require.NoError(t, err)
		}
		require.NoError(t, outboxtest.CheckDelivered(s, p), "the next ticks carry on")
	})
}

func TestLateDispatcherChangesNothing(t *testing.T) {
	t.Parallel()
	mem, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
	fill(t, mem, 3, "k")
	sent, wake := make(chan struct{}), make(chan struct{})
	frozen := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
		if op == "settle" {
			close(sent)
			<-wake
		}
		return nil
	}}
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := outbox.NewDispatcher(frozen, p, outbox.DispatcherOptions{}).Drain(t.Context(), "k", time.Minute)
		require.NoError(t, err)
	})
	<-sent
	_, err := outbox.NewDispatcher(mem, p, outbox.DispatcherOptions{}).Sweep(t.Context())
	require.NoError(t, err)
	fill(t, mem, 2, "k")
	close(wake)
	wg.Wait()
	require.Len(t, mem.Events("k"), 2, "what was written meanwhile is still there")
	_, err = outbox.NewDispatcher(mem, p, outbox.DispatcherOptions{}).Sweep(t.Context())
	require.NoError(t, err)
	require.NoError(t, outboxtest.CheckDelivered(mem, p))
}

func TestLaggingReplicaDoesNotLoopOrReorder(t *testing.T) {
	t.Parallel()
	mem, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
	fill(t, mem, 20, "k")
	first, err := mem.Pending(t.Context(), "k", 0, 10)
	require.NoError(t, err)
	reads := 0
	lagging := laggingStore{MemStore: mem, pending: func(now []outbox.Event) []outbox.Event {
		if reads++; reads == 2 {
			return first // deleted a moment ago, still shown
		}
		return now
	}}
	d := outbox.NewDispatcher(lagging, p, outbox.DispatcherOptions{Page: 10})
	for range 2 {
		_, err := d.Sweep(t.Context())
		require.NoError(t, err)
	}
	require.NoError(t, outboxtest.CheckDelivered(mem, p))
	require.Len(t, p.Log(), 20)
}

type laggingStore struct {
	*outboxtest.MemStore
	pending func([]outbox.Event) []outbox.Event
}

func (s laggingStore) Pending(ctx context.Context, key string, after int64, limit int) ([]outbox.Event, error) {
	events, err := s.MemStore.Pending(ctx, key, after, limit)
	return s.pending(events), err
}

func TestStoreFaultsWhileDraining(t *testing.T) {
	t.Parallel()
	for _, op := range []string{"find", "pending", "settle", "park"} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := &outboxtest.MemStore{}
				p := &outboxtest.MemPublisher{Fault: poison("bad", 2)}
				fill(t, mem, 3, "a", "b", "bad")
				broken := true
				s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, o, key string) error {
					if broken && o == op && key != "a" {
						return fault(outbox.Unavailable)
					}
					return nil
				}}
				told := map[string]bool{}
				var mu sync.Mutex
				d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Observer: func(sig outbox.Signal) {
					if f, ok := sig.(outbox.DrainFailed); ok && outbox.ClassOf(f.Err) == outbox.Unavailable {
						mu.Lock()
						told[f.Key] = true
						mu.Unlock()
					}
				}})
				_, err := d.Sweep(t.Context())
				for range 5 { // until it is to be parked, because others get through
					time.Sleep(20 * time.Second)
					fill(t, mem, 1, "a")
					_, again := d.Sweep(t.Context())
					err = errors.Join(err, again)
				}
				if op == "find" {
					require.Equal(t, outbox.Unavailable, outbox.ClassOf(err))
				} else {
					require.NoError(t, err, "one key's trouble is not the sweep's")
					require.Equal(t, []int64{1, 2, 3, 4, 5, 6, 7, 8}, p.Seqs("a"))
					require.Equal(t, map[string]bool{"b": op != "park", "bad": true}, map[string]bool{"b": told["b"], "bad": told["bad"]})
					require.False(t, told["a"])
				}
				broken = false
				_, err = d.Sweep(t.Context())
				require.NoError(t, err)
				require.Empty(t, mem.Events("b"))
				require.Len(t, mem.Events("bad"), 2)
				_, err = outboxtest.CheckOrder(p.Log())
				require.NoError(t, err)
			})
		})
	}
}

// cutStore cuts pages by bytes, as stores do: here, to two events.
type cutStore struct{ *outboxtest.MemStore }

func (s cutStore) Pending(ctx context.Context, key string, after int64, limit int) ([]outbox.Event, error) {
	return s.MemStore.Pending(ctx, key, after, min(limit, 2))
}

// TestAPageThatIsCutByBytes is not taken for the last one.
func TestAPageThatIsCutByBytes(t *testing.T) {
	t.Parallel()
	s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
	w := outbox.NewWriter(s, outbox.WriterOptions{MaxEventBytes: 1 << 20})
	for i := range 5 {
		must(t, w, put("k", fmt.Sprint(i, strings.Repeat("x", 600<<10))))
	}
	report, err := outbox.NewDispatcher(cutStore{s}, p, outbox.DispatcherOptions{}).Drain(t.Context(), "k", time.Minute)
	require.NoError(t, err)
	require.Equal(t, 5, report.Settled)
	require.Equal(t, []int64{1, 2, 3, 4, 5}, p.Seqs("k"))
}

// TestAParkedEventBehindPendingOnes: they go out, and the key is told to be blocked in the
// same drain.
func TestAParkedEventBehindPendingOnes(t *testing.T) {
	t.Parallel()
	s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
	fill(t, s, 3, "k")
	require.NoError(t, s.Park(t.Context(), s.Events("k")[1], outbox.Fault{Reason: "r", Next: time.Now().Add(time.Hour)}))
	var blocked []outbox.Signal
	d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Observer: func(sig outbox.Signal) {
		if _, ok := sig.(outbox.Blocked); ok {
			blocked = append(blocked, sig)
		}
	}})
	report, err := d.Drain(t.Context(), "k", time.Minute)
	require.NoError(t, err)
	require.Equal(t, outbox.Report{Keys: 1, Settled: 1, Blocked: 1}, report)
	require.Equal(t, []int64{1}, p.Seqs("k"))
	require.Equal(t, []outbox.Signal{outbox.Blocked{Key: "k", Seq: 2}}, blocked)
}

// TestASkipThatCannotBeNoted: what is skipped without a note could be sent later, after its
// followers. So they wait.
func TestASkipThatCannotBeNoted(t *testing.T) {
	t.Parallel()
	mem, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
	fill(t, mem, 2, "k")
	require.NoError(t, mem.Park(t.Context(), mem.Events("k")[0], outbox.Fault{Reason: "r", Next: time.Now().Add(time.Hour)}))
	broken := true
	s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, _ string) error {
		if broken && op == "park" {
			return fault(outbox.Unavailable)
		}
		return nil
	}}
	d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{SkipParked: true})
	_, err := d.Drain(t.Context(), "k", time.Minute)
	require.Equal(t, outbox.Unavailable, outbox.ClassOf(err))
	require.Empty(t, p.Seqs("k"))
	broken = false
	_, err = d.Drain(t.Context(), "k", time.Minute)
	require.NoError(t, err)
	require.Equal(t, []int64{2}, p.Seqs("k"))
	require.True(t, mem.Events("k")[0].Fault.Skipped)
	require.Zero(t, mem.Events("k")[0].Fault.Next)
}

// TestWhatADrainTells: each event that the broker took, and how many were settled.
func TestWhatADrainTells(t *testing.T) {
	t.Parallel()
	s, p := &outboxtest.MemStore{}, &outboxtest.MemPublisher{}
	fill(t, s, 3, "k")
	events := s.Events("k")
	var told []outbox.Signal
	d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Page: 2, Observer: func(sig outbox.Signal) { told = append(told, sig) }})
	_, err := d.Drain(t.Context(), "k", time.Minute)
	require.NoError(t, err)
	require.Equal(t, []outbox.Signal{
		outbox.Published{Event: events[0]}, outbox.Published{Event: events[1]}, outbox.Settled{Key: "k", Count: 2},
		outbox.Published{Event: events[2]}, outbox.Settled{Key: "k", Count: 1},
	}, told)
}

func TestResumeIsTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &outboxtest.MemStore{}
		var down atomic.Bool
		down.Store(true)
		p := &outboxtest.MemPublisher{Fault: func(context.Context, outbox.Event) error {
			if down.Load() {
				return errors.New("nobody classified this")
			}
			return nil
		}}
		var heard []string
		d := outbox.NewDispatcher(s, p, outbox.DispatcherOptions{Observer: func(sig outbox.Signal) {
			switch sig.(type) {
			case outbox.Paused:
				heard = append(heard, "paused")
				down.Store(false)
			case outbox.Resumed:
				heard = append(heard, "resumed")
			}
		}})
		fill(t, s, 2, "k")
		_, err := d.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{"paused", "resumed"}, heard)
	})
}

// TestASweepAsksOnceAboutABlockedKey, however many passes it makes for the others.
func TestASweepAsksOnceAboutABlockedKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := &outboxtest.MemStore{}
		fill(t, mem, 2, "blocked")
		first := mem.Events("blocked")[0]
		require.NoError(t, mem.Park(t.Context(), first, outbox.Fault{Reason: "r", At: time.Now()}))
		fill(t, mem, 1, "k")
		asked, more := 0, 3
		s := &outboxtest.FaultyStore{Storage: mem, Before: func(_ context.Context, op, key string) error {
			if op == "pending" && key == "blocked" {
				asked++
			}
			if op == "settle" && more > 0 { // for another pass
				more--
				must(t, outbox.NewWriter(mem, outbox.WriterOptions{}), put(fmt.Sprint("more ", more), "x"))
			}
			return nil
		}}
		report, err := outbox.NewDispatcher(s, &outboxtest.MemPublisher{}, outbox.DispatcherOptions{Parallel: 1}).Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, 4, report.Settled)
		require.Equal(t, 1, asked)
	})
}
