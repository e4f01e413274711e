package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/relaybox/relaybox/inbox"
	"github.com/relaybox/relaybox/inbox/inboxtest"
)

// picky is a store that refuses some changes for good.
type picky struct {
	*inboxtest.MemStore
	refuses func(inbox.Change) bool
	commits int
}

func (s *picky) Commit(ctx context.Context, c inbox.Change) (string, error) {
	if s.commits++; s.refuses(c) {
		return "", errTooLarge
	}
	return s.MemStore.Commit(ctx, c)
}

// has says whether event seq has its effect in the change.
func has(c inbox.Change, seq int64) bool {
	var seqs []int64
	return json.Unmarshal(c.Model.Data, &seqs) == nil && slices.Contains(seqs, seq)
}

// TestAnEarlyEventThatTheStoreWillNotHave: it alone is given up, also when the answer to that is
// lost, and nobody is told of a fault.
func TestAnEarlyEventThatTheStoreWillNotHave(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]bool{"told": false, "answer lost": true} {
		for _, early := range [][]int64{{2}, {2, 3}} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := &picky{MemStore: &inboxtest.MemStore{}, refuses: func(c inbox.Change) bool { return has(c, 2) }}
					in := inbox.New(s, list, inbox.Options{})
					for _, seq := range early {
						expect(t, in, one(seq), inbox.Stored)
					}
					expect(t, in, one(1), inbox.Applied)
					time.Sleep(time.Hour)
					synctest.Wait()
					s.After = func(_ context.Context, op string) error {
						if op == "commit" && lose {
							lose = false
							return away
						}
						return nil
					}
					for range 2 {
						_, err := in.Sweep(t.Context())
						require.NoError(t, err)
					}
					require.Len(t, s.Refused("k"), 1)
					require.EqualValues(t, 2, s.Refused("k")[0].Event.Seq)
					seqs, m := applied(t, s)
					require.Equal(t, append([]int64{1}, early[1:]...), seqs)
					require.Equal(t, early[len(early)-1], m.LastSeq)
					require.NoError(t, s.Check())
				})
			})
		}
	}
}

// TestStrictTellsWhatItCannotApply: the message is gone, so no dead letter does.
func TestStrictTellsWhatItCannotApply(t *testing.T) {
	t.Parallel()
	broken := errors.New("no such thing")
	for _, early := range [][]int64{{2}, {2, 3}} {
		synctest.Test(t, func(t *testing.T) {
			var told []inbox.Signal
			in := inbox.New(&inboxtest.MemStore{}, unable(2, broken), inbox.Options{Policy: inbox.Strict, Observer: func(s inbox.Signal) { told = append(told, s) }})
			for _, seq := range early {
				expect(t, in, one(seq), inbox.Stored)
			}
			expect(t, in, one(1), inbox.Applied)
			time.Sleep(time.Hour)
			synctest.Wait()
			told = nil
			sweep(t, in, inbox.Swept{Keys: 1, Blocked: 1})
			require.Len(t, told, 1)
			blocked := told[0].(inbox.Blocked)
			require.ErrorIs(t, blocked.Err, broken)
			require.EqualValues(t, 2, blocked.For)
			require.EqualValues(t, len(early), blocked.Waiting)
		})
	}
}

// TestNobodyJumpsOverAnEventInHand: it waits in memory at that moment.
func TestNobodyJumpsOverAnEventInHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, list, inbox.Options{})
		expect(t, in, one(1), inbox.Applied)
		expect(t, in, one(7), inbox.Stored)
		time.Sleep(time.Hour)
		synctest.Wait()
		var wg sync.WaitGroup
		wg.Go(func() { expect(t, in, one(3), inbox.Stored) })
		time.Sleep(500 * time.Millisecond)
		sweep(t, in, inbox.Swept{Keys: 1})
		wg.Wait()
		time.Sleep(time.Hour)
		synctest.Wait()
		sweep(t, in, inbox.Swept{Keys: 1})
		seqs, _ := applied(t, s)
		require.Equal(t, []int64{1, 3, 7}, seqs)
	})
}

