package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
)

// busy keeps the lane of key k alive for a minute: an event far ahead waits in memory.
func busy(t *testing.T, in *inbox.Inbox) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = in.Once(ctx, one(1000)) })
	t.Cleanup(func() { cancel(); wg.Wait() })
	synctest.Wait()
}

// long lets events wait in memory for longer than any of these tests takes.
var long = inbox.Options{Wait: time.Hour, Hold: 3 * time.Hour}

// TestWhatWasCommittedIsKnown: the next round of the key reads nothing, not even for an answer
// without a commit.
func TestWhatWasCommittedIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, asked := counted()
		in := inbox.New(s, list, inbox.Options{})
		count := s.Before
		s.Before = func(ctx context.Context, op string) error {
			time.Sleep(time.Second)
			return count(ctx, op)
		}
		var wg sync.WaitGroup
		wg.Go(func() { expect(t, in, one(1), inbox.Applied) })
		synctest.Wait()
		expect(t, in, one(1), inbox.Duplicate)
		wg.Wait()
		require.Equal(t, "commit", asked())
	})
}

// TestALostAnswerIsLookedInto: the model is read before anything else is tried, and is nobody
// else's doing.
func TestALostAnswerIsLookedInto(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, asked := counted()
		in := inbox.New(s, list, inbox.Options{})
		for seq := int64(1); seq <= 2; seq++ {
			lost := false
			s.After = func(_ context.Context, op string) error {
				if op == "commit" && !lost {
					lost = true
					return away
				}
				return nil
			}
			expect(t, in, one(seq), inbox.Duplicate)
			require.Equal(t, "commit load", asked())
		}
		expect(t, in, one(3), inbox.Applied)
		require.Equal(t, "commit", asked(), "a bet, as before")
	})
}

// TestWhatGoesWellBeginsAnew: conflicts and faults count in a row.
func TestWhatGoesWellBeginsAnew(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		op    string
		fault error
		row   int64 // of faults, again and again
		tries []int // that are told
	}{
		"conflicts":         {"commit", inbox.ErrConflict, 20, nil},
		"faults of commits": {"commit", away, 2, []int{1, 2, 1, 2, 1, 2}},
		"faults of looks":   {"load", away, 2, []int{1, 2, 1, 2, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var left atomic.Int64
				s := &inboxtest.MemStore{Before: func(_ context.Context, op string) error {
					if op == c.op && left.Add(-1) >= 0 {
						return c.fault
					}
					return nil
				}}
				var mu sync.Mutex
				var tries []int
				opts := long
				opts.Observer = func(s inbox.Signal) {
					mu.Lock()
					defer mu.Unlock()
					tries = append(tries, s.(inbox.Held).Try)
				}
				in := inbox.New(s, list, opts)
				busy(t, in)
				for seq := range int64(3) {
					left.Store(c.row)
					if c.op == "commit" {
						expect(t, in, one(seq+1), inbox.Applied)
						continue
					}
					time.Sleep(time.Minute) // it looks whether the predecessor came
				}
				mu.Lock()
				defer mu.Unlock()
				require.Equal(t, c.tries, tries)
			})
		})
	}
}

// TestALookIsSeldom: an event that waits in memory has others look less and less often.
func TestALookIsSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		loads := 0
		s := &inboxtest.MemStore{Before: func(_ context.Context, op string) error {
			if op == "load" {
				loads++
			}
			return nil
		}}
		expect(t, inbox.New(s, list, inbox.Options{}), one(2), inbox.Stored)
		require.Greater(t, loads, 4)
		require.Less(t, loads, 25)
	})
}

// TestWhatIsAwayForTooLong is given back at once: its caller would wait for nothing.
func TestWhatIsAwayForTooLong(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]error{
		"longer than it is held": &inbox.Transient{Op: "load", RetryAfter: time.Hour, Err: errors.New("429")},
		"for good":               errTooLarge,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &inboxtest.MemStore{Before: func(_ context.Context, op string) error {
					if op == "load" {
						return fault
					}
					return nil
				}}
				begun := time.Now()
				_, err := inbox.New(s, list, inbox.Options{}).Once(t.Context(), event(7))
				require.ErrorIs(t, err, fault)
				require.Zero(t, time.Since(begun))
			})
		})
	}
}

