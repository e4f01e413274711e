package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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

// counted is a store with a tally of what it was asked.
func counted() (*inboxtest.MemStore, func() string) {
	var mu sync.Mutex
	var ops []string
	s := &inboxtest.MemStore{Before: func(_ context.Context, op string) error {
		mu.Lock()
		defer mu.Unlock()
		ops = append(ops, op)
		return nil
	}}
	return s, func() string {
		mu.Lock()
		defer mu.Unlock()
		defer func() { ops = nil }()
		return strings.Join(ops, " ")
	}
}

// one is event seq of the one incarnation that most tests know.
func one(seq int64) inbox.Event { return of("a", 1, 1, seq) }

func expect(t *testing.T, in *inbox.Inbox, e inbox.Event, want inbox.Outcome) {
	t.Helper()
	got, err := in.Once(t.Context(), e)
	require.NoError(t, err)
	require.Equal(t, want, got, "event %d", e.Seq)
}

// apart is expect where the next event must find the lane of this one ended.
func apart(t *testing.T, in *inbox.Inbox, e inbox.Event, want inbox.Outcome) {
	t.Helper()
	expect(t, in, e, want)
	synctest.Wait()
}

// TestRequestsOfAnEvent: a key that is known costs one write, and only what needs to be sure
// costs a read.
func TestRequestsOfAnEvent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, asked := counted()
		here, there := inbox.New(s, list, inbox.Options{}), inbox.New(s, list, inbox.Options{})
		apart(t, here, one(1), inbox.Applied)
		require.Equal(t, "commit", asked(), "the first event of all finds no model, most likely")
		apart(t, inbox.New(s, list, inbox.Options{}), one(1), inbox.Duplicate)
		require.Equal(t, "commit load", asked(), "but a copy of it does, elsewhere")
		apart(t, here, one(2), inbox.Applied)
		require.Equal(t, "commit", asked(), "a bet that is won")
		apart(t, here, one(2), inbox.Duplicate)
		require.Equal(t, "load", asked(), "an answer without a commit")
		apart(t, there, one(3), inbox.Applied)
		require.Equal(t, "load commit", asked(), "nothing is known there")
		apart(t, here, one(4), inbox.Applied)
		require.Equal(t, "load commit", asked(), "the event does not fit what is known here")
		apart(t, there, one(4), inbox.Duplicate)
		require.Equal(t, "commit load", asked(), "a bet that is lost")
		expect(t, there, one(1), inbox.Duplicate)
		require.Equal(t, "load", asked(), "there is a model, whatever it is")
		before := time.Now()
		apart(t, here, one(5), inbox.Applied)
		require.Contains(t, []string{"load commit", "commit"}, asked())
		require.Zero(t, time.Since(before), "nobody is in anybody's way")
	})
}

// TestTheFirstEvent is bet on only where it is the first of all, and once.
func TestTheFirstEvent(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		e    inbox.Event
		want string
	}{
		"of all":                        {of("a", 1, 1, 1), "commit"},
		"of a source without lives":     {inbox.Event{Key: "k", Seq: 1, ID: "1"}, "commit"},
		"of a later life":               {of("b", 7, 7, 7), "load commit"},
		"of one without a number of it": {inbox.Event{Key: "k", Seq: 7, ID: "7"}, "load commit"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, asked := counted()
			expect(t, inbox.New(s, list, inbox.Options{}), row.e, inbox.Applied)
			require.Equal(t, row.want, asked())
		})
	}
}

// TestTheFirstEventOfALaterLife begins with number 1, where a model is.
func TestTheFirstEventOfALaterLife(t *testing.T) {
	t.Parallel()
	s, asked := counted()
	expect(t, inbox.New(s, list, inbox.Options{}), of("a", 1, 1, 1), inbox.Applied)
	asked()
	expect(t, inbox.New(s, list, inbox.Options{}), of("b", 1, 2, 1), inbox.Applied)
	require.Equal(t, "commit load commit", asked())
	m, err := s.Load(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, "b", m.Incarnation.ID)
}

