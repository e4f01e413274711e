package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
)

func sweep(t *testing.T, in *inbox.Inbox, want inbox.Swept) {
	t.Helper()
	got, err := in.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)
}

// TestTheLowestWaitEndsFirst: however long those behind it have waited.
func TestTheLowestWaitEndsFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		var told []inbox.Signal
		in := inbox.New(s, list, inbox.Options{EarlyWait: time.Minute, Observer: func(s inbox.Signal) { told = append(told, s) }})
		expect(t, in, one(1), inbox.Applied)
		expect(t, in, one(7), inbox.Stored)
		time.Sleep(50 * time.Second)
		expect(t, in, one(4), inbox.Stored)
		time.Sleep(20 * time.Second)
		sweep(t, in, inbox.Swept{Keys: 1}) // 7 has waited for more than a minute, 4 has not
		seqs, _ := applied(t, s)
		require.Equal(t, []int64{1}, seqs)
		time.Sleep(41 * time.Second)
		told = nil
		sweep(t, in, inbox.Swept{Keys: 1})
		seqs, m := applied(t, s)
		require.Equal(t, []int64{1, 4, 7}, seqs)
		require.EqualValues(t, 4, m.Gaps)
		require.Equal(t, inbox.Numbers{}.With(2, 3).With(5, 6), m.Missed)
		require.Equal(t, []int64{2, 2}, []int64{told[0].(inbox.Jumped).Missing, told[1].(inbox.Jumped).Missing})
		told = nil
		expect(t, in, one(5), inbox.Stale)
		require.Equal(t, []inbox.Signal{inbox.TooOld{Event: one(5), LastSeq: 7}}, told)
		expect(t, in, one(4), inbox.Duplicate)
		sweep(t, in, inbox.Swept{})
		require.NoError(t, s.Check())
	})
}

func TestStrictWaitsOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		var told []inbox.Signal
		in := inbox.New(s, list, inbox.Options{Policy: inbox.Strict, Observer: func(s inbox.Signal) { told = append(told, s) }})
		expect(t, in, one(3), inbox.Stored)
		since := time.Now().UTC()
		expect(t, in, one(4), inbox.Stored)
		expect(t, in, one(1), inbox.Applied)
		synctest.Wait()
		told = nil
		sweep(t, in, inbox.Swept{})
		time.Sleep(24 * time.Hour)
		for range 2 {
			sweep(t, in, inbox.Swept{Keys: 1, Blocked: 1})
		}
		blocked := inbox.Blocked{Key: "k", For: 2, Waiting: 2, Since: since}
		require.Equal(t, []inbox.Signal{blocked, blocked}, told)
		expect(t, in, one(2), inbox.Applied)
		seqs, m := applied(t, s)
		require.Equal(t, []int64{1, 2, 3, 4}, seqs)
		require.Zero(t, m.Gaps)
		sweep(t, in, inbox.Swept{})
	})
}

// TestStartAnywhere: a new subscriber has nothing to wait for, by its own wish alone.
func TestStartAnywhere(t *testing.T) {
	t.Parallel()
	for _, policy := range []inbox.Policy{inbox.Snapshot, inbox.Strict} {
		synctest.Test(t, func(t *testing.T) {
			s := &inboxtest.MemStore{}
			in := inbox.New(s, list, inbox.Options{Policy: policy, StartAnywhere: true})
			expect(t, in, one(4), inbox.Applied)
			expect(t, in, one(6), inbox.Stored)
			expect(t, in, one(5), inbox.Applied)
			seqs, m := applied(t, s)
			require.Equal(t, []int64{4, 5, 6}, seqs)
			require.Zero(t, m.Gaps)
		})
	}
}

// TestACopyOfAStoredEventWaitsForNothing: its message would only keep a call busy.
func TestACopyOfAStoredEventWaitsForNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, list, inbox.Options{})
		expect(t, in, one(3), inbox.Stored)
		start := time.Now()
		expect(t, in, one(3), inbox.Duplicate)
		require.Zero(t, time.Since(start))
	})
}