// TestARoundIsAsPatientAsItsCalls: a sweep that gives up soon does not cut what an event waits for.
func TestARoundIsAsPatientAsItsCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, list, inbox.Options{})
		expect(t, in, one(3), inbox.Stored)
		time.Sleep(time.Hour)
		synctest.Wait()
		commits := 0
		s.Before = func(ctx context.Context, op string) error {
			if op != "commit" {
				return nil
			}
			if commits++; commits == 1 {
				return &inbox.Transient{Op: op, RetryAfter: 10 * time.Second, Err: errors.New("429")}
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Minute):
				return nil
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { expect(t, in, one(1), inbox.Applied) })
		time.Sleep(time.Second)
		_, err := in.Sweep(t.Context())
		require.Error(t, err)
		wg.Wait()
		require.Equal(t, 2, commits)
	})
}

// TestARunThatIsRefusedGoesInPieces, one event each, and what comes behind it goes together again.
func TestARunThatIsRefusedGoesInPieces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &picky{MemStore: &inboxtest.MemStore{}}
		var sizes []int64
		last := int64(0)
		s.refuses = func(c inbox.Change) bool {
			sizes = append(sizes, c.Model.LastSeq-last)
			if len(sizes) <= 2 { // once as a bet, and once as what was read
				return true
			}
			last = c.Model.LastSeq
			return false
		}
		in := inbox.New(s, list, long)
		busy(t, in)
		run := func(from, to int64) {
			var wg sync.WaitGroup
			for seq := to; seq >= from; seq-- {
				wg.Go(func() { expect(t, in, one(seq), inbox.Applied) })
				synctest.Wait() // in memory, but for the last
			}
			wg.Wait()
		}
		run(1, 4)
		run(5, 8)
		require.Equal(t, []int64{4, 4, 1, 1, 1, 1, 4}, sizes)
	})
}

// TestOneOfTwoDoesNotFit: the other one has its effect.
func TestOneOfTwoDoesNotFit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &picky{MemStore: &inboxtest.MemStore{}, refuses: func(c inbox.Change) bool { return has(c, 2) }}
		in := inbox.New(s, list, inbox.Options{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := in.Once(t.Context(), one(2))
			require.ErrorIs(t, err, errTooLarge)
		})
		synctest.Wait()
		expect(t, in, one(1), inbox.Applied)
		wg.Wait()
	})
}

// TestWhatDidNotFitIsJudgedAnew for its next copy, on the model of then.
func TestWhatDidNotFitIsJudgedAnew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &picky{MemStore: &inboxtest.MemStore{}, refuses: func(inbox.Change) bool { return false }}
		for seq := range int64(3) {
			expect(t, inbox.New(s, list, inbox.Options{}), one(seq+1), inbox.Applied)
		}
		m, err := s.Load(t.Context(), "k")
		require.NoError(t, err)
		m.Data = json.RawMessage("[]")
		both := make(chan struct{})
		s.refuses = func(c inbox.Change) bool {
			if len(c.Model.Data) <= 8 {
				return false
			}
			<-both
			_, _ = s.MemStore.Commit(t.Context(), inbox.Change{Model: m}) // a twin makes it shorter, once
			return true
		}
		in := inbox.New(s, list, inbox.Options{})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := in.Once(t.Context(), one(4))
			require.ErrorIs(t, err, errTooLarge)
		})
		synctest.Wait()
		wg.Go(func() { expect(t, in, one(4), inbox.Applied) })
		synctest.Wait()
		close(both)
		wg.Wait()
	})
}

// TestARefusalThatTheStoreWillNotHave ends with an error for whoever is in hand, not with one
// commit after another.
func TestARefusalThatTheStoreWillNotHave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &picky{MemStore: &inboxtest.MemStore{}, refuses: func(c inbox.Change) bool { return len(c.Refuse) > 0 }}
		in := inbox.New(s, unable(2, errors.New("no such thing")), inbox.Options{})
		expect(t, in, one(2), inbox.Stored)
		expect(t, in, one(1), inbox.Applied)
		time.Sleep(time.Hour)
		synctest.Wait()
		s.commits = 0
		_, err := in.Once(t.Context(), one(5))
		require.ErrorIs(t, err, errTooLarge)
		require.Equal(t, 1, s.commits)
	})
}