// TestOutOfOrder: the model is read when an event is ahead, and not again when what was missing
// arrives, unless somebody else has written it.
func TestOutOfOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, asked := counted()
		in := inbox.New(s, list, inbox.Options{})
		later := func(seq int64) (ended func()) {
			var wg sync.WaitGroup
			wg.Go(func() { expect(t, in, one(seq), inbox.Applied) })
			synctest.Wait()
			return func() { wg.Wait(); synctest.Wait() } // the lane has ended, too
		}
		second := later(2)
		require.Equal(t, "load", asked())
		expect(t, in, one(1), inbox.Applied)
		second()
		require.Equal(t, "commit", asked(), "both at once")
		fourth := later(4)
		require.Equal(t, "load", asked())
		expect(t, in, one(3), inbox.Applied)
		fourth()
		require.Equal(t, "commit", asked())
		sixth := later(6)
		m, err := s.Load(t.Context(), "k")
		require.NoError(t, err)
		_, err = s.Commit(t.Context(), inbox.Change{Model: m}) // somebody rewrites it
		require.NoError(t, err)
		asked()
		expect(t, in, one(5), inbox.Applied)
		sixth()
		require.Equal(t, "commit load commit", asked())
	})
}

// TestALostBet: the event fits what is kept, but the model has moved. It costs a request and no
// time.
func TestALostBet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, asked := counted()
		in := inbox.New(s, list, inbox.Options{Observer: func(s inbox.Signal) { t.Errorf("%#v", s) }})
		apart(t, in, one(1), inbox.Applied)
		m, err := s.Load(t.Context(), "k")
		require.NoError(t, err)
		_, err = s.Commit(t.Context(), inbox.Change{Model: m}) // somebody rewrites it
		require.NoError(t, err)
		asked()
		before := time.Now()
		apart(t, in, one(2), inbox.Applied)
		require.Equal(t, "commit load commit", asked())
		require.Zero(t, time.Since(before))
		apart(t, in, one(3), inbox.Applied)
		require.Equal(t, "load commit", asked(), "it is not bet on at once")
		apart(t, in, one(4), inbox.Applied)
		require.Equal(t, "commit", asked(), "nobody else has written it since")
	})
}

// TestARunIsOneWrite: 64 events of one key in hand, in any order, beside other keys.
func TestARunIsOneWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, asked := counted()
		in := inbox.New(s, list, inbox.Options{MaxWaiting: 64})
		var wg sync.WaitGroup
		for seq := int64(64); seq > 1; seq-- {
			wg.Go(func() { expect(t, in, one(seq), inbox.Applied) })
		}
		synctest.Wait()
		before := time.Now()
		other := one(1)
		other.Key = "other"
		expect(t, in, other, inbox.Applied)
		require.Zero(t, time.Since(before), "nobody else waits")
		asked()
		expect(t, in, one(1), inbox.Applied)
		wg.Wait()
		require.Zero(t, time.Since(before), "its arrival wakes the others")
		require.LessOrEqual(t, strings.Count(asked(), "commit"), 2)
		seqs, _ := applied(t, s)
		require.Len(t, seqs, 64)
		require.IsIncreasing(t, seqs)
	})
}

// TestAPredecessorElsewhere: another process applies it while the event waits in memory.
func TestAPredecessorElsewhere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		here, there := inbox.New(s, list, inbox.Options{}), inbox.New(s, list, inbox.Options{})
		var wg sync.WaitGroup
		begun := time.Now()
		wg.Go(func() { expect(t, here, one(2), inbox.Applied) })
		time.Sleep(300 * time.Millisecond)
		expect(t, there, one(1), inbox.Applied)
		wg.Wait()
		require.Less(t, time.Since(begun), 600*time.Millisecond)
	})
}

// TestWaitingIsBounded: what finds no place is stored at once, and no call waits for long.
func TestWaitingIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, list, inbox.Options{MaxWaiting: 2, Wait: time.Second})
		for round := range int64(3) { // who has waited makes room
			begun := time.Now()
			var waited atomic.Int32
			var wg sync.WaitGroup
			for seq := int64(2); seq < 10; seq++ {
				e := one(seq)
				e.Key = fmt.Sprint("hot", seq, round)
				wg.Go(func() {
					expect(t, in, e, inbox.Stored)
					if time.Since(begun) > 0 {
						require.Equal(t, time.Second, time.Since(begun))
						waited.Add(1)
					}
				})
			}
			synctest.Wait()
			expect(t, in, one(round+1), inbox.Applied)
			require.Zero(t, time.Since(begun))
			wg.Wait()
			require.EqualValues(t, 2, waited.Load())
		}
		require.NoError(t, s.Check())
	})
}