// TestManyEarlyOnes: they go in pieces that the store takes.
func TestManyEarlyOnes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, list, inbox.Options{MaxWaiting: -1})
		for seq := int64(400); seq > 1; seq-- {
			expect(t, in, one(seq), inbox.Stored)
		}
		require.NoError(t, s.Check())
		expect(t, in, one(1), inbox.Applied)
		time.Sleep(time.Hour)
		synctest.Wait()
		for range 2 {
			_, err := in.Sweep(t.Context())
			require.NoError(t, err)
		}
		seqs, m := applied(t, s)
		require.Len(t, seqs, 400)
		require.IsIncreasing(t, seqs)
		require.Zero(t, m.Gaps)
		require.NoError(t, s.Check())
	})
}

// TestAnEarlyEventThatCannotBeApplied: its message is gone, so it is kept for people. It blocks
// its key for no longer than a missing one would.
func TestAnEarlyEventThatCannotBeApplied(t *testing.T) {
	t.Parallel()
	broken := errors.New("no such thing")
	for name, row := range map[string]struct {
		policy inbox.Policy
		mended bool
		cache  int
		want   []int64
		swept  inbox.Swept
	}{
		"snapshot":            {inbox.Snapshot, false, 0, []int64{1, 3}, inbox.Swept{Keys: 1}},
		"strict":              {inbox.Strict, false, 0, []int64{1}, inbox.Swept{Keys: 1, Blocked: 1}},
		"mended meanwhile":    {inbox.Strict, true, 0, []int64{1, 2, 3}, inbox.Swept{Keys: 1}},
		"mended, and is read": {inbox.Strict, true, -1, []int64{1, 2, 3}, inbox.Swept{Keys: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &inboxtest.MemStore{}
				mended := false
				var told []inbox.Signal
				in := inbox.New(s, func(m json.RawMessage, e inbox.Event) (json.RawMessage, error) {
					if e.Seq == 2 && !mended {
						return nil, broken
					}
					return list(m, e)
				}, inbox.Options{Policy: row.policy, CacheBytes: row.cache, Observer: func(s inbox.Signal) { told = append(told, s) }})
				expect(t, in, one(2), inbox.Stored)
				expect(t, in, one(3), inbox.Stored)
				expect(t, in, one(1), inbox.Applied)
				seqs, _ := applied(t, s)
				require.Equal(t, []int64{1}, seqs)
				synctest.Wait()
				told = nil
				time.Sleep(time.Hour)
				synctest.Wait()
				mended = row.mended
				sweep(t, in, row.swept)
				if row.mended {
					require.Empty(t, told, "nothing is missing")
				}
				seqs, m := applied(t, s)
				require.Equal(t, row.want, seqs)
				if row.policy == inbox.Snapshot {
					require.Len(t, s.Refused("k"), 1)
					require.Contains(t, s.Refused("k")[0].Reason, broken.Error())
					require.EqualValues(t, 1, m.Gaps)
					require.IsType(t, inbox.GaveUp{}, told[0])
					expect(t, in, one(2), inbox.Stale)
				} else {
					require.Empty(t, s.Refused("k"))
				}
				require.NoError(t, s.Check())
			})
		})
	}
}

// TestEarlyOnesThatTheModelDoesNotKnow: a consumer of another version has rewritten it.
func TestEarlyOnesThatTheModelDoesNotKnow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		var told []inbox.Signal
		in := inbox.New(s, list, inbox.Options{Observer: func(s inbox.Signal) { told = append(told, s) }})
		expect(t, in, one(1), inbox.Applied)
		for _, seq := range []int64{3, 4, 6} {
			expect(t, in, one(seq), inbox.Stored)
		}
		m, err := s.Load(t.Context(), "k")
		require.NoError(t, err)
		m.LastSeq, m.Early, m.Data = 3, nil, json.RawMessage("[1,2,3]")
		_, err = s.Commit(t.Context(), inbox.Change{Model: m})
		require.NoError(t, err)
		time.Sleep(time.Hour)
		synctest.Wait()
		told = nil
		_, err = in.Sweep(t.Context())
		require.NoError(t, err)
		require.Equal(t, []inbox.Signal{inbox.Jumped{Event: one(6), Missing: 1}}, told, "3 has had its effect, and is not late")
		seqs, m := applied(t, s)
		require.Equal(t, []int64{1, 2, 3, 4, 6}, seqs)
		require.EqualValues(t, 1, m.Gaps)
		require.NoError(t, s.Check())
	})
}

func TestSweepTellsItsFaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, list, inbox.Options{Hold: time.Second})
		expect(t, in, one(2), inbox.Stored)
		time.Sleep(time.Hour)
		synctest.Wait()
		for _, op := range []string{"waiting", "early", "commit"} {
			s.Before = failing(op)
			_, err := in.Sweep(t.Context())
			require.ErrorIs(t, err, away, op)
		}
		s.Before = nil
		sweep(t, in, inbox.Swept{Keys: 1})
		seqs, _ := applied(t, s)
		require.Equal(t, []int64{2}, seqs)
	})
}

// TestAWaitDoesNotEndInAnOutage of the broker or the store, nor right after one: what could not
// come meanwhile comes then.
func TestAWaitDoesNotEndInAnOutage(t *testing.T) {
	t.Parallel()
	away := errors.New("away")
	for name, c := range map[string]struct {
		broker, store time.Duration // how long they are away, from the start
		every         time.Duration // sweeps
		ends, latest  time.Duration // of the wait
	}{
		"all is well":       {0, 0, 30 * time.Second, 4 * time.Minute, 5 * time.Minute},
		"broker":            {10 * time.Minute, 0, 30 * time.Second, 11 * time.Minute, 12 * time.Minute},
		"store":             {0, 10 * time.Minute, 30 * time.Second, 11 * time.Minute, 12 * time.Minute},
		"sweeps are seldom": {0, 0, time.Hour, 2 * time.Hour, 2*time.Hour + time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				s := &inboxtest.MemStore{}
				in := inbox.New(s, list, inbox.Options{Reach: func(context.Context) error {
					if time.Since(start) < c.broker {
						return away
					}
					return nil
				}})
				expect(t, in, one(1), inbox.Applied)
				expect(t, in, one(3), inbox.Stored)
				s.Before = func(_ context.Context, op string) error {
					if op == "waiting" && time.Since(start) < c.store {
						return away
					}
					return nil
				}
				for time.Since(start) < 30*time.Hour {
					time.Sleep(c.every)
					swept, err := in.Sweep(t.Context())
					if time.Since(start) < c.store {
						require.Error(t, err)
						continue
					}
					require.NoError(t, err)
					m, err := s.Load(t.Context(), "k")
					require.NoError(t, err)
					if m.LastSeq == 3 {
						require.False(t, swept.Patient)
						require.GreaterOrEqual(t, time.Since(start), c.ends)
						require.LessOrEqual(t, time.Since(start), c.latest)
						return
					}
				}
				require.Equal(t, c.latest, 30*time.Hour, "it never ends")
			})
		})
	}
}

// TestOneKeyThatFailsKeepsNobodyWaiting: it says nothing about the broker or the store.
func TestOneKeyThatFailsKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, list, inbox.Options{Reach: func(context.Context) error { return nil }})
		other := one(3)
		other.Key = "broken"
		expect(t, in, other, inbox.Stored)
		expect(t, in, one(1), inbox.Applied)
		expect(t, in, one(3), inbox.Stored)
		in = inbox.New(unreadable{s}, list, inbox.Options{Reach: func(context.Context) error { return nil }})
		for range 8 {
			time.Sleep(time.Minute)
			_, _ = in.Sweep(t.Context())
		}
		m, err := s.Load(t.Context(), "k")
		require.NoError(t, err)
		require.EqualValues(t, 3, m.LastSeq)
	})
}