// TestWhoArrivesMeanwhileIsNotKeptWaiting: the round that it came too late for looks no further.
func TestWhoArrivesMeanwhileIsNotKeptWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{Before: func(_ context.Context, op string) error {
			if op == "load" {
				time.Sleep(time.Second)
			}
			return nil
		}}
		in := inbox.New(s, list, inbox.Options{})
		begun := time.Now()
		var wg sync.WaitGroup
		wg.Go(func() { expect(t, in, one(2), inbox.Applied) })
		synctest.Wait()
		expect(t, in, one(1), inbox.Applied)
		wg.Wait()
		require.Equal(t, time.Second, time.Since(begun))
	})
}

// TestWhoHasLeftIsNotTold of what becomes of the others.
func TestWhoHasLeftIsNotTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		loads := 0
		in := inbox.New(&inboxtest.MemStore{Before: func(_ context.Context, op string) error {
			if loads++; loads < 5 {
				return nil
			}
			cancel()
			synctest.Wait()
			return errTooLarge
		}}, list, long)
		var wg sync.WaitGroup
		for _, row := range []struct {
			ctx  context.Context
			seq  int64
			want error
		}{{ctx, 8, context.Canceled}, {t.Context(), 9, errTooLarge}} {
			wg.Go(func() {
				_, err := in.Once(row.ctx, one(row.seq))
				require.ErrorIs(t, err, row.want)
			})
			synctest.Wait()
		}
		wg.Wait()
	})
}

// TestAChangeIsNoLargerThanStoresTake, in documents and in bytes.
func TestAChangeIsNoLargerThanStoresTake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		operations, bytes := 0, 0
		s := &picky{MemStore: &inboxtest.MemStore{}, refuses: func(c inbox.Change) bool {
			operations = max(operations, c.Operations())
			added := 0
			for _, e := range c.Add {
				added += len(e.Event.Data)
			}
			bytes = max(bytes, added)
			return false
		}}
		in := inbox.New(s, list, inbox.Options{MaxWaiting: 1000})
		var wg sync.WaitGroup
		for seq := int64(2); seq <= 200; seq++ { // all wait, and are stored at the same moment
			e := one(seq)
			if seq > 190 {
				e.Data = append(append(json.RawMessage(`"`), make([]byte, 300<<10)...), '"')
			}
			wg.Go(func() { expect(t, in, e, inbox.Stored) })
		}
		wg.Wait()
		require.Equal(t, 90, operations)
		require.Greater(t, bytes, 1<<20)
		require.Less(t, bytes, 1<<20+301<<10)
		operations = 0
		expect(t, in, one(1), inbox.Applied)
		synctest.Wait()
		require.Equal(t, 90, operations)
		seqs, _ := applied(t, s)
		require.Len(t, seqs, 200)
	})
}

// inOneRound puts the events into the key's lane while its model is read, in this order, and
// returns what became of each.
func inOneRound(t *testing.T, s *inboxtest.MemStore, in *inbox.Inbox, events ...inbox.Event) []inbox.Outcome {
	t.Helper()
	before := s.Before
	gate := make(chan struct{})
	s.Before = func(_ context.Context, op string) error {
		if op == "load" {
			<-gate
		}
		return nil
	}
	outcomes := make([]inbox.Outcome, len(events))
	var wg sync.WaitGroup
	wg.Go(func() { expect(t, in, one(1), inbox.Duplicate) }) // it has the model read
	synctest.Wait()
	for n, e := range events {
		wg.Go(func() {
			var err error
			outcomes[n], err = in.Once(t.Context(), e)
			require.NoError(t, err)
		})
		synctest.Wait()
	}
	s.Before = before
	close(gate)
	wg.Wait()
	return outcomes
}

// TestTheEarlierLifeGoesFirst: else what it has in hand would come too late.
func TestTheEarlierLifeGoesFirst(t *testing.T) {
	t.Parallel()
	earlier, later := one(2), of("b", 1, 2, 1)
	for _, events := range [][]inbox.Event{{earlier, later}, {later, earlier}} {
		synctest.Test(t, func(t *testing.T) {
			s := &inboxtest.MemStore{}
			expect(t, inbox.New(s, list, inbox.Options{}), one(1), inbox.Applied)
			in := inbox.New(s, list, inbox.Options{CacheBytes: -1})
			require.Equal(t, []inbox.Outcome{inbox.Applied, inbox.Applied}, inOneRound(t, s, in, events...))
		})
	}
}