// TestARefusedEventEndsTheRun: what comes before it is applied, what comes behind it waits.
func TestARefusedEventEndsTheRun(t *testing.T) {
	t.Parallel()
	broken := errors.New("no such thing")
	for name, refuse := range map[string]func(){"error": nil, "panic": func() { panic("boom") }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &inboxtest.MemStore{}
				in := inbox.New(s, func(m json.RawMessage, e inbox.Event) (json.RawMessage, error) {
					switch {
					case e.Seq != 3:
						return list(m, e)
					case refuse != nil:
						refuse()
					}
					return nil, broken
				}, inbox.Options{})
				var wg sync.WaitGroup
				want := map[int64]inbox.Outcome{2: inbox.Applied, 4: inbox.Stored, 5: inbox.Stored}
				for _, seq := range []int64{5, 4, 3, 2} {
					wg.Go(func() {
						if seq != 3 {
							expect(t, in, one(seq), want[seq])
							return
						}
						defer func() { require.Equal(t, refuse != nil, recover() != nil) }()
						_, err := in.Once(t.Context(), one(seq))
						require.ErrorIs(t, err, broken)
					})
				}
				synctest.Wait()
				expect(t, in, one(1), inbox.Applied)
				wg.Wait()
				seqs, m := applied(t, s)
				require.Equal(t, []int64{1, 2}, seqs)
				require.Equal(t, inbox.Numbers{}.With(4, 5), m.Early)
				require.NoError(t, s.Check())
			})
		})
	}
}

// TestARefusalIsNotBetOn: what is kept may be old, and the event may be fine.
func TestARefusalIsNotBetOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, asked := counted()
		in := inbox.New(s, func(m json.RawMessage, e inbox.Event) (json.RawMessage, error) {
			if string(m) == "[1]" && e.Seq == 2 {
				return nil, errors.New("not on this one")
			}
			return list(m, e)
		}, inbox.Options{})
		apart(t, in, one(1), inbox.Applied)
		m, err := s.Load(t.Context(), "k")
		require.NoError(t, err)
		m.Data = json.RawMessage("[7]")
		_, err = s.Commit(t.Context(), inbox.Change{Model: m})
		require.NoError(t, err)
		asked()
		expect(t, in, one(2), inbox.Applied)
		require.Equal(t, "load commit", asked())
	})
}

// TestOneOfTheRunDoesNotFit: the store refuses the batch for one of its events; the others get
// through.
func TestOneOfTheRunDoesNotFit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &unfit{MemStore: &inboxtest.MemStore{}}
		in := inbox.New(s, func(m json.RawMessage, e inbox.Event) (json.RawMessage, error) { // the last one's alone
			return json.Marshal(e.Seq)
		}, inbox.Options{})
		var wg sync.WaitGroup
		for seq := int64(2); seq <= 5; seq++ {
			wg.Go(func() {
				if seq == 3 {
					_, err := in.Once(t.Context(), one(seq))
					require.ErrorIs(t, err, errTooLarge)
					return
				}
				want := inbox.Stored
				if seq == 2 {
					want = inbox.Applied
				}
				expect(t, in, one(seq), want)
			})
		}
		synctest.Wait()
		expect(t, in, one(1), inbox.Applied)
		wg.Wait()
		m, err := s.Load(t.Context(), "k")
		require.NoError(t, err)
		require.EqualValues(t, 2, m.LastSeq)
		require.Equal(t, inbox.Numbers{}.With(4, 5), m.Early)
	})
}

var errTooLarge = errors.New("the model is too large")

// unfit refuses models with the effect of event 3 or a later one.
type unfit struct{ *inboxtest.MemStore }