// TestCalmIsNoLongerThanALock, however long the wait is: a process does not live for ever.
func TestCalmIsNoLongerThanALock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, list, inbox.Options{EarlyWait: 24 * time.Hour, Reach: func(context.Context) error { return nil }})
		expect(t, in, one(1), inbox.Applied)
		expect(t, in, one(3), inbox.Stored)
		time.Sleep(24*time.Hour + time.Minute)
		for range 6 {
			sweep(t, in, inbox.Swept{Keys: 1, Patient: true})
			time.Sleep(time.Minute - time.Second)
		}
		sweep(t, in, inbox.Swept{Keys: 1})
		_, m := applied(t, s)
		require.EqualValues(t, 3, m.LastSeq)
	})
}

// TestAnOutageBeginsCalmAnew: the time before it does not count.
func TestAnOutageBeginsCalmAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		var away error
		in := inbox.New(s, list, inbox.Options{EarlyWait: 3 * time.Minute, Reach: func(context.Context) error { return away }})
		expect(t, in, one(1), inbox.Applied)
		expect(t, in, one(3), inbox.Stored)
		look := func(after time.Duration, patient bool) {
			t.Helper()
			time.Sleep(after)
			sweep(t, in, inbox.Swept{Keys: 1, Patient: patient})
		}
		look(4*time.Minute, true) // the first one knows nothing
		look(59*time.Second, true)
		away = errors.New("away")
		look(time.Minute, true)
		away = nil
		look(time.Second, true)
		look(59*time.Second, true)
		look(time.Second, false)
		_, m := applied(t, s)
		require.EqualValues(t, 3, m.LastSeq)
	})
}

// unreadable has a key that nobody can read.
type unreadable struct{ *inboxtest.MemStore }

func (s unreadable) Load(ctx context.Context, key string) (inbox.Model, error) {
	if key == "broken" {
		return inbox.Model{}, errors.New("the document is no JSON")
	}
	return s.MemStore.Load(ctx, key)
}

// paged shows its waiting keys as other stores may: in pages, one of them twice.
type paged struct {
	*inboxtest.MemStore
	pages int
	fault error // behind the last page
}

func (s *paged) Waiting(ctx context.Context, before time.Time, visit func(keys []string) error) error {
	return s.MemStore.Waiting(ctx, before, func(keys []string) error {
		for _, page := range [][]string{keys[:1], keys} {
			s.pages++
			if err := visit(page); err != nil {
				return err
			}
		}
		return s.fault
	})
}

// TestASweepOfManyKeys: a few of them at a time, and each once.
func TestASweepOfManyKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &paged{MemStore: &inboxtest.MemStore{}}
		in := inbox.New(s, list, inbox.Options{})
		var wg sync.WaitGroup
		for n := range 50 {
			e := one(3)
			e.Key = fmt.Sprint("k", n)
			wg.Go(func() { expect(t, in, e, inbox.Stored) })
		}
		wg.Wait()
		time.Sleep(time.Hour)
		synctest.Wait()
		var mu sync.Mutex
		under, most := 0, 0
		step := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			under += by
			most = max(most, under)
		}
		s.Before = func(_ context.Context, op string) error {
			if op == "commit" {
				step(1)
				time.Sleep(time.Second)
				step(-1)
			}
			return nil
		}
		sweep(t, in, inbox.Swept{Keys: 50})
		require.Equal(t, 16, most)
	})
}

// TestASweepThatIsCut goes to no further page.
func TestASweepThatIsCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &paged{MemStore: &inboxtest.MemStore{}}
		in := inbox.New(s, list, inbox.Options{})
		expect(t, in, one(3), inbox.Stored)
		time.Sleep(time.Hour)
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s.Before = func(_ context.Context, op string) error {
			if op == "commit" {
				cancel()
			}
			return nil
		}
		_, err := in.Sweep(ctx)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, 1, s.pages)
	})
}