// TestEarlyOnesOfAnEarlierLifeAreTold: their messages are gone.
func TestEarlyOnesOfAnEarlierLifeAreTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var late []int64
		s := &inboxtest.MemStore{}
		in := inbox.New(s, list, inbox.Options{Observer: func(s inbox.Signal) {
			if l, ok := s.(inbox.Late); ok {
				late = append(late, l.Event.Seq)
			}
		}})
		expect(t, in, of("a", 1, 1, 3), inbox.Stored)
		expect(t, in, of("b", 1, 2, 1), inbox.Applied)
		time.Sleep(time.Hour)
		synctest.Wait()
		sweep(t, in, inbox.Swept{Keys: 1})
		require.Equal(t, []int64{3}, late)
		require.NoError(t, s.Check())
	})
}

// TestAPileOfEarlyOnes goes in pieces, and needs no sweep and no event for the further ones.
func TestAPileOfEarlyOnes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		in := inbox.New(s, list, inbox.Options{MaxWaiting: -1})
		for seq := int64(400); seq > 1; seq-- {
			expect(t, in, one(seq), inbox.Stored)
		}
		expect(t, in, one(1), inbox.Applied)
		synctest.Wait()
		seqs, _ := applied(t, s)
		require.Len(t, seqs, 400)
		require.NoError(t, s.Check())
	})
}

// TestASweepDoesNotWaitForOneKey whose store is away, nor commit again and again what is refused.
func TestASweepDoesNotWaitForOneKey(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*picky){
		"away":    func(s *picky) { s.Before = failing("commit") },
		"refuses": func(s *picky) { s.refuses = func(inbox.Change) bool { return true } },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &picky{MemStore: &inboxtest.MemStore{}, refuses: func(inbox.Change) bool { return false }}
				in := inbox.New(s, list, inbox.Options{Hold: 25 * time.Minute})
				expect(t, in, of("a", 1, 1, 3), inbox.Stored)
				expect(t, in, of("b", 1, 2, 1), inbox.Applied) // what is early is only to be removed
				time.Sleep(time.Hour)
				synctest.Wait()
				fault(s)
				s.commits = 0
				begun := time.Now()
				_, err := in.Sweep(t.Context())
				require.Error(t, err)
				require.LessOrEqual(t, time.Since(begun), 20*time.Second)
				require.Less(t, s.commits, 50)
			})
		})
	}
}

// TestATooLargeModelIsNotBetOn: the stored one may have shrunk.
func TestATooLargeModelIsNotBetOn(t *testing.T) {
	t.Parallel()
	s := &picky{MemStore: &inboxtest.MemStore{}, refuses: func(c inbox.Change) bool { return len(c.Model.Data) > 8 }}
	in := inbox.New(s, list, inbox.Options{})
	for seq := range int64(3) {
		expect(t, in, one(seq+1), inbox.Applied)
	}
	m, err := s.Load(t.Context(), "k")
	require.NoError(t, err)
	m.Data = json.RawMessage("[]")
	_, err = s.Commit(t.Context(), inbox.Change{Model: m})
	require.NoError(t, err)
	expect(t, in, one(4), inbox.Applied)
}

// TestWhoLeavesWhileTheEventIsStored has its end already when that is done.
func TestWhoLeavesWhileTheEventIsStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &inboxtest.MemStore{}
		letGo := make(chan struct{})
		s.Before = func(_ context.Context, op string) error {
			if op == "commit" {
				<-letGo
			}
			return nil
		}
		in := inbox.New(s, list, inbox.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := in.Once(ctx, one(1))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		close(letGo)
		synctest.Wait()
		expect(t, in, one(1), inbox.Duplicate)
	})
}

// TestAnEarlyEventTellsWhatItWaitsFor: for the first number that is missing.
func TestAnEarlyEventTellsWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var told []inbox.Signal
		in := inbox.New(&inboxtest.MemStore{}, list, inbox.Options{Observer: func(s inbox.Signal) { told = append(told, s) }})
		expect(t, in, one(1), inbox.Applied)
		expect(t, in, one(4), inbox.Stored)
		require.Len(t, told, 1)
		require.EqualValues(t, 2, told[0].(inbox.Waits).For)
	})
}