func (s *unfit) Commit(ctx context.Context, c inbox.Change) (string, error) {
	if c.Model.LastSeq >= 3 {
		return "", errTooLarge
	}
	return s.MemStore.Commit(ctx, c)
}

// TestManyInboxes applies shuffled copies by several inboxes over a store that fails, loses
// answers and is slow, with sweeps in between: every event has one effect, in order.
func TestManyInboxes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			draw := func(n int) int {
				mu.Lock()
				defer mu.Unlock()
				return rng.IntN(n)
			}
			faults := func(context.Context, string) error {
				time.Sleep(time.Duration(draw(20)) * time.Millisecond)
				if draw(12) == 0 {
					return away
				}
				return nil
			}
			s := &inboxtest.MemStore{Before: faults, After: faults}
			var copies []inbox.Event
			for seq := int64(1); seq <= 30; seq++ {
				for range 1 + draw(3) {
					copies = append(copies, one(seq))
				}
			}
			reach := 1 + draw(12)
			for i := range copies { // disorder within reach
				j := min(len(copies)-1, i+draw(reach))
				copies[i], copies[j] = copies[j], copies[i]
			}
			var boxes []*inbox.Inbox
			for range 3 {
				boxes = append(boxes, inbox.New(s, list, inbox.Options{
					Wait: time.Duration(1+draw(100)) * time.Millisecond, MaxWaiting: 1 + draw(8), EarlyWait: time.Hour, CacheBytes: []int{-1, 0}[draw(2)],
				}))
			}
			var wg sync.WaitGroup
			next := 0
			for w := range 9 {
				wg.Go(func() {
					for {
						mu.Lock()
						if next == len(copies) {
							mu.Unlock()
							return
						}
						e := copies[next]
						next++
						mu.Unlock()
						for {
							if _, err := boxes[w%3].Once(t.Context(), e); err == nil {
								break
							}
						}
						if draw(20) == 0 {
							_, _ = boxes[w%3].Sweep(t.Context())
						}
					}
				})
			}
			wg.Wait()
			s.Before, s.After = nil, nil
			time.Sleep(2 * time.Hour) // whatever was stored early has its sweep
			_, err := boxes[0].Sweep(t.Context())
			require.NoError(t, err)
			seqs, m := applied(t, s)
			want := make([]int64, 30)
			for i := range want {
				want[i] = int64(i) + 1
			}
			require.True(t, slices.Equal(want, seqs), "seed %d: %v", seed, seqs)
			require.Zero(t, m.Gaps)
			require.NoError(t, s.Check(), "seed %d", seed)
		})
	}
}

// TestLooksForAPredecessor: while an event waits in memory its model is read a few times, and
// neither for what else arrives nor when the wait is over.
func TestLooksForAPredecessor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, asked := counted()
		in := inbox.New(s, list, inbox.Options{})
		begun := time.Now()
		expect(t, in, one(2), inbox.Stored)
		require.Equal(t, time.Second, time.Since(begun))
		require.Equal(t, "load load load load load load commit", asked(), "one to begin with, and five in a second")

		synctest.Wait() // the lane has ended
		begun = time.Now()
		var wg sync.WaitGroup
		for seq := int64(20); seq > 3; seq-- {
			wg.Go(func() { expect(t, in, one(seq), inbox.Applied) })
			time.Sleep(50 * time.Millisecond)
		}
		require.Equal(t, "load load load load load load", asked(), "each arrival is ahead, too")
		expect(t, in, one(1), inbox.Applied)
		require.Equal(t, "early commit", asked(), "event 2 with it")
		expect(t, in, one(3), inbox.Applied)
		wg.Wait()
		require.Equal(t, 850*time.Millisecond, time.Since(begun), "an arrival ends the wait at once")
		require.Equal(t, "commit", asked())
		require.NoError(t, s.Check())
	})
}