// TestWhatSweepsHaveNotSeenIsNoCalm: the store was away, or nobody waited, so that nobody asked.
func TestWhatSweepsHaveNotSeenIsNoCalm(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(*testing.T, *paged, *inbox.Inbox){
		"the store was away": func(t *testing.T, s *paged, in *inbox.Inbox) {
			s.Before = failing("waiting")
			_, err := in.Sweep(t.Context())
			require.ErrorIs(t, err, away)
			s.Before = nil
		},
		"and away in the middle": func(t *testing.T, s *paged, in *inbox.Inbox) {
			s.fault = away
			_, err := in.Sweep(t.Context())
			require.ErrorIs(t, err, away)
			s.fault = nil
		},
		"nobody waited": func(t *testing.T, _ *paged, in *inbox.Inbox) {
			expect(t, in, one(2), inbox.Applied)
			expect(t, in, one(5), inbox.Stored)
			sweep(t, in, inbox.Swept{})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &paged{MemStore: &inboxtest.MemStore{}}
				in := inbox.New(s, list, inbox.Options{EarlyWait: 3 * time.Minute, Reach: func(context.Context) error { return nil }})
				expect(t, in, one(1), inbox.Applied)
				expect(t, in, one(3), inbox.Stored)
				time.Sleep(4 * time.Minute)
				sweep(t, in, inbox.Swept{Keys: 1, Patient: true})
				meanwhile(t, s, in)
				time.Sleep(4 * time.Minute)
				sweep(t, in, inbox.Swept{Keys: 1, Patient: true})
				time.Sleep(time.Minute)
				sweep(t, in, inbox.Swept{Keys: 1})
			})
		})
	}
}

// TestAnEarlyOneBehindAGapThatCannotBeApplied is given up with the gap, and blocks nothing.
func TestAnEarlyOneBehindAGapThatCannotBeApplied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, unable(3, errors.New("no such thing")), inbox.Options{})
		expect(t, in, one(1), inbox.Applied)
		expect(t, in, one(3), inbox.Stored)
		time.Sleep(time.Hour)
		sweep(t, in, inbox.Swept{Keys: 1})
		require.Len(t, s.Refused("k"), 1)
		expect(t, in, one(4), inbox.Applied)
	})
}

// TestStrictTellsInAnOutageToo: nobody's wait ends, so there is nothing to be patient for.
func TestStrictTellsInAnOutageToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []inbox.Signal
		in := inbox.New(&inboxtest.MemStore{}, list, inbox.Options{
			Policy: inbox.Strict, Reach: func(context.Context) error { return away }, Observer: func(s inbox.Signal) { told = append(told, s) },
		})
		expect(t, in, one(1), inbox.Applied)
		expect(t, in, one(3), inbox.Stored)
		since := time.Now().UTC()
		require.Equal(t, []inbox.Signal{inbox.Waits{Event: one(3), For: 2}}, told)
		time.Sleep(time.Hour)
		told = nil
		sweep(t, in, inbox.Swept{Keys: 1, Blocked: 1, Patient: true})
		require.Equal(t, []inbox.Signal{inbox.Blocked{Key: "k", For: 2, Waiting: 1, Since: since}}, told)
	})
}

// TestStrictIsNotLoudAtOnce about an event that came a moment ago and cannot be applied, however
// long the one behind it has waited.
func TestStrictIsNotLoudAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in := inbox.New(&inboxtest.MemStore{}, unable(2, errors.New("no such thing")), inbox.Options{Policy: inbox.Strict})
		expect(t, in, one(3), inbox.Stored)
		time.Sleep(time.Hour)
		expect(t, in, one(2), inbox.Stored)
		expect(t, in, one(1), inbox.Applied)
		synctest.Wait()
		sweep(t, in, inbox.Swept{Keys: 1})
	})
}

// TestWhoComesLaterKeepsNoWait: only what comes before the early event does.
func TestWhoComesLaterKeepsNoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, list, inbox.Options{})
		expect(t, in, one(1), inbox.Applied)
		expect(t, in, one(3), inbox.Stored)
		time.Sleep(time.Hour)
		synctest.Wait()
		var wg sync.WaitGroup
		wg.Go(func() { expect(t, in, one(5), inbox.Stored) })
		synctest.Wait()
		sweep(t, in, inbox.Swept{Keys: 1})
		wg.Wait()
		seqs, _ := applied(t, s)
		require.Equal(t, []int64{1, 3}, seqs)
	})
}