// TestEarlyOnesAndThoseInHandAreOneWrite, as they follow each other.
func TestEarlyOnesAndThoseInHandAreOneWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, asked := counted()
		in := inbox.New(s, list, inbox.Options{})
		expect(t, in, one(1), inbox.Applied)
		for _, seq := range []int64{3, 4, 6} {
			expect(t, in, one(seq), inbox.Stored)
		}
		var wg sync.WaitGroup
		wg.Go(func() { expect(t, in, one(5), inbox.Applied) })
		synctest.Wait()
		asked()
		expect(t, in, one(2), inbox.Applied)
		wg.Wait()
		require.Equal(t, "early commit", asked())
	})
}

// TestAnEarlyOneOfAnotherLife has the number that is due, but nothing to do with it.
func TestAnEarlyOneOfAnotherLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, func(m json.RawMessage, e inbox.Event) (json.RawMessage, error) {
			return append(append(m, ' '), e.ID...), nil
		}, inbox.Options{})
		expect(t, in, one(1), inbox.Applied)
		expect(t, in, one(3), inbox.Stored)
		expect(t, in, of("b", 2, 2, 3), inbox.Stored)
		expect(t, in, of("b", 2, 2, 2), inbox.Applied)
		m, err := s.Load(t.Context(), "k")
		require.NoError(t, err)
		require.Equal(t, " a-1 b-2 b-3", string(m.Data))
	})
}

// TestAnErrorIsNotTakenFromWhatIsNotStored: the batch that it rests on may be in vain.
func TestAnErrorIsNotTakenFromWhatIsNotStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		expect(t, inbox.New(s, list, inbox.Options{}), one(1), inbox.Applied)
		m, err := s.Load(t.Context(), "k")
		require.NoError(t, err)
		m.Data = json.RawMessage("[7]")
		twin := false
		s.Before = func(ctx context.Context, op string) error {
			if op == "commit" && !twin {
				twin = true
				_, err := s.Commit(ctx, inbox.Change{Model: m})
				require.NoError(t, err)
			}
			return nil
		}
		in := inbox.New(s, func(m json.RawMessage, e inbox.Event) (json.RawMessage, error) {
			if string(m) == "[1,2]" {
				return nil, errors.New("not on this one")
			}
			return list(m, e)
		}, inbox.Options{})
		require.Equal(t, []inbox.Outcome{inbox.Applied, inbox.Applied}, inOneRound(t, s, in, one(2), one(3)))
		seqs, _ := applied(t, s)
		require.Equal(t, []int64{7, 2, 3}, seqs)
	})
}

// TestAReasonIsShort: it is stored, and quotes whatever the consumer's error quotes.
func TestAReasonIsShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, unable(2, errors.New(strings.Repeat("ä", 1000))), inbox.Options{})
		expect(t, in, one(2), inbox.Stored)
		expect(t, in, one(1), inbox.Applied)
		time.Sleep(time.Hour)
		synctest.Wait()
		sweep(t, in, inbox.Swept{Keys: 1})
		expect(t, in, one(2), inbox.Stale)
		reason := s.Refused("k")[0].Reason
		require.Greater(t, len(reason), 490)
		require.LessOrEqual(t, len(reason), 500+len("…"))
		require.True(t, strings.HasSuffix(reason, "ä…"))
	})
}

// TestACopyBesideAnEventThatDoesNotFit is answered for itself.
func TestACopyBesideAnEventThatDoesNotFit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &picky{MemStore: &inboxtest.MemStore{}, refuses: func(c inbox.Change) bool { return has(c, 2) }}
		expect(t, inbox.New(s, list, inbox.Options{}), one(1), inbox.Applied)
		in := inbox.New(s, list, inbox.Options{CacheBytes: -1})
		gate := make(chan struct{})
		s.Before = func(_ context.Context, op string) error {
			if op == "load" {
				<-gate
			}
			return nil
		}
		var wg sync.WaitGroup
		for range 2 { // the second one shares its round with 2
			wg.Go(func() { expect(t, in, one(1), inbox.Duplicate) })
			synctest.Wait()
		}
		wg.Go(func() {
			_, err := in.Once(t.Context(), one(2))
			require.ErrorIs(t, err, errTooLarge)
		})
		synctest.Wait()
		close(gate)
		wg.Wait()
	})
}