// TestAWaitEndsOnAnotherModel: what is stored at its end is decided anew when somebody else has
// written the model since it was looked at.
func TestAWaitEndsOnAnotherModel(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		elsewhere int64
		want      inbox.Outcome
	}{
		"by its predecessor": {1, inbox.Applied}, "by another early event": {3, inbox.Stored}, "by its copy": {2, inbox.Duplicate},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, asked := counted()
				here, there := inbox.New(s, list, inbox.Options{}), inbox.New(s, list, inbox.Options{MaxWaiting: -1})
				begun := time.Now()
				var wg sync.WaitGroup
				wg.Go(func() { expect(t, here, one(2), row.want) })
				time.Sleep(900 * time.Millisecond) // the last look is over
				_, err := there.Once(t.Context(), one(row.elsewhere))
				require.NoError(t, err)
				asked()
				wg.Wait()
				require.Equal(t, time.Second, time.Since(begun))
				require.Contains(t, []string{"commit load commit", "commit load"}, asked())
				require.NoError(t, s.Check())
			})
		})
	}
}

// TestAStoredEventIsALook: those that wait on do not begin to look anew, for the number has not
// moved; when it has, they do.
func TestAStoredEventIsALook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, asked := counted()
		here, there := inbox.New(s, list, inbox.Options{}), inbox.New(s, list, inbox.Options{})
		var wg sync.WaitGroup
		wg.Go(func() { expect(t, here, one(20), inbox.Stored) })
		time.Sleep(900 * time.Millisecond)
		wg.Go(func() { expect(t, here, one(22), inbox.Stored) })
		wg.Wait()
		require.Equal(t, "load load load load load load commit commit", asked())
		synctest.Wait() // the lane has ended
		wg.Go(func() { expect(t, here, one(4), inbox.Applied) })
		time.Sleep(600 * time.Millisecond)
		expect(t, here, one(1), inbox.Applied)
		asked()
		time.Sleep(20 * time.Millisecond)
		require.Equal(t, "load", asked(), "the first of new looks")
		expect(t, there, one(2), inbox.Applied)
		expect(t, there, one(3), inbox.Applied)
		wg.Wait()
	})
}

// TestWhatWasKeptIsNoLook: an event that is ahead of a model from memory, or a sweep, needs it read
// before anything is stored.
func TestWhatWasKeptIsNoLook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, asked := counted()
		in := inbox.New(s, list, inbox.Options{MaxWaiting: 1, EarlyWait: time.Second})
		expect(t, in, one(1), inbox.Applied)
		var wg sync.WaitGroup
		other := one(2)
		other.Key = "other"
		wg.Go(func() { expect(t, in, other, inbox.Applied) })
		synctest.Wait()
		asked()
		expect(t, in, one(9), inbox.Stored)
		require.Equal(t, "load commit", asked(), "it finds no place to wait")
		other.Seq = 1
		expect(t, in, other, inbox.Applied)
		wg.Wait()
		time.Sleep(time.Second)
		wg.Go(func() { expect(t, in, one(3), inbox.Applied) })
		time.Sleep(600 * time.Millisecond) // the last look is over
		asked()
		wg.Go(func() { sweep(t, in, inbox.Swept{Keys: 1}) })
		synctest.Wait()
		require.Equal(t, "waiting load early", asked(), "9 has waited, and 3 is in hand")
		expect(t, in, one(2), inbox.Applied)
		wg.Wait()
	})
}

// TestARefusalOfAnArrivalIsNotBetOn: the model that was looked at for those who wait may be old.
func TestARefusalOfAnArrivalIsNotBetOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, func(m json.RawMessage, e inbox.Event) (json.RawMessage, error) {
			if string(m) == "[1]" && e.Seq == 2 {
				return nil, errors.New("not on this one")
			}
			return list(m, e)
		}, inbox.Options{})
		expect(t, in, one(1), inbox.Applied)
		var wg sync.WaitGroup
		wg.Go(func() { expect(t, in, one(3), inbox.Applied) })
		time.Sleep(600 * time.Millisecond) // the last look is over
		m, err := s.Load(t.Context(), "k")
		require.NoError(t, err)
		m.Data = json.RawMessage("[7]")
		_, err = s.Commit(t.Context(), inbox.Change{Model: m})
		require.NoError(t, err)
		expect(t, in, one(2), inbox.Applied)
		wg.Wait()
		seqs, _ := applied(t, s)
		require.Equal(t, []int64{7, 2, 3}, seqs)
	})
}
